import CZeroMQ
import Foundation

/// One libzmq socket. Not thread-safe, like the socket itself: one owner at a time.
final class ZeroMQSocket {
  private let context: ZeroMQContext
  private var handle: UnsafeMutableRawPointer?
  /// Lives on the heap, because libzmq may keep the address of a message between two calls.
  private let message: UnsafeMutablePointer<zmq_msg_t>
  private let name: String
  /// The file of an `ipc` endpoint that this socket bound.
  private var file: SocketFile?

  init(_ type: Int32, context: ZeroMQContext, name: String) throws(EventError) {
    self.context = context
    self.name = name
    let handle = try context.openSocket(type)
    message = .allocate(capacity: 1)
    zmq_msg_init(message)
    self.handle = handle
  }

  deinit {
    close()
    zmq_msg_close(message)
    message.deallocate()
  }

  /// Returns at once; the context waits for what is queued, up to the linger time.
  func close() {
    guard let handle else { return }
    self.handle = nil
    context.closeSocket(handle)
    file?.remove()
    file = nil
  }

  func opened() throws(EventError) -> UnsafeMutableRawPointer {
    guard let handle else { throw EventError(.closed, "\(name) was closed before") }
    return handle
  }

  func set(_ option: Int32, _ value: Int32) throws(EventError) {
    var value = value
    try check(zmq_setsockopt(try opened(), option, &value, MemoryLayout<Int32>.size), "option \(option) of")
  }

  func set(_ option: Int32, _ value: Int64) throws(EventError) {
    var value = value
    try check(zmq_setsockopt(try opened(), option, &value, MemoryLayout<Int64>.size), "option \(option) of")
  }

  func set(_ option: Int32, _ value: String) throws(EventError) {
    try check(zmq_setsockopt(try opened(), option, value, value.utf8.count), "option \(option) of")
  }

  /// Options of every Eyrie socket. No ZMTP heartbeats (`ZMQ_HEARTBEAT_IVL`): a receiver at its
  /// high-water mark cannot see the answers, takes its healthy peer for dead, and then libzmq 4.3.4
  /// aborts the process (libzmq issues 3596, 3937, 4767). TCP keep-alive finds a dead machine without
  /// that, in about a minute.
  func setCommonOptions(linger: Duration, maximumMessageSize: Int64, for endpoint: Endpoint)
    throws(EventError)
  {
    try set(ZMQ_LINGER, Int32(clamping: linger.milliseconds))
    try set(ZMQ_MAXMSGSIZE, maximumMessageSize)
    try set(ZMQ_TCP_KEEPALIVE, 1 as Int32)
    try set(ZMQ_TCP_KEEPALIVE_IDLE, 30 as Int32)
    try set(ZMQ_TCP_KEEPALIVE_INTVL, 10 as Int32)
    try set(ZMQ_TCP_KEEPALIVE_CNT, 3 as Int32)
    try set(ZMQ_RECONNECT_IVL_MAX, 2000 as Int32)
    if endpoint.isIPv6 { try set(ZMQ_IPV6, 1 as Int32) }
  }

  /// Binds or connects, and returns the endpoint with the address and port that were chosen.
  func attach(to endpoint: Endpoint, _ role: SocketRole) throws(EventError) -> String {
    let handle = try opened()
    switch role {
    case .bind:
      try endpoint.checkPathBeforeBinding()
      guard zmq_bind(handle, endpoint.address) == 0 else {
        throw Endpoint.error(zmq_errno(), binding: endpoint.shown)
      }
      file = endpoint.path.flatMap(SocketFile.init)
      return lastEndpoint() ?? endpoint.address
    case .connect:
      guard zmq_connect(handle, endpoint.address) == 0 else {
        throw systemError(zmq_errno(), "cannot connect to \(endpoint.shown):")
      }
      return endpoint.address
    }
  }

  private func lastEndpoint() -> String? {
    guard let handle else { return nil }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
      var size = buffer.count
      guard let base = buffer.baseAddress, zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, base, &size) == 0 else {
        return nil
      }
      return String(cString: base)
    }
  }

  /// Sends one frame without blocking; `false` if a queue is full.
  func send(_ frame: UnsafeRawBufferPointer, more: Bool) throws(EventError) -> Bool {
    let handle = try opened()
    let flags = more ? ZMQ_DONTWAIT | ZMQ_SNDMORE : ZMQ_DONTWAIT
    while zmq_send(handle, frame.baseAddress, frame.count, flags) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return false
      case let failure: throw systemError(failure, "\(name) cannot send:")
      }
    }
    return true
  }

  /// Receives one frame without blocking and calls `body` with its bytes and whether the message has
  /// more frames; `nil` if there is none.
  func receive<Result>(_ body: (UnsafeRawBufferPointer, Bool) -> Result) throws(EventError) -> Result? {
    let handle = try opened()
    while zmq_msg_recv(message, handle, ZMQ_DONTWAIT) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return nil
      case let failure: throw systemError(failure, "\(name) cannot receive:")
      }
    }
    let bytes = UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
    return body(bytes, zmq_msg_more(message) != 0)
  }

  /// Waits until something can be received, the deadline passes or the interrupter is set.
  func waitForInput(until deadline: ContinuousClock.Instant?, _ interrupter: Interrupter) throws(EventError)
    -> Wait
  {
    let handle = try opened()
    while true {
      if interrupter.isInterrupted { return .interrupted }
      var items = (
        zmq_pollitem_t(socket: handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
        zmq_pollitem_t(socket: nil, fd: interrupter.descriptor, events: Int16(ZMQ_POLLIN), revents: 0)
      )
      let milliseconds = deadline.map { max(0, ContinuousClock.now.duration(to: $0).milliseconds) } ?? -1
      let ready = withUnsafeMutablePointer(to: &items) {
        $0.withMemoryRebound(to: zmq_pollitem_t.self, capacity: 2) { zmq_poll($0, 2, milliseconds) }
      }
      switch ready {
      case 0 where milliseconds == 0: return .timedOut
      // Rounded to whole milliseconds: look at the clock again.
      case 0: continue
      case 1...: return interrupter.isInterrupted ? .interrupted : .ready
      default:
        let failure = zmq_errno()
        if failure != EINTR { throw systemError(failure, "\(name) cannot wait:") }
      }
    }
  }

  enum Wait { case ready, timedOut, interrupted }

  private func check(_ result: Int32, _ what: String) throws(EventError) {
    if result != 0 { throw systemError(zmq_errno(), "cannot set \(what) \(name):") }
  }
}

extension Duration {
  /// Whole milliseconds, rounded up, at most a day short of 2^31 so that libzmq can count them.
  var milliseconds: Int {
    let (seconds, attoseconds) = components
    guard seconds < 2_000_000 else { return 2_000_000_000 }
    guard seconds > -2_000_000 else { return -2_000_000_000 }
    let part = attoseconds / 1_000_000_000_000_000
    let roundedUp = attoseconds % 1_000_000_000_000_000 > 0 ? part + 1 : part
    return Int(seconds * 1000 + roundedUp)
  }
}
