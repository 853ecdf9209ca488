import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieTestSupport
import EyrieVision
import Foundation
import Synchronization
import Testing

@testable import EyriePipeline

/// Models with open height and width, and the rectangles at which they run.
@Suite("Rectangular inference", .timeLimit(.minutes(5)))
struct RectangleTests {
  // MARK: - Sizes

  private func input(isDynamic: Bool = true, resize: EyrieInference.ResizeMode = .letterbox) -> ModelInput {
    ModelInput(name: "images", width: 640, height: 640, resize: resize, dynamicSpatial: isDynamic, stride: 32)
  }

  private func sizes(
    _ pictures: [[Int]?], size: DetectorInputSize? = nil, rect: Bool = true, input: ModelInput? = nil
  ) -> [String] {
    DetectorSizing(input ?? self.input(), size: size, rect: rect)
      .sizes(for: pictures.map { $0.map { PixelSize(width: $0[0], height: $0[1]) } }).map(\.description)
  }

  @Test("the sizes compiled before the run are those that the sources need")
  func sizesBeforeTheRun() {
    #expect(sizes([[1920, 1080]]) == ["640×384"])
    #expect(sizes([[1920, 1080], [768, 432]]) == ["640×384"])
    // The most wanted first.
    #expect(sizes([[640, 480], [1920, 1080], [768, 432]]) == ["640×384", "640×480"])
    #expect(sizes([[1080, 1920]]) == ["384×640"])
    #expect(sizes([[1920, 1080]], size: .longSide(1280)) == ["1280×736"])
    // A camera that is not open yet begins at the square.
    #expect(sizes([nil, [1920, 1080]]) == ["640×640", "640×384"])
    #expect(sizes([nil]) == ["640×640"])
    // Four rectangles, the rest in a square.
    let many = [[640, 60], [640, 120], [640, 180], [640, 240], [640, 300]]
    #expect(sizes(many) == ["640×640", "640×64", "640×128", "640×192", "640×256"])
  }

  @Test(
    "a size that is asked for exactly, no rectangles, a fixed and a stretched model have one size for all")
  func oneSize() {
    #expect(sizes([[1920, 1080]], size: .exact(width: 640, height: 640)) == ["640×640"])
    #expect(sizes([[640, 480]], size: .exact(width: 640, height: 384)) == ["640×384"])
    #expect(sizes([[1920, 1080], nil], rect: false) == ["640×640"])
    #expect(sizes([[1920, 1080]], size: .longSide(320), rect: false) == ["320×320"])
    #expect(sizes([[1920, 1080]], input: input(isDynamic: false)) == ["640×640"])
    #expect(sizes([[1920, 1080]], input: input(resize: .stretch)) == ["640×640"])
    var wide = input(isDynamic: false)
    wide.height = 384
    #expect(sizes([[640, 480]], input: wide) == ["640×384"])
    #expect(sizes([[640, 480]], size: .longSide(640), input: wide) == ["640×384"])
    #expect(sizes([[640, 480]], size: .longSide(320), input: wide) == ["320×320"])
  }

  @Test("input sizes are read as a side, or as width and height")
  func reading() {
    #expect(DetectorInputSize("640") == .longSide(640))
    #expect(DetectorInputSize("640x384") == .exact(width: 640, height: 384))
    #expect(DetectorInputSize("640X384") == .exact(width: 640, height: 384))
    for text in ["", "x", "640x", "x640", "640x384x3", "0", "-1", "1e3", "16385", "640 x 384", "６４０"] {
      #expect(DetectorInputSize(text) == nil, "\(text)")
    }
  }

  // MARK: - Sessions

  /// - Parameter follows: whether the anchors are those of the size, and not of 640×640.
  private static func session(
    _ size: PixelSize, follows: Bool = true
  ) throws(ModelError) -> InferenceSession {
    do {
      return try FakeModel.session(
        requests: 2, width: size.width, height: size.height,
        anchors: follows ? 10 * size.width * size.height / (640 * 640) : 10, isDynamic: true
      ) { _ in FakeModel.nothing }
    } catch {
      throw ModelError(.invalidOption, "fake", "\(error)")
    }
  }

