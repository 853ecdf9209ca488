import EyrieEvents
import EyrieInference
import EyrieTestSupport
import Synchronization
import Testing

@testable import EyriePipeline

@Suite("Crops", .timeLimit(.minutes(5)))
struct CropTests {
  private let pool = CropPixelPool(byteCount: FakeClassifier.inputBytes)
  private let second: Int64 = 1_000_000_000

  private func quality(_ area: Double, sharpness: Float? = nil, confidence: Float = 0.5) -> CropQuality {
    CropQuality(area: area, sharpness: sharpness, confidence: confidence)
  }

  private func isLook(_ decision: TrackMemory.Decision) -> Bool {
    if case .look = decision { true } else { false }
  }

  @Test("are better when larger, sharper or surer, and not smaller")
  func quality() {
    let known = quality(1000, sharpness: 10)
    #expect(!quality(1000, sharpness: 10).isClearlyBetter(than: known))
    #expect(!quality(1500, sharpness: 10).isClearlyBetter(than: known))
    #expect(quality(1501, sharpness: 10).isClearlyBetter(than: known))
    #expect(quality(900, sharpness: 16).isClearlyBetter(than: known))
    #expect(!quality(700, sharpness: 16).isClearlyBetter(than: known))
    #expect(quality(900, sharpness: 10, confidence: 0.75).isClearlyBetter(than: known))
    #expect(!quality(700, sharpness: 10, confidence: 0.99).isClearlyBetter(than: known))
    #expect(!quality(1000, sharpness: nil).isClearlyBetter(than: known))
  }

  @Test("of a track are looked at once, and again when that promises something")
  func memory() {
    var memory = TrackMemory(refresh: 5)
    #expect(isLook(memory.decide(1, at: 0) { quality(100) }))
    let first = CropTicket(pool.take())
    #expect(memory.remember(first, of: 1, quality: quality(100), at: 0) == nil)
    // While there is no answer, another question would not be answered sooner.
    #expect(!isLook(memory.decide(1, at: 60 * second) { quality(9999) }))
    first.settle(.result(.labels([])))
    #expect(!isLook(memory.decide(1, at: second / 2) { quality(9999) }))
    #expect(!isLook(memory.decide(1, at: 2 * second) { quality(120) }))
    #expect(isLook(memory.decide(1, at: 2 * second) { quality(151) }))
    // The first time, somewhere in the second half of the interval.
    #expect(!isLook(memory.decide(1, at: 5 * second / 2) { quality(100) }))
    #expect(isLook(memory.decide(1, at: 5 * second) { quality(100) }))
    // The old result holds until the new one is there.
    let next = CropTicket(pool.take())
    #expect(memory.remember(next, of: 1, quality: quality(151), at: 5 * second) === first)
    guard case .reuse(let known) = memory.decide(1, at: 6 * second, quality: { quality(151) })
    else {
      Issue.record("looked at again")
      return
    }
    #expect(known.ticket === next && known.before === first)
    next.settle(.failed("inference_failed"))
    #expect(isLook(memory.decide(1, at: 6 * second) { quality(151) }))
    // What failed is no result to fall back on; the one before still is.
    #expect(memory.remember(CropTicket(pool.take()), of: 1, quality: quality(1), at: 6 * second) === first)
  }

  @Test("of tracks that appear together are looked at again one by one, each after 'refresh'")
  func spreading() {
    var memory = TrackMemory(refresh: 4)
    var looks: [Int: [Int64]] = [:]
    for time in stride(from: 0, to: 20 * second, by: Int(second / 10)) {
      for track in 1...10 where isLook(memory.decide(track, at: time, quality: { quality(1) })) {
        let ticket = CropTicket(pool.take())
        _ = memory.remember(ticket, of: track, quality: quality(1), at: time)
        ticket.settle(.result(.labels([])))
        looks[track, default: []].append(time)
      }
    }
    #expect(looks.count == 10)
    for times in looks.values {
      #expect(times[0] == 0 && times[1] >= 2 * second && times[1] <= 4 * second)
      #expect(zip(times.dropFirst(), times.dropFirst(2)).allSatisfy { $1 - $0 == 4 * second })
    }
    // No two of the ten in one frame, once they have been spread.
    let later = looks.values.flatMap { $0.dropFirst() }
    #expect(Set(later).count == later.count)
  }

  @Test("of tracks that are long gone are forgotten")
  func forgetting() {
    var memory = TrackMemory(refresh: nil)
    for track in 0..<100_000 {
      let ticket = CropTicket(pool.take())
      ticket.settle(.result(.labels([])))
      _ = memory.remember(ticket, of: track, quality: quality(1), at: Int64(track) * second)
    }
    #expect(memory.count < 600)
  }

