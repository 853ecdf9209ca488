import Foundation
import Testing

@testable import EyriePipeline

/// What a benchmark makes of its measurements, with numbers that can be worked out by hand.
@Suite("The arithmetic of a benchmark")
struct BenchArithmeticTests {
  @Test("takes the median and the extremes")
  func spread() {
    #expect(Spread([3, 1, 2]) == spread(2, 1, 3))
    #expect(Spread([4, 1, 3, 2]) == spread(2.5, 1, 4))
    #expect(Spread([7]) == spread(7, 7, 7))
    #expect(Spread([.nan, 5, .infinity]) == spread(5, 5, 5))
    #expect(Spread([]) == spread(0, 0, 0))
  }

  @Test("bounds the rate by the cores, and by bare inference where that is slower")
  func bound() {
    // 20 ms of CPU time a frame on two cores: 100 frames a second.
    let cost = BenchBound.Cost(inferenceMs: 17, decodeMs: 1, scaleMs: 2)
    #expect(BenchBound(cost: cost, rawInferenceFPS: 110, cores: 2).fps == 100)
    #expect(BenchBound(cost: cost, rawInferenceFPS: 90, cores: 2).fps == 90)
    #expect(BenchBound(cost: cost, rawInferenceFPS: 110, cores: 0.5).fps == 25)
    #expect(BenchBound(cost: BenchBound.Cost(), rawInferenceFPS: 70, cores: 2).fps == 70)
  }

  @Test("weighs inputs by their frames")
  func shares() {
    let small = BenchBound.Cost(inferenceMs: 10, decodeMs: 1, scaleMs: 1)
    let large = BenchBound.Cost(inferenceMs: 20, decodeMs: 5, scaleMs: 3)
    let mean = BenchBound.Cost.mean([(small, 300), (large, 100)])
    #expect(mean == BenchBound.Cost(inferenceMs: 12.5, decodeMs: 2, scaleMs: 1.5))
    #expect(BenchBound.Cost.mean([(small, 0), (large, 0)]) == small)
    // 300 frames at 100 a second and 100 at 50 take five seconds.
    #expect(BenchBound.rate([(100, 300), (50, 100)]) == 80)
    #expect(BenchBound.rate([(100, 0), (50, 100)]) == 50)
  }

