import EyrieEvents
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct EndpointTests {
  static let longPath = "ipc:///run/" + String(repeating: "x", count: 120)

  private func failure(_ endpoint: String, _ role: SocketRole, _ context: ZeroMQContext) -> EventError? {
    switch role {
    case .bind: #expect(throws: EventError.self) { try EventPublisher(endpoint, context: context) }
    case .connect: #expect(throws: EventError.self) { try EventSubscriber(endpoint, context: context) }
    }
  }

  private func expectOneLine(_ error: EventError?, naming endpoint: String) {
    let text = error?.description ?? ""
    #expect(!text.contains { $0.isNewline })
    #expect(endpoint.isEmpty || text.contains(endpoint.prefix(20)))
  }

  @Test(arguments: [
    "", "5556", "localhost:5556", "tcp", "tcp:", "tcp:/", "tcp://", "tcp://:5556", "tcp://127.0.0.1",
    "tcp://127.0.0.1:", "tcp://127.0.0.1:abc", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:-1",
    "tcp://127.0.0.1:99999999999999999999", "tcp://127.0.0.1:5556/", "tcp://127.0.0.1:5556/x",
    "tcp://127.0.0.1:+80",
    "tcp://127.0.0.1:٣", "tcp://::1:5556", "tcp://[::1]", "tcp://[::1", "tcp:// 127.0.0.1:5556",
    "tcp://127.0.0.1:5556\n", "tcp://127.0.0.1\u{0}:5556", "tcp://a;b:5556", "ipc://", "inproc://",
    EndpointTests.longPath,
  ])
  func malformedEndpointsAreRefusedEitherWay(endpoint: String) throws {
    let context = try ZeroMQContext()
    for role in [SocketRole.bind, .connect] {
      let error = failure(endpoint, role, context)
      #expect(error?.code == .malformed)
      expectOneLine(error, naming: String(endpoint.prefix { $0 >= " " }))
    }
  }

  @Test(arguments: ["tcp://*:5556", "tcp://127.0.0.1:0", "tcp://127.0.0.1:*", "ipc://*"])
  func whatOnlyABinderCanUseIsRefusedForConnecting(endpoint: String) throws {
    let error = failure(endpoint, .connect, try ZeroMQContext())
    #expect(error?.code == .malformed)
    expectOneLine(error, naming: endpoint)
  }

  @Test(arguments: ["udp://127.0.0.1:5556", "http://example.com", "TCP://127.0.0.1:5556", "pgm://a", "://x"])
  func unknownTransportsAreRefused(endpoint: String) throws {
    let error = failure(endpoint, .bind, try ZeroMQContext())
    #expect(error?.code == .unknownTransport)
    expectOneLine(error, naming: endpoint)
  }

  @Test(arguments: ["rtsp://admin:hunter2@camera/stream", "tcp://admin:hunter2@127.0.0.1:5556"])
  func credentialsAreNotRepeated(endpoint: String) throws {
    let error = try #require(failure(endpoint, .bind, try ZeroMQContext()))
    #expect(!error.description.contains("hunter2"))
    #expect(!error.description.contains("admin"))
  }

  /// 192.0.2.0/24 is reserved for documentation, so no machine has an address of it.
  @Test(arguments: [
    "tcp://192.0.2.1:5556", "tcp://no-such-interface:5556", "ipc:///no/such/directory/socket",
  ])
  func whatThisMachineHasNotIsNotFound(endpoint: String) throws {
    let error = failure(endpoint, .bind, try ZeroMQContext())
    #expect(error?.code == .notFound)
    expectOneLine(error, naming: endpoint)
  }

  @Test(arguments: ["tcp://127.0.0.1:0", "ipc://", "inproc://twice"])
  func anEndpointInUseIsRefusedAndItsOwnerGoesOn(endpoint: String) throws {
    let context = try ZeroMQContext()
    let owner = try EventPublisher(
      endpoint == "ipc://" ? "ipc://\(Sample.path(".sock"))" : endpoint, context: context)
    let error = failure(owner.endpoint, .bind, context)
    #expect(error?.code == .endpointInUse)
    expectOneLine(error, naming: owner.endpoint)
    let subscriber = try EventSubscriber(owner.endpoint, context: context)
    #expect(try owner.waitForSubscriptions(1, timeout: .seconds(30)))
    subscriber.close()
  }

  @Test func theSocketOfADeadProcessIsReplaced() throws {
    let path = Sample.path(".sock")
    leaveSocket(at: path)
    #expect(FileManager.default.fileExists(atPath: path))
    let context = try ZeroMQContext()
    let publisher = try EventPublisher("ipc://\(path)", context: context)
    let subscriber = try EventSubscriber("ipc://\(path)", context: context)
    #expect(try publisher.waitForSubscriptions(1, timeout: .seconds(30)))
    subscriber.close()
    publisher.close()
    try context.close()
  }

  /// What a process leaves that ends without cleaning up: a socket file on which nobody listens.
  private func leaveSocket(at path: String) {
    #if canImport(Darwin)
      let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
    #else
      let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    listen(descriptor, 1)
    close(descriptor)
  }

  @Test func aFileInThePlaceOfASocketIsLeftAlone() throws {
    let path = Sample.path(".mp4")
    try Data("precious".utf8).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let context = try ZeroMQContext()
    #expect(failure("ipc://\(path)", .bind, context)?.code == .wrongFileKind)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    #expect(
      failure("ipc://\(FileManager.default.temporaryDirectory.path)", .bind, context)?.code == .wrongFileKind)
  }

  @Test(.enabled(if: geteuid() != 0, "the superuser may do everything"))
  func aForbiddenPlaceIsPermissionDenied() throws {
    #expect(failure("ipc:///eyrie.sock", .bind, try ZeroMQContext())?.code == .permissionDenied)
  }
}
