import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieMedia

/// A camera over UDP whose packets get lost on the way.
@Suite(
  "A stream that loses packets", .serialized, .timeLimit(.minutes(5)),
  .enabled(if: RTSPServer.isPresent, "\(RTSPServer.absence)"))
struct LossyStreamTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// A picture as small RGB, to be compared.
  private struct Picture: Hashable, Sendable {
    let pixels: [UInt8]
    var isCorrupt = false

    init(_ frame: VideoFrame, _ scaler: FrameScaler) throws {
      let target = ScaleTarget(width: 80, height: 48)
      var pixels = [UInt8](repeating: 0, count: target.byteCount)
      try pixels.withUnsafeMutableBytes { try scaler.scale(frame, into: $0, target: target) }
      self.pixels = pixels
      isCorrupt = frame.isCorrupt
    }
  }

  private struct Reading: Sendable {
    var pictures: [Picture] = []
    var warnings: [MediaWarning] = []
    var dropped = 0
    var timesIncrease = true
  }

  /// Reads frames on a thread of its own.
  private func read(_ input: String, frames: Int, options: VideoReader.Options = .init()) async throws
    -> Reading
  {
    try await withBlockingThread(named: "read") { () throws -> Reading in
      let reader = try VideoReader(MediaInput(input), options: options)
      let scaler = FrameScaler()
      var reading = Reading()
      var last = Int64.min
      while reading.pictures.count < frames, let frame = try reader.nextFrame() {
        if frame.ptsNanoseconds <= last { reading.timesIncrease = false }
        last = frame.ptsNanoseconds
        reading.pictures.append(try Picture(frame, scaler))
      }
      reading.warnings = reader.warnings
      reading.dropped = reader.droppedDamaged
      return reading
    }
  }

  @Test("marks every picture that is damaged, or leaves it out", arguments: [DamagedFrames.flag, .drop])
  func loss(damagedFrames: DamagedFrames) async throws {
    let clip = scratch.path("clip.mp4")
    try await Clip.recording(clip)
    let server = try RTSPServer(clip: clip, transport: "udp", loss: 0.04)
    // The recording repeats fifty pictures.
    let whole = Set(try await read(clip, frames: 50).pictures.map(\.pixels))
    let options = VideoReader.Options(rtspTransport: .udp, damagedFrames: damagedFrames)
    let reading = try await read(server.url(), frames: damagedFrames == .flag ? 150 : 75, options: options)
    #expect(reading.timesIncrease)
    #expect(reading.warnings.contains { $0.kind == .lostPackets })
    let unmarked = reading.pictures.filter { !$0.isCorrupt }
    let wrong = unmarked.filter { !whole.contains($0.pixels) }.count
    #expect(wrong == 0, "\(wrong) of \(unmarked.count) pictures are damaged and not marked")
    #expect(unmarked.count > 10)
    switch damagedFrames {
    case .flag: #expect(reading.pictures.count > unmarked.count)
    case .drop: #expect(reading.pictures.count == unmarked.count && reading.dropped > 0)
    }
  }
}
