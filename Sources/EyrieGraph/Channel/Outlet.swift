import Synchronization

/// The outgoing edges of one stage: each item goes to all of them, in the order in which they were declared.
final class Outlet<Element: Sendable>: Sendable {
  private struct Edge {
    let inbox: Inbox<Element>
    let lane: Int
  }

  private let edges = Mutex<[Edge]>([])

  func add(_ inbox: Inbox<Element>, lane: Int) {
    edges.withLock { $0.append(Edge(inbox: inbox, lane: lane)) }
  }

  /// - Returns: false when every edge is closed.
  func send(_ element: Element) async -> Bool {
    var isOpen = false
    for edge in edges.withLock({ $0 }) {
      let outcome = await edge.inbox.send(element, lane: edge.lane)
      if outcome != .closed { isOpen = true }
    }
    return isOpen
  }

  func close() {
    for edge in edges.withLock({ $0 }) { edge.inbox.close(lane: edge.lane) }
  }
}
