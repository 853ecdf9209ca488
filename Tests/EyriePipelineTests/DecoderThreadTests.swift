import EyrieMedia
import Foundation
import Testing

@testable import EyriePipeline

/// How many threads decode, by what else wants the cores.
@Suite("Decoder threads")
struct DecoderThreadTests {
  private func threads(
    _ inputs: [String], cores: Int, _ change: (inout RunOptions) -> Void = { _ in }
  ) throws -> [Int] {
    var options = RunOptions(inputs: inputs, model: "m")
    change(&options)
    var plan = try RunPlan(options)
    for index in plan.sources.indices { plan.sources[index].reading = options.reading }
    plan.shareCores(cores)
    return plan.sources.map(\.reading.decoderThreads)
  }

  @Test("files get a share of half of the cores, at most four; below two the reader chooses")
  func files() throws {
    #expect(try threads(["a.mp4"], cores: 2) == [0])
    #expect(try threads(["a.mp4"], cores: 3) == [0])
    #expect(try threads(["a.mp4"], cores: 4) == [2])
    #expect(try threads(["a.mp4"], cores: 64) == [4])
    #expect(try threads(["a.mp4", "b.mp4"], cores: 8) == [2, 2])
    #expect(try threads(["a.mp4", "b.mp4", "c.mp4", "d.mp4"], cores: 8) == [0, 0, 0, 0])
  }

  @Test("what has a pace of its own, or a number, keeps it")
  func others() throws {
    #expect(try threads(["rtsp://127.0.0.1/a", "b.mp4"], cores: 16) == [0, 4])
    #expect(try threads(["a.mp4"], cores: 16) { $0.pacing = .realtime } == [0])
    #expect(try threads(["a.mp4"], cores: 16) { $0.decoderThreads = 1 } == [1])
    #expect(try threads(["rtsp://127.0.0.1/a"], cores: 16) { $0.decoderThreads = 3 } == [3])
  }

  @Test("a number out of range is refused", arguments: [0, -1, 65])
  func refused(count: Int) {
    var options = RunOptions(input: "a.mp4", model: "m")
    options.decoderThreads = count
    let error = #expect(throws: EyrieFailure.self) { try options.validate() }
    #expect(error?.description == "--decoder-threads \(count): must be between 1 and 64")
  }
}
