import EyrieGraph
import EyrieTestSupport
import Foundation
import Synchronization
import Testing

@testable import EyriePipeline

/// What a benchmark reads from the system.
@Suite("Clocks of CPU time", .timeLimit(.minutes(2)))
struct BenchClockTests {
  @Test("grow with the work of their thread, and that of the process with all threads")
  func clocks() async {
    let process = CPUClock.process()
    let (own, others, after) = await withBlockingThread(named: "clock") { () -> (Double, Double, Double) in
      let start = CPUClock.thread()
      while CPUClock.thread() - start < 0.02 {}
      let own = CPUClock.thread()
      // Another thread works while this one sleeps.
      let isDone = DispatchSemaphore(value: 0)
      let worked = Mutex(0.0)
      Thread.detachNewThread {
        let begin = CPUClock.thread()
        while CPUClock.thread() - begin < 0.05 {}
        worked.withLock { $0 = CPUClock.thread() - begin }
        isDone.signal()
      }
      isDone.wait()
      return (own - start, worked.withLock(\.self), CPUClock.thread() - own)
    }
    #expect(own >= 0.02)
    #expect(others >= 0.05)
    #expect(after < 0.05, "the work of another thread is not that of this one")
    #expect(CPUClock.process() - process >= 0.07)
  }

  @Test("counts the cores that it may be scheduled on")
  func affinity() {
    #expect(CPUAllowance.schedulable(status: "Name:\tx\nCpus_allowed_list:\t0-3,8\nx:\t1") == 5)
    #expect(CPUAllowance.schedulable(status: "Cpus_allowed_list:\t6") == 1)
    for wrong in [
      "", "Cpus_allowed_list:\t", "Cpus_allowed_list:\t3-1", "Cpus_allowed_list:\t0-99999999999999",
    ] {
      #expect(CPUAllowance.schedulable(status: wrong) == nil)
    }
    #expect(CPUAllowance(schedulable: 4, quota: 1.5).cores == 1.5)
    #expect(CPUAllowance(schedulable: 4, quota: nil).cores == 4)
    #expect(CPUAllowance.current().cores > 0)
  }

  @Test("takes the least quota of the control groups around it")
  func quota() throws {
    let scratch = try Scratch()
    func write(_ text: String, to name: String) throws {
      let url = scratch.url.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: url)
    }
    let root = scratch.url.path
    try write("max 100000\n", to: "a/b/cpu.max")
    #expect(CPUAllowance.quota(groups: "0::/a/b\n", root: root) == nil)
    try write("150000 100000\n", to: "a/cpu.max")
    #expect(CPUAllowance.quota(groups: "0::/a/b\n", root: root) == 1.5)
    try write("50000 100000\n", to: "cpu.max")
    #expect(CPUAllowance.quota(groups: "0::/a/b\n", root: root) == 0.5)
    #expect(CPUAllowance.quota(groups: "0::/../elsewhere\n", root: root) == 0.5)
    try write("200000\n", to: "cpu,cpuacct/c/cpu.cfs_quota_us")
    try write("100000\n", to: "cpu,cpuacct/c/cpu.cfs_period_us")
    try write("-1\n", to: "cpu,cpuacct/cpu.cfs_quota_us")
    let legacy = "5:memory:/c\n4:cpu,cpuacct:/c\n"
    #expect(CPUAllowance.quota(groups: legacy, root: root) == 2)
    #expect(CPUAllowance.quota(groups: "nonsense", root: root) == nil)
  }

  @Test("tells what others took of the machine")
  func load() throws {
    // 100 ticks a second: two seconds of four were busy, one of them our own.
    let start = try #require(
      MachineLoad(stat: "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1", ticksPerSecond: 100, own: 5))
    let end = try #require(
      MachineLoad(stat: "cpu  200 20 150 990 10 5 5 20 7 7\n", ticksPerSecond: 100, own: 6))
    #expect(abs(end.othersShare(since: start) - 0.25) < 1e-9)
    #expect(start.othersShare(since: start) == 0)
    for wrong in ["", "cpu0 1 2 3 4 5 6 7 8", "cpu  1 2 3", "cpu  a b c d e f g h"] {
      #expect(MachineLoad(stat: wrong, ticksPerSecond: 100, own: 0) == nil)
    }
  }

  #if os(Linux)
    @Test("sees the memory of another process, and its peak")
    func memory() async throws {
      let own = ResidentMemory.current()
      #expect(own.totalMb > 0 && own.peakMb >= own.totalMb)
      #expect(ResidentMemory.of(process: Int32.max) == nil)
      let shell = ChildProcess(
        program: "sh", arguments: ["-c", "head -c 30000000 /dev/zero | tail -c 1; sleep 0.3"])
      let result = try await shell.run(stop: StopSignal())
      #expect(result.code == 0)
      #expect(result.peakMb > 0 && result.peakMb < own.totalMb, "what this process holds is not the child's")
      #expect(result.steadyMb > 0 && result.steadyMb <= result.peakMb)
    }

    @Test("do not take the memory of the process that started a run for the run's")
    func inheritedPeak() async throws {
      struct Summary: Decodable {
        let rss_peak_mb: Double
      }
      let scratch = try Scratch()
      try await Clip.pattern(scratch.path("clip.mp4"), frames: 3)
      let held = [UInt8](repeating: 1, count: 1 << 30)
      let run = try await Tool.eyrie.run([
        "run", scratch.path("clip.mp4"), "--model", TinyDetector.path, "--summary",
        scratch.path("summary.json"),
      ])
      withExtendedLifetime(held) {}
      #expect(run.code == 0, "\(run.errors)")
      let data = try Data(contentsOf: scratch.url.appendingPathComponent("summary.json"))
      let summary = try JSONDecoder().decode(Summary.self, from: data)
      #expect(summary.rss_peak_mb > 1 && summary.rss_peak_mb < 1_000)
    }
  #endif
}
