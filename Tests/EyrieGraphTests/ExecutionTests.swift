import Foundation
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
