/// The topics that were made so far, so that an event allocates none.
struct TopicTable: Sendable {
  /// Sources come and go; beyond so many topics the table begins anew.
  private static let mostTopics = 4_096

  private struct Key: Hashable {
    let type: EventType
    let source: String
  }

  private var topics: [Key: String] = [:]

  /// As `Event.topic`.
  mutating func topic(of event: Event) -> String {
    let key = Key(type: event.type, source: event.source.value)
    if let known = topics[key] { return known }
    if topics.count >= Self.mostTopics { topics.removeAll() }
    let topic = event.topic
    topics[key] = topic
    return topic
  }
}
