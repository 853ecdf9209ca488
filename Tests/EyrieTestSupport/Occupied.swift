import EyrieEvents

/// A TCP endpoint on loopback that somebody is bound to.
public final class Occupied {
  /// Such as `tcp://127.0.0.1:40123`.
  public let endpoint: String
  private let context: ZeroMQContext
  private let publisher: EventPublisher

  /// Binds a free port.
  public init() throws {
    context = try ZeroMQContext()
    publisher = try EventPublisher("tcp://127.0.0.1:0", context: context)
    endpoint = publisher.endpoint
  }

  /// Frees the endpoint.
  public func release() throws {
    publisher.close()
    try context.close()
  }

  /// An endpoint that was free a moment ago.
  public static func freeEndpoint() throws -> String {
    let occupied = try Occupied()
    try occupied.release()
    return occupied.endpoint
  }
}
