import EyrieGraph
import Synchronization

struct TestError: Error, CustomStringConvertible {
  let description: String
}

/// Waits until a condition holds. The test's own time limit ends a wait that never does.
func eventually(_ condition: () async -> Bool) async {
  while !(await condition()) { await Task.yield() }
}

/// A door that tests open by hand.
final class Door: Sendable {
  private let signal = StopSignal()

  func open() { signal.request() }

  func pass() async { await signal.wait() }
}

/// Emits numbers, or fails after some of them.
actor CountingSource: SourceStage {
  private let numbers: ClosedRange<Int>
  private let failure: TestError?
  private var failuresLeft: Int
  private var next: Int

  init(_ numbers: ClosedRange<Int>, failure: TestError? = nil, failures: Int = 1) {
    self.numbers = numbers
    self.failure = failure
    failuresLeft = failures
    next = numbers.lowerBound
  }

  func run(_ context: SourceContext<Int>) async throws {
    while next <= numbers.upperBound, !context.stop.isRequested {
      if let failure, failuresLeft > 0, next > numbers.lowerBound {
        failuresLeft -= 1
        throw failure
      }
      guard await context.emit(next) else { return }
      next += 1
    }
  }
}

/// Emits what it was given, and then waits for the stop where it is told to.
actor ListSource: SourceStage {
  private let items: [Int]
  private let stays: Bool
  private(set) var runs = 0

  init(_ items: [Int], stays: Bool = false) {
    self.items = items
    self.stays = stays
  }

  func run(_ context: SourceContext<Int>) async throws {
    runs += 1
    for item in items where !context.stop.isRequested {
      guard await context.emit(item) else { return }
    }
    if stays { await context.stop.wait() }
  }
}

/// Fails at once.
actor BrokenSource: SourceStage {
  private let message: String

  init(_ message: String) { self.message = message }

  func run(_ context: SourceContext<Int>) async throws { throw TestError(description: message) }
}

/// Fails each time; worth two attempts, and quick ones.
actor ChoosySource: SourceStage {
  private var runs = 0
  private(set) var restarts: [Int] = []

  func run(_ context: SourceContext<Int>) async throws {
    runs += 1
    throw TestError(description: "failure \(runs)")
  }

  func recovery(from error: any Error, backoff: Backoff) -> SourceRecovery {
    runs > 2 ? .giveUp : .restart(Backoff(initial: .milliseconds(1), cap: .milliseconds(1)), reason: "flaky")
  }

  func willRestart(_ restart: SourceRestart) { restarts.append(restart.attempt) }
}

/// Emits until it is stopped.
actor EndlessSource: SourceStage {
  func run(_ context: SourceContext<Int>) async throws {
    var number = 0
    while !context.stop.isRequested {
      guard await context.emit(number) else { return }
      number += 1
      await Task.yield()
    }
  }
}

/// A transform made of a closure.
actor ClosureStage: TransformStage {
  nonisolated let concurrency: Int
  private let streamOf: @Sendable (Int) -> String
  private let body: @Sendable (Int) async throws(StageFailure) -> StageResult<Int>

  init(
    concurrency: Int = 1, streamOf: @escaping @Sendable (Int) -> String = { _ in "" },
    _ body: @escaping @Sendable (Int) async throws(StageFailure) -> StageResult<Int>
  ) {
    self.concurrency = concurrency
    self.streamOf = streamOf
    self.body = body
  }

  nonisolated func stream(of input: Int) -> String { streamOf(input) }

  func process(_ input: Int, permit: Void) async throws(StageFailure) -> StageResult<Int> {
    try await body(input)
  }
}

/// Keeps what it gets, and can be held up.
actor CollectingSink: SinkStage {
  private(set) var items: [Int] = []
  private(set) var isFinished = false
  private let door: Door?
  private let failAt: Int?

  init(door: Door? = nil, failAt: Int? = nil) {
    self.door = door
    self.failAt = failAt
  }

  func consume(_ input: Int) async throws(StageFailure) {
    if let door { await door.pass() }
    if input == failAt { throw .fatal(TestError(description: "cannot write \(input)")) }
    items.append(input)
  }

  func finish() async throws(StageFailure) {
    isFinished = true
  }
}

/// A count that several tasks add to.
final class Tally: Sendable {
  private let count = Atomic(0)

  var value: Int { count.load(ordering: .relaxed) }

  func add() { count.wrappingAdd(1, ordering: .relaxed) }
}

/// A list that several tasks add to.
final class Recorder<Element: Sendable>: Sendable {
  private let items = Mutex<[Element]>([])

  var all: [Element] { items.withLock { $0 } }

  func add(_ item: Element) { items.withLock { $0.append(item) } }
}
