/// An item that wants to be told when a graph loses it, to account for it where it came from.
///
/// Told once for each way on which it was lost: an item that goes to two stages may be lost on both. The stage
/// and the reason are those under which `StageGraph.losses` counts it.
public protocol AccountableItem: Sendable {
  /// Called from any thread, outside all locks; must not block.
  /// - Parameters:
  ///   - stage: the stage that lost it, or in front of which it was lost.
  ///   - reason: `queue_full`, `shutdown`, or the reason that the stage gave.
  func wasLost(at stage: String, reason: String)
}

/// The reasons that are the graph's own. None of them says anything against the item.
public enum LossReason {
  /// By an edge's overflow policy.
  public static let queueFull = "queue_full"
  /// The run ended before the item was taken.
  public static let shutdown = "shutdown"
  /// The stage could not go on.
  public static let fatal = "fatal"
}

/// Tells an item of its loss, if it wants to know.
func tellLoss(of item: some Sendable, at stage: String, reason: String) {
  (item as? any AccountableItem)?.wasLost(at: stage, reason: reason)
}
