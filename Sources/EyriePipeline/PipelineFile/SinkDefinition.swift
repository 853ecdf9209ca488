/// A sink of a pipeline file: where events or pictures go.
struct SinkDefinition: Sendable {
  /// What a sink does.
  enum Kind: String, Sendable, CaseIterable {
    /// Publishes events over ZeroMQ.
    case zeromq
    /// Writes events to a file, one a line.
    case jsonl
    /// Writes a JPEG picture of a few frames with their boxes.
    case annotate
  }

  let name: String
  let position: SourcePosition
  let kind: Kind
  var from: [EdgeDefinition]
  /// The endpoint or the path; nil where it is missing, which has then been reported.
  let target: WrittenText?
  /// How many subscriptions are waited for before the first frame.
  let waitSubscribers: Int?

  private static let from = Field<[EdgeDefinition]>.edges("from", "The stages to take from.").required
  private static let endpoint = Field.endpoint(
    "endpoint", "The ZeroMQ endpoint to publish on, such as tcp://127.0.0.1:5555."
  ).required
  private static let waitSubscribers = Field.integer(
    "wait_subscribers", 0...10_000, "Wait for so many subscriptions before the first frame. Default: 0.")
  private static let path = Field.text("path", "The file to write.").required

  /// The keys of a sink of a kind.
  static func table(_ kind: Kind) -> FieldTable {
    let more: [any FieldDescription] =
      switch kind {
      case .zeromq: [endpoint, waitSubscribers]
      case .jsonl, .annotate: [path]
      }
    return FieldTable([NodeKind.field([kind.rawValue]), from] + more)
  }

  init(name: String, position: SourcePosition, kind: Kind, _ object: ObjectReader) {
    self.name = name
    self.position = position
    self.kind = kind
    from = object(Self.from) ?? []
    switch kind {
    case .zeromq:
      target = object(Self.endpoint)
      waitSubscribers = object(Self.waitSubscribers)
    case .jsonl, .annotate:
      target = object(Self.path)
      waitSubscribers = nil
    }
  }

  /// A publisher that the file does not spell out.
  init(name: String, position: SourcePosition, from: EdgeDefinition, endpoint: WrittenText) {
    self.name = name
    self.position = position
    kind = .zeromq
    self.from = [from]
    target = endpoint
    waitSubscribers = nil
  }
}
