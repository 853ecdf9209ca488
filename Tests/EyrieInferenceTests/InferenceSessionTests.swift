import Synchronization
import Testing

@testable import EyrieInference

/// Lending and giving back requests.
@Suite(.timeLimit(.minutes(10)))
struct InferenceSessionTests {
  @Test func lendsEachRequestOnce() async throws {
    let session = InferenceSession.fake([FakeRequest(), FakeRequest()])
    #expect(session.requestCount == 2)
    let first = try await session.acquire()
    let second = try await session.acquire()
    #expect(session.availableCount == 0)
    let addresses = [first, second].map { lease in
      lease.withInput { Int(bitPattern: $0.baseAddress) }
    }
    #expect(Set(addresses).count == 2)
  }

  @Test func droppedLeasesComeBackWithoutARun() async throws {
    let session = InferenceSession.fake([FakeRequest()])
    for _ in 0..<100 {
      let lease = try await session.acquire()
      #expect(session.availableCount == 0)
      lease.withInput { $0[0] = 1 }
    }
    #expect(session.availableCount == 1)
  }

  @Test func waitersAreServedInOrder() async throws {
    let session = InferenceSession.fake([FakeRequest()])
    let order = Recorder()
    var held: RequestLease? = try await session.acquire()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<20 {
        group.addTask {
          let lease = try await session.acquire()
          order.append(number)
          withExtendedLifetime(lease) {}
        }
        await until { session.waitingCount == number + 1 }
      }
      withExtendedLifetime(held) {}
      held = nil
      try await group.waitForAll()
    }
    #expect(order.values == Array(0..<20))
    #expect(session.availableCount == 1)
  }

  @Test func cancelledWaitersLeaveTheQueue() async throws {
    let session = InferenceSession.fake([FakeRequest()])
    var held: RequestLease? = try await session.acquire()
    let cancelled = Task { try await session.acquire() }
    await until { session.waitingCount == 1 }
    let patient = Task { try await session.acquire() }
    await until { session.waitingCount == 2 }
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    #expect(session.waitingCount == 1)
    withExtendedLifetime(held) {}
    held = nil
    _ = try await patient.value
    #expect(session.waitingCount == 0)
  }

  @Test func cancelledBeforeItAsks() async throws {
    let session = InferenceSession.fake([FakeRequest()])
    let task = Task {
      await until { Task.isCancelled }
      return try await session.acquire()
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(session.availableCount == 1)
  }

  @Test func manyTasksRacingWithCancellation() async throws {
    let session = InferenceSession.fake([FakeRequest(), FakeRequest()])
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<400 {
        let task = Task {
          let lease = try await session.acquire()
          await Task.yield()
          withExtendedLifetime(lease) {}
        }
        if number % 3 == 0 { group.addTask { task.cancel() } }
        group.addTask { _ = try? await task.value }
      }
    }
    #expect(session.availableCount == 2)
    #expect(session.waitingCount == 0)
  }

  @Test func cancellationDoesNotCutARunShort() async throws {
    let request = FakeRequest()
    let session = InferenceSession.fake([request])
    let task = Task {
      let lease = try await session.acquire()
      try await lease.infer()
      return Task.isCancelled
    }
    await until { request.isRunning }
    task.cancel()
    #expect(session.availableCount == 0)
    request.finish()
    #expect(try await task.value)
    await until { session.availableCount == 1 }
  }

  @Test func refusesTwoRunsAtOnce() async throws {
    let request = FakeRequest()
    let session = InferenceSession.fake([request])
    let lease = try await session.acquire()
    let running = Task { try await lease.infer() }
    await until { request.isRunning }
    await #expect(throws: InferenceError.self) { try await lease.infer() }
    request.finish()
    try await running.value
  }

  @Test func leaseOutlivesItsSession() async throws {
    var session: InferenceSession? = .fake([FakeRequest()])
    let lease = try #require(try await session?.acquire())
    session = nil
    lease.withInput { $0[3] = 7 }
    #expect(try lease.withOutput { $0.bytes[3] } == 7)
    #expect(throws: InferenceError.self) { try lease.withOutput(1) { _ in } }
  }
}

/// What several tasks did, in order.
private final class Recorder: Sendable {
  private let state = Mutex<[Int]>([])

  func append(_ value: Int) { state.withLock { $0.append(value) } }
  var values: [Int] { state.withLock { $0 } }
}