  @Test("wait for a result, for a time, and not beyond cancellation")
  func waiting() async {
    let ticket = CropTicket(pool.take())
    #expect(await ticket.wait(until: .now + .milliseconds(1)) == nil)
    let cancelled = Task { await ticket.wait(until: nil) }
    cancelled.cancel()
    #expect(await cancelled.value == nil)
    async let waiting = ticket.wait(until: nil)
    async let other = ticket.wait(until: .now + .seconds(3600))
    ticket.settle(.failed("a"))
    ticket.settle(.failed("b"))
    #expect(await waiting == .failed("a"))
    #expect(await other == .failed("a"))
    #expect(ticket.takePixels() == nil)
  }

  /// Settles tickets through a batcher that runs until all are settled.
  private func through(
    _ session: InferenceSession, _ tickets: [CropTicket], timeout: Duration = .milliseconds(5)
  ) async throws
    -> (batcher: CropBatcher, failures: [String])
  {
    let failures = Lines()
    var plan = CropModelPlan(name: "look", model: "fake", purpose: .classify(topK: 1, minConfidence: 0))
    plan.batchTimeout = timeout
    let head = try CropHead(session.model, texts: nil, plan: plan)
    let batcher = CropBatcher(session: session, head: head, batchTimeout: timeout) { reason, message in
      failures.add("\(reason): \(message)")
    }
    await withTaskGroup { group in
      group.addTask { await batcher.run() }
      batcher.submit(tickets)
      for ticket in tickets { _ = await ticket.wait(until: nil) }
      group.cancelAll()
    }
    return (batcher, failures.all)
  }

  @Test("go in batches, each answer to its own", arguments: [1, 2, 8], [1, 3])
  func batches(size: Int, requests: Int) async throws {
    let session = FakeClassifier.session(requests: requests, batch: size) { bytes in
      [[1, 0, 0], [0, 1, 0], [0, 0, 1]][Int(bytes[0]) % 3]
    }
    let tickets = (0..<50).map { number in
      let pixels = pool.take()
      pixels.bytes.initializeMemory(as: UInt8.self, repeating: UInt8(number))
      return CropTicket(pixels)
    }
    let (batcher, failures) = try await through(session, tickets)
    for (number, ticket) in tickets.enumerated() {
      let label = FakeClassifier.labels[number % 3]
      #expect(ticket.result == .labels([Classification(label: label, confidence: 1)]))
    }
    #expect(batcher.counts.crops == 50)
    #expect(batcher.counts.batches >= 50 / size && batcher.counts.batches <= 50 / size + 2 * requests)
    #expect(failures.isEmpty)
  }

  @Test("that nobody waits for are left out")
  func abandoned() async throws {
    let calls = Counter()
    let session = FakeClassifier.session { _ in
      _ = calls.next()
      return [1, 0, 0]
    }
    let tickets = (0..<10).map { _ in CropTicket(pool.take()) }
    for ticket in tickets.prefix(6) { ticket.settle(.failed(CropLoss.timedOut)) }
    let (batcher, _) = try await through(session, tickets)
    #expect(batcher.counts.crops == 4 && calls.next() == 5)
  }

  @Test("have no room where so many wait that another would be late, and again when they were given up")
  func room() throws {
    let session = FakeClassifier.session(batch: 3) { _ in [1, 0, 0] }
    let plan = CropModelPlan(name: "look", model: "fake", purpose: .classify(topK: 1, minConfidence: 0))
    let batcher = CropBatcher(
      session: session, head: try CropHead(session.model, texts: nil, plan: plan), batchTimeout: .zero
    ) { _, _ in }
    let tickets = (0..<12).map { _ in CropTicket(pool.take()) }
    batcher.submit(Array(tickets.prefix(11)))
    #expect(batcher.hasRoom)
    batcher.submit(Array(tickets.suffix(1)))
    #expect(!batcher.hasRoom)
    tickets[5].settle(.failed(CropLoss.timedOut))
    #expect(batcher.hasRoom)
  }

  @Test("are settled when the run ends before their turn")
  func shutdown() async throws {
    let session = FakeClassifier.session { _ in
      try? await Task.sleep(for: .seconds(3600))
      return [1, 0, 0]
    }
    let plan = CropModelPlan(name: "look", model: "fake", purpose: .classify(topK: 1, minConfidence: 0))
    let batcher = CropBatcher(
      session: session, head: try CropHead(session.model, texts: nil, plan: plan), batchTimeout: .zero
    ) { _, _ in }
    let tickets = (0..<3).map { _ in CropTicket(pool.take()) }
    batcher.submit(tickets)
    let run = Task { await batcher.run() }
    // The first is under way when its pixels are taken.
    while tickets[0].isQueued { await Task.yield() }
    run.cancel()
    await run.value
    #expect(
      tickets[1].outcome == .failed(CropLoss.shutdown) && tickets[2].outcome == .failed(CropLoss.shutdown))
  }
}
