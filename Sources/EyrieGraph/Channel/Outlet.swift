import Synchronization

/// The outgoing edges of one stage: each item goes to all of them, in the order in which they were declared.
final class Outlet<Element: Sendable>: Sendable {
  private struct Edge {
    let inbox: Inbox<Element>
    let entrance: Inbox<Element>.Entrance
  }

  private let edges = Mutex<[Edge]>([])

  func add(_ inbox: Inbox<Element>, _ entrance: Inbox<Element>.Entrance) {
    edges.withLock { $0.append(Edge(inbox: inbox, entrance: entrance)) }
  }

  /// - Returns: false when every edge is closed.
  func send(_ element: Element) async -> Bool {
    var isOpen = false
    for edge in edges.withLock({ $0 }) {
      let outcome = await edge.inbox.send(element, through: edge.entrance)
      if outcome != .closed { isOpen = true }
    }
    return isOpen
  }

  func close() {
    for edge in edges.withLock({ $0 }) { edge.inbox.close(edge.entrance) }
  }
}
