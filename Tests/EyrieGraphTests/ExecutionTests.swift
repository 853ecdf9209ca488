import Foundation
import Synchronization
import Testing

@testable import EyrieGraph

@Suite("Execution", .timeLimit(.minutes(10)))
struct ExecutionTests {
  actor Worker {
    nonisolated let executor = ThreadExecutor(name: "worker")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private var count = 0

    func work() -> (thread: String?, count: Int) {
      count += 1
      return (Thread.current.name, count)
    }

    func block(until open: DispatchSemaphore, started: DispatchSemaphore) {
      started.signal()
      open.wait()
    }
  }

  @Test("an actor on a thread executor runs on that thread, one job at a time")
  func ownThread() async {
    let worker = Worker()
    await withTaskGroup { group in
      for _ in 0..<200 {
        group.addTask { await worker.work().thread }
      }
      for await thread in group { #expect(thread == "worker") }
    }
    #expect(await worker.work().count == 201)
  }

  @Test("actors that block on their own threads do not hold up the cooperative pool")
  func blocking() async {
    let open = DispatchSemaphore(value: 0)
    let started = DispatchSemaphore(value: 0)
    // More than the pool has threads.
    let workers = (0..<(ProcessInfo.processInfo.activeProcessorCount + 2)).map { _ in Worker() }
    await withTaskGroup { group in
      for worker in workers {
        group.addTask { await worker.block(until: open, started: started) }
      }
      // Only a free pool can run this child; were it blocked, the doors would never open.
      group.addTask {
        for _ in workers { open.signal() }
      }
    }
  }

  @Test("results leave in order although work ends in any order")
  func orderGate() async {
    let gate = OrderGate()
    let tickets = (0..<100).map { _ in gate.ticket(for: "a") }
    let order = Recorder<Int>()
    await withTaskGroup { group in
      for (number, ticket) in tickets.enumerated().reversed() {
        group.addTask {
          await gate.waitTurn(ticket)
          order.add(number)
          gate.passTurn(ticket)
        }
      }
    }
    #expect(order.all == Array(0..<100))
  }

  /// How many are inside now, and were at most.
  private final class Gauge: Sendable {
    private let state = Mutex((now: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func change(by step: Int) {
      state.withLock { state in
        state.now += step
        state.most = max(state.most, state.now)
      }
    }
  }

  @Test("one worker takes an item at a time, no more work than there are slots, and all have their turn")
  func workAdmission() async {
    let admission = WorkAdmission(slots: 3)
    let (taking, working, rounds) = (Gauge(), Gauge(), Tally())
    await withTaskGroup { group in
      for _ in 0..<12 {
        group.addTask {
          for _ in 0..<50 {
            await admission.enter()
            taking.change(by: 1)
            working.change(by: 1)
            await Task.yield()
            taking.change(by: -1)
            admission.didTake()
            await Task.yield()
            working.change(by: -1)
            admission.didWork()
            rounds.add()
          }
        }
      }
    }
    #expect(taking.most == 1)
    #expect((1...3).contains(working.most))
    #expect(rounds.value == 600)
  }

  @Test("a stop signal tells everybody, also those who come late")
  func stopSignal() async {
    let signal = StopSignal()
    let told = Tally()
    signal.onRequest { told.add() }
    async let waiter: Void = signal.wait()
    signal.request()
    signal.request()
    await waiter
    signal.onRequest { told.add() }
    #expect(told.value == 2)
    await signal.wait()
  }

  @Test("waiting for a stop ends with the task")
  func cancelledWait() async {
    let signal = StopSignal()
    let task = Task { await signal.wait() }
    task.cancel()
    await task.value
    #expect(!signal.isRequested)
  }
}