  /// Sessions of which some are there at the start; the others are compiled when the test lets them.
  private final class Bench: Sendable {
    let sessions: DetectorSessions
    private let lines: AsyncStream<String>

    init(
      _ sizes: [(Int, Int)], refuses: @escaping @Sendable (PixelSize) -> Bool = { _ in false },
      gate: StopSignal = StopSignal(), input: ModelInput
    ) throws {
      let all = try sizes.map { try RectangleTests.session(PixelSize(width: $0.0, height: $0.1)) }
      let (lines, give) = AsyncStream.makeStream(of: String.self)
      self.lines = lines
      sessions = DetectorSessions(
        all[0], Array(all.dropFirst()), sizing: DetectorSizing(input, size: nil, rect: true),
        log: { give.yield($0) },
        compile: { size throws(ModelError) in
          await gate.wait()
          if refuses(size) { throw ModelError(.unsupportedModel, "fake", "has its anchors in constants") }
          return try RectangleTests.session(size)
        })
    }

    /// Where a picture goes now: the size, with a question mark where that can change.
    func place(_ width: Int, _ height: Int) throws -> String {
      let fit = try sessions.fit(width: width, height: height)
      #expect(fit.transform.modelWidth == fit.session.inputWidth)
      #expect(fit.transform.modelHeight == fit.session.inputHeight)
      #expect(fit.transform.sourceWidth == width && fit.transform.sourceHeight == height)
      return fit.session.inputSize.description + (fit.isFinal ? "" : "?")
    }

