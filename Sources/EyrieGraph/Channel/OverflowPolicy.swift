/// What an edge does with an item that arrives while its queue is full.
public enum OverflowPolicy: String, Sendable, Hashable, CaseIterable {
  /// The sender waits until there is room: nothing is lost. For files.
  case suspend
  /// The oldest queued item makes room: the newest wins. For live streams.
  case dropOldest
  /// The arriving item is dropped: what is queued is kept.
  case dropNewest
}

/// What became of an item that was sent to an edge.
public enum SendOutcome: Sendable, Equatable {
  /// It is queued, or the receiver has it already.
  case accepted
  /// It is queued, and an older item was dropped for it.
  case acceptedDroppingOldest
  /// It was dropped because the queue was full.
  case dropped
  /// It was dropped because the edge is closed or the run was aborted.
  case closed
}
