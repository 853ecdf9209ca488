import EyrieGraph

/// An entry of `from`: what a stage or sink takes from, and the queue that lies between.
struct EdgeDefinition: Sendable {
  /// The source or stage that gives the items.
  var from: String
  /// How many items the queue holds; nil for the default.
  let capacity: Int?
  /// What happens when the queue is full; nil for the default.
  let overflow: OverflowPolicy?
  let position: SourcePosition
  /// The path of the key, for messages.
  let key: String

  private static let name = Field.text("name", "The source or stage to take from.").required
  private static let capacity = Field.integer(
    "capacity", 1...256, "How many items the queue of this edge holds.")
  private static let overflow = Field<OverflowPolicy>.choice(
    "overflow",
    "What happens when the queue is full: the sender waits, the oldest item is dropped, or the arriving one.")

  static let table = FieldTable([name, capacity, overflow])

  fileprivate init?(_ reader: ValueReader) {
    key = reader.key
    position = reader.node.position
    if case .mapping = reader.node.content {
      guard let object = reader.object(Self.table) else { return nil }
      let capacity = object(Self.capacity)
      let overflow = object(Self.overflow)
      guard let from = object(Self.name)?.value else { return nil }
      self.from = from
      self.capacity = capacity
      self.overflow = overflow
    } else {
      guard let from = reader.text()?.value else { return nil }
      self.from = from
      capacity = nil
      overflow = nil
    }
  }

  /// An edge that the file does not spell out.
  init(from: String, at position: SourcePosition, key: String) {
    self.from = from
    capacity = nil
    overflow = nil
    self.position = position
    self.key = key
  }
}

extension ValueReader {
  /// One edge, or a list of them.
  func edges() -> [EdgeDefinition]? {
    switch node.content {
    case .list: list { EdgeDefinition($0) }
    default: EdgeDefinition(self).map { [$0] }
    }
  }
}