  @Test("takes the stages of the round in the middle, and says what the limit is")
  func summary() {
    var report = Self.report()
    report.rounds = [Self.round(ratio: 0.9), Self.round(ratio: 0.8), Self.round(ratio: 0.85)]
    report.summarize(stages: [9, 8, 7].map { ["detect": Self.stage(processed: $0)] })
    #expect(report.ratio == spread(0.85, 0.8, 0.9))
    #expect(report.stages["detect"]?.processed == 7)
    #expect(report.boundFps == spread(80, 80, 80))
    #expect(report.othersCpuShare == spread(0.02, 0.02, 0.02))
    // 20 ms of 25 are the parts; 1.8 of 2 cores are busy.
    #expect(
      report.limit
        == "inference takes 85 % of the CPU time of a frame (scaling 10 %, decoding 5 %), and bare "
        + "inference is the bound: it keeps 1.4 of 2 cores busy; the pipeline reaches 0.85 of the bound: 20 % "
        + "of its CPU time is beyond these three, and cores are idle for 10 % of the time")
    #expect(BenchTable(report).description.contains(report.limit))
  }

  @Test("says so when others took the machine")
  func others() {
    var report = Self.report()
    var round = Self.round(ratio: 0.9)
    round.othersCpuShare = 0.5
    report.rounds = [round]
    report.summarize(stages: [[:]])
    #expect(report.limit.hasPrefix("other processes took 50 % of the machine"))
    #expect(report.limit.hasSuffix("20 % of the pipeline's CPU time is beyond these three"))
    #expect(!report.limit.contains("bound"))
    #expect(BenchTable(report).description.contains("measure again"))
  }

  @Test("compares with one source, round by round")
  func scaling() {
    func sample(_ cpu: Double, _ memory: Double) -> ScalingReport.Sample {
      ScalingReport.Sample(fps: 50, cpuMs: cpu, residentMb: memory, peakMb: memory + 10)
    }
    let report = ScalingReport(
      counts: [1, 4],
      rounds: [[sample(20, 200), sample(22, 260)], [sample(10, 200), sample(10, 230)]])
    #expect(report.steps.map(\.sources) == [1, 4])
    #expect(report.steps[0].cpuRatio == spread(1, 1, 1))
    #expect(report.steps[0].mbPerAddedSource == nil)
    #expect(report.steps[1].cpuRatio == spread(1.05, 1, 1.1))
    #expect(report.steps[1].mbPerAddedSource == spread(15, 10, 20))
    #expect(report.steps[1].peakMb == spread(255, 240, 270))
  }

  @Test("compares with another program, round by round")
  func peer() {
    func sample(_ fps: Double, _ memory: Double) -> PeerReport.Sample {
      PeerReport.Sample(fps: fps, peakMb: memory, detectionsPerFrame: 3)
    }
    let report = PeerReport(
      name: "other", versions: [:], model: "m",
      rounds: [(sample(60, 100), sample(30, 400)), (sample(40, 100), sample(10, 500))])
    #expect(report.fpsRatio == spread(3, 2, 4))
    #expect(report.memoryRatio == spread(0.225, 0.2, 0.25))
    #expect(report.eyrie.fps == spread(50, 40, 60))
    #expect(report.peer.peakMb == spread(450, 400, 500))
  }

  @Test("writes every key, with units, and null for what was not measured")
  func keys() throws {
    var report = Self.report()
    report.rounds = [Self.round(ratio: 0.9)]
    report.summarize(stages: [["detect": Self.stage(processed: 3)]])
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(report.json().utf8)) as? [String: Any])
    #expect(
      Set(object.keys) == [
        "schema", "inputs", "sources", "models", "device", "cpu_cores", "rounds", "raw_inference_fps",
        "inference_cpu_ms", "decode_cpu_ms", "scale_cpu_ms", "bound_fps", "pipeline_fps", "pipeline_cpu_ms",
        "pipeline_cpu_cores", "ratio", "cpu_ratio", "others_cpu_share", "stages", "limit", "memory",
        "scaling", "against",
      ])
    #expect(object["schema"] as? String == "eyrie.bench/2")
    #expect(object["against"] is NSNull)
    #expect((object["ratio"] as? [String: Double])?.keys.sorted() == ["max", "median", "min"])
    let round = try #require((object["rounds"] as? [[String: Any]])?.first)
    #expect(
      Set(round.keys) == [
        "raw_inference_fps", "inference_cpu_ms", "decode_cpu_ms", "scale_cpu_ms", "bound_fps", "pipeline_fps",
        "pipeline_cpu_ms", "pipeline_cpu_cores", "ratio", "cpu_ratio", "others_cpu_share",
      ])
    let memory = try #require((object["memory"] as? [String: Any])?["pipeline"] as? [String: Double])
    #expect(memory.keys.sorted() == ["anonymous_mb", "file_mb", "peak_mb", "total_mb"])
  }

  private func spread(_ median: Double, _ min: Double, _ max: Double) -> Spread {
    var spread = Spread()
    (spread.median, spread.min, spread.max) = (median, min, max)
    return spread
  }

  private static func report() -> BenchReport {
    BenchReport(
      inputs: [], sources: 1, models: [], device: "device", cpuCores: 2,
      memory: BenchReport.Memory(
        start: ResidentMemory(), compiled: ResidentMemory(), pipeline: ResidentMemory(), peakMb: 0))
  }

  private static func round(ratio: Double) -> BenchReport.Round {
    BenchReport.Round(
      rawInferenceFps: 80, inferenceCpuMs: 17, decodeCpuMs: 1, scaleCpuMs: 2, boundFps: 80,
      pipelineFps: 80 * ratio, pipelineCpuMs: 25, pipelineCpuCores: 1.8, ratio: ratio, cpuRatio: 0.8,
      othersCpuShare: 0.02)
  }

  private static func stage(processed: Int) -> RunSummary.Stage {
    RunSummary.Stage(
      processed: processed, errors: 0, serviceMs: RunSummary.Stage.Service(p50: 1, p95: 2), queue: nil)
  }
}
