import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Several runs in flight, and many in a row.
@Suite(.timeLimit(.minutes(10)))
struct ConcurrencyTests {
  private func session(requests: Int) throws -> (InferenceSession, TemporaryDirectory) {
    let directory = try TemporaryDirectory()
    let path = try directory.write(TestModels.channelMeans(input: [1, 3, 256, 256]).data(), "model.onnx")
    var options = CompileOptions.exact
    options.requestCount = requests
    return (try OpenVINOBackend.compile(try ModelPackage.load(path), options: options), directory)
  }

  @Test func resultsBelongToTheirInputs() async throws {
    let (session, directory) = try session(requests: 3)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<120 {
        group.addTask {
          let lease = try await session.acquire()
          let value = UInt8(number * 2)
          lease.fill(red: value, green: 255 - value, blue: 17)
          try await lease.infer()
          let found = try lease.floats().map { Int(($0 * 255).rounded()) }
          #expect(found == [Int(value), 255 - Int(value), 17])
        }
      }
      try await group.waitForAll()
    }
    #expect(session.availableCount == 3)
    withExtendedLifetime(directory) {}
  }

  @Test func sessionGoesWhileRunsAreInFlight() async throws {
    for _ in 0..<20 {
      var (session, directory): (InferenceSession?, TemporaryDirectory) = try session(requests: 2)
      let first = try #require(try await session?.acquire())
      let second = try #require(try await session?.acquire())
      first.fill(red: 255, green: 0, blue: 0)
      second.fill(red: 0, green: 255, blue: 0)
      async let run: Void = first.infer()
      async let other: Void = second.infer()
      session = nil
      try await run
      try await other
      #expect(try first.floats() == [1, 0, 0])
      #expect(try second.floats() == [0, 1, 0])
      withExtendedLifetime(directory) {}
    }
  }

  @Test func cancelledTasksGiveTheirRequestsBack() async throws {
    let (session, directory) = try session(requests: 2)
    for _ in 0..<100 {
      let task = Task {
        let lease = try await session.acquire()
        try await lease.infer()
      }
      await Task.yield()
      task.cancel()
      _ = try? await task.value
    }
    await until { session.availableCount == 2 }
    withExtendedLifetime(directory) {}
  }

  // In a process of its own: the memory of this one is also that of the tests that run beside.
  @Test func thousandRunsDoNotGrow() async {
    await #expect(processExitsWith: .success) {
      let (session, directory) = try ConcurrencyTests().session(requests: 2)
      func run(_ count: Int) async throws {
        for _ in 0..<count {
          let lease = try await session.acquire()
          try await lease.infer()
          _ = try lease.withOutput { $0.bytes.count }
        }
      }
      try await run(200)
      let before = try residentBytes()
      try await run(1000)
      #expect(try residentBytes() - before < 8 << 20)
      withExtendedLifetime(directory) {}
    }
  }
}

/// The memory of this process that is in RAM; 0 where the system does not tell.
private func residentBytes() throws -> Int {
  #if os(Linux)
    let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    let pages = try #require(text.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  #else
    return 0
  #endif
}