    /// Compiles what is wanted until so many lines were logged.
    func run(untilLines count: Int) async -> [String] {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { [sessions] in await sessions.run() }
        var found: [String] = []
        for await line in lines {
          found.append(line)
          if found.count == count { break }
        }
        group.cancelAll()
        return found
      }
    }
  }

  private func open() -> StopSignal {
    let gate = StopSignal()
    gate.request()
    return gate
  }

  @Test("a size that shows up in mid-run is compiled beside it, and frames go through another one meanwhile")
  func compilesBeside() async throws {
    let gate = StopSignal()
    let bench = try Bench([(640, 640)], gate: gate, input: input())
    weak let square = bench.sessions.all.first
    #expect(square != nil)
    #expect(try bench.place(1920, 1080) == "640×640?")
    #expect(try bench.place(1920, 1080) == "640×640?")
    gate.request()
    let lines = await bench.run(untilLines: 1)
    #expect(lines == ["model fake: compiled for 640×384"])
    #expect(try bench.place(1920, 1080) == "640×384")
    // The square was there for a source of unknown size: its memory is given back.
    #expect(square == nil)
    #expect(try bench.place(640, 480) == "640×384?")
    #expect(bench.sessions.history.map { [$0.inputWidth, $0.inputHeight] } == [[640, 640], [640, 384]])
  }

  @Test("meanwhile a picture goes where it is largest")
  func goesWhereItIsLargest() throws {
    let bench = try Bench([(640, 384), (640, 480), (384, 640)], input: input())
    #expect(try bench.place(700, 500) == "640×480")
    // 5:4 is 512 high at 640: 480 rows hold more of it than 384 do.
    #expect(try bench.place(1280, 1024) == "640×480?")
    #expect(try bench.place(1000, 1900) == "384×640?")
    // Both hold it whole: the smaller one is less work.
    #expect(try bench.place(1920, 600) == "640×384?")
  }

  @Test("pictures beyond the last rectangle go through the square")
  func squareForTheRest() async throws {
    let bench = try Bench(
      [(640, 384), (640, 480), (384, 640), (640, 256)], gate: open(), input: input())
    #expect(try bench.place(1280, 1024) == "640×480?")
    #expect(await bench.run(untilLines: 1) == ["model fake: compiled for 640×640"])
    #expect(try bench.place(1280, 1024) == "640×640")
    #expect(try bench.place(1920, 1080) == "640×384")
    #expect(try bench.place(1000, 1000) == "640×640")
  }

  @Test("the square stays as long as a picture needs it")
  func squareStays() async throws {
    let bench = try Bench([(640, 640)], gate: open(), input: input())
    #expect(try bench.place(1000, 1000) == "640×640")
    #expect(try bench.place(1920, 1080) == "640×640?")
    _ = await bench.run(untilLines: 1)
    #expect(try bench.place(1000, 1000) == "640×640")
  }

  @Test("a model that does not run at a rectangle goes on at the square")
  func refusedRectangle() async throws {
    let bench = try Bench([(640, 640)], refuses: { $0.height != 640 }, gate: open(), input: input())
    #expect(try bench.place(1920, 1080) == "640×640?")
    let lines = await bench.run(untilLines: 1)
    #expect(
      lines == [
        "model fake: cannot be compiled for 640×384, goes on at another size: has its anchors in constants"
      ])
    #expect(try bench.place(1920, 1080) == "640×640")
  }

  @Test("all sessions together run as many inferences as one would")
  func slots() async throws {
    let bench = try Bench([(640, 384), (640, 480)], input: input())
    #expect(bench.sessions.slots.count == 2)
    let first = try await bench.sessions.slots.acquire()
    var second: Slot? = try await bench.sessions.slots.acquire()
    let third = Task { try await bench.sessions.slots.acquire() }
    third.cancel()
    await #expect(throws: CancellationError.self) { try await third.value }
    let fourth = Task { try await bench.sessions.slots.acquire() }
    withExtendedLifetime(second) {}
    second = nil
    _ = try await fourth.value
    withExtendedLifetime(first) {}
  }

  // MARK: - Runs

  /// A backend of a dynamic model that notes the sizes it is compiled for.
  private func backend(
    _ compiled: CompiledSizes, follows: Bool = true,
    refuses: @escaping @Sendable (PixelSize) -> Bool = { _ in false }
  ) throws -> ModelBackend {
    var model = try FakeModel.description(isDynamic: true)
    model.input.width = 640
    model.input.height = 640
    return ModelBackend(
      load: { [model] (_, _) throws(ModelError) in model },
      compile: { (model, options) throws(ModelError) in
        let size = PixelSize(
          width: options.inputWidth ?? model.input.width, height: options.inputHeight ?? model.input.height)
        if refuses(size) { throw ModelError(.unsupportedModel, "fake", "has its anchors in constants") }
        compiled.sizes.withLock { $0.append(size.description) }
        return try RectangleTests.session(size, follows: follows)
      })
  }

  private final class CompiledSizes: Sendable {
    let sizes = Mutex<[String]>([])
  }

  @Test("sources of two aspects each run at their own rectangle")
  func twoAspects() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("wide.mp4"), frames: 12, size: "320x180")
    try await Clip.pattern(scratch.path("tall.mp4"), frames: 12, size: "240x320")
    let compiled = CompiledSizes()
    let options = RunOptions(inputs: ["wide.mp4", "tall.mp4"].map { scratch.path($0) }, model: "fake")
    let summary = try await DetectionRun(RunPlan(options), backend: backend(compiled))
      .run(stop: StopSignal(), reporter: .silent)
    #expect(compiled.sizes.withLock { $0 } == ["640×384", "480×640"])
    #expect(summary.models.map { [$0.inputWidth, $0.inputHeight] } == [[640, 384], [480, 640]])
    #expect(summary.frames.inferred == 24)
    #expect(summary.frames.dropped.isEmpty)
  }

  @Test("a picture that changes its aspect loses no frame")
  func changingAspect() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("a.ts"), frames: 20, size: "320x180")
    try await Clip.pattern(scratch.path("b.ts"), frames: 20, size: "320x240")
    var bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.path("a.ts")))
    bytes += try Data(contentsOf: URL(fileURLWithPath: scratch.path("b.ts")))
    try bytes.write(to: URL(fileURLWithPath: scratch.path("both.ts")))
    let compiled = CompiledSizes()
    let summary = try await DetectionRun(
      RunPlan(RunOptions(input: scratch.path("both.ts"), model: "fake")), backend: backend(compiled)
    ).run(stop: StopSignal(), reporter: .silent)
    #expect(summary.frames.decoded >= 38)
    #expect(summary.frames.inferred == summary.frames.decoded)
    #expect(compiled.sizes.withLock { $0.first } == "640×384")
  }

  @Test("a file whose claim of any size is wrong runs at its own size, and says so")
  func falseClaim() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("wide.mp4"), frames: 5, size: "320x180")
    let compiled = CompiledSizes()
    let lines = Mutex<[String]>([])
    let reporter = RunReporter(log: { line in lines.withLock { $0.append(line) } })
    let summary = try await DetectionRun(
      RunPlan(RunOptions(input: scratch.path("wide.mp4"), model: "fake")),
      backend: backend(compiled, refuses: { $0.height != 640 })
    ).run(stop: StopSignal(), reporter: reporter)
    #expect(summary.frames.inferred == 5)
    #expect(compiled.sizes.withLock { $0 } == ["640×640"])
    #expect(
      lines.withLock { $0 }.contains(
        "model fake: does not run at 640×384, so at 640×640: has its anchors in constants"))
  }

  @Test("a file whose boxes are those of one size runs at that, and says so")
  func constantGrid() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("wide.mp4"), frames: 5, size: "320x180")
    let lines = Mutex<[String]>([])
    let reporter = RunReporter(log: { line in lines.withLock { $0.append(line) } })
    let summary = try await DetectionRun(
      RunPlan(RunOptions(input: scratch.path("wide.mp4"), model: "fake")),
      backend: backend(CompiledSizes(), follows: false)
    ).run(stop: StopSignal(), reporter: reporter)
    #expect(summary.models.map { [$0.inputWidth, $0.inputHeight] } == [[640, 640]])
    let line = try #require(
      lines.withLock { $0 }.first { $0.hasPrefix("model fake: does not run at 640×384") })
    #expect(line.hasSuffix("its boxes are those of 640×640 at any size of the input (10 anchors)"))
  }

  @Test("an option that does not fit is an error, and not a reason for another size")
  func wrongSide() async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("wide.mp4"), frames: 3, size: "320x180")
    var options = RunOptions(input: scratch.path("wide.mp4"), model: "fake")
    options.inputSize = .longSide(650)
    var backend = try backend(CompiledSizes())
    backend = ModelBackend(load: backend.load) { (_, _) throws(ModelError) in
      throw ModelError(.invalidOption, "fake", "a width of 650 must be a multiple of 32")
    }
    let lines = Mutex<[String]>([])
    let run = try DetectionRun(RunPlan(options), backend: backend)
    let error = await #expect(throws: EyrieFailure.self) {
      try await run.run(
        stop: StopSignal(), reporter: RunReporter(log: { line in lines.withLock { $0.append(line) } }))
    }
    #expect(error?.kind == .usage)
    #expect(error?.description == "fake: a width of 650 must be a multiple of 32")
    #expect(lines.withLock { $0 } == [])
  }

  @Test("no rectangle where none is wanted", arguments: [true, false])
  func notWanted(exact: Bool) async throws {
    let scratch = try Scratch()
    try await Clip.pattern(scratch.path("wide.mp4"), frames: 3, size: "320x180")
    let compiled = CompiledSizes()
    var options = RunOptions(input: scratch.path("wide.mp4"), model: "fake")
    if exact { options.inputSize = .exact(width: 320, height: 320) } else { options.rect = false }
    _ = try await DetectionRun(RunPlan(options), backend: backend(compiled))
      .run(stop: StopSignal(), reporter: .silent)
    #expect(compiled.sizes.withLock { $0 } == [exact ? "320×320" : "640×640"])
  }
}
