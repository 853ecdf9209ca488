import Foundation

/// A ZeroMQ peer that shares no code with libzmq: ZMTP 3.0 with the NULL mechanism, by hand
/// (https://rfc.zeromq.org/spec/23/), over a blocking TCP connection to 127.0.0.1.
///
/// As a publisher it sends whatever it likes; as a subscriber it need not read.
final class ForeignPeer {
  enum Failure: Error { case system(Int32), closed }

  private let descriptor: Int32

  /// Connects to an endpoint `tcp://127.0.0.1:PORT` and shakes hands as a socket of a type (`PUB`, `SUB`).
  init(_ endpoint: String, as socketType: String, receiveBuffer: Int32? = nil) throws {
    guard let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) else { throw Failure.closed }
    #if canImport(Darwin)
      descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #else
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    if var receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Failure.system(errno) }
    let signature: [UInt8] = [0xff] + Array(repeating: 0, count: 8) + [0x7f]
    let mechanism = Array("NULL".utf8) + Array(repeating: 0, count: 16)
    try write(signature + [3, 0] + mechanism + Array(repeating: 0, count: 32))
    _ = try read(64)
    let type = Array(socketType.utf8)
    let property = [11] + Array("Socket-Type".utf8) + [0, 0, 0, UInt8(type.count)] + type
    let ready = [5] + Array("READY".utf8) + property
    try write([4, UInt8(ready.count)] + ready)
    _ = try readFrame()
  }

  deinit { close(descriptor) }

  /// Sends one message.
  func send(_ frames: [[UInt8]]) throws {
    for (index, frame) in frames.enumerated() {
      let more: UInt8 = index + 1 < frames.count ? 1 : 0
      if frame.count < 256 {
        try write([more, UInt8(frame.count)] + frame)
      } else {
        let size = (0..<8).map { UInt8(truncatingIfNeeded: frame.count >> (56 - 8 * $0)) }
        try write([more | 2] + size + frame)
      }
    }
  }

  /// Waits for one frame of up to 255 bytes: from a subscriber, a subscription.
  @discardableResult
  func readFrame() throws -> [UInt8] {
    let header = try read(2)
    return try read(Int(header[1]))
  }

  /// Whether something can be read now.
  var hasInput: Bool {
    var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&item, 1, 0) > 0
  }

  private func write(_ bytes: [UInt8]) throws {
    var position = 0
    while position < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.write(descriptor, $0.baseAddress?.advanced(by: position), bytes.count - position)
      }
      guard count > 0 else { throw Failure.system(errno) }
      position += count
    }
  }

  private func read(_ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var position = 0
    while position < count {
      let got = bytes.withUnsafeMutableBytes {
        Foundation.read(descriptor, $0.baseAddress?.advanced(by: position), count - position)
      }
      guard got > 0 else { throw Failure.closed }
      position += got
    }
    return bytes
  }
}
