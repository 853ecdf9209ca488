import EyrieTestSupport
import Foundation
import Testing

@testable import EyrieInference

/// Which of several compiled models ties its threads to cores.
@Suite("Pinning to cores")
struct CorePinningTests {
  @Test("one may, until it lets go, and none that computes a frame on all cores")
  func right() {
    let pinning = CorePinning()
    #expect(pinning.take(for: .latency) == nil)
    var first = pinning.take(for: .throughput)
    #expect(first != nil)
    #expect(pinning.take(for: .throughput) == nil)
    first = nil
    #expect(pinning.take(for: .throughput) != nil)
  }

  @Test("only the first of several compiled models has its threads pinned, and the next after its end")
  func models() throws {
    let scratch = try Scratch()
    let path = scratch.path("means.onnx")
    try TestModels.channelMeans().data().write(to: URL(fileURLWithPath: path))
    let model = try ModelPackage.load(path)
    let core = try OpenVINOCore.get()
    let pinning = CorePinning()
    func compile(_ performance: CompileOptions.Performance) throws(ModelError) -> OpenVINOCompiledModel {
      let input = model.input
      let shape = input.layout.shape(width: input.width, height: input.height)
      let prepared = try PreparedModel.read(path, input: shape, with: core)
      var options = CompileOptions()
      options.performance = performance
      return try OpenVINOBackend.compile(
        prepared.model, of: model, options, precision: .f32, with: core, pinning: pinning)
    }
    func isPinned(_ model: OpenVINOCompiledModel) -> Bool {
      model.property("ENABLE_CPU_PINNING").map { ["YES", "true", "1"].contains($0) } ?? false
    }
    var models = [try compile(.latency), try compile(.throughput), try compile(.throughput)]
    #if os(Linux)
      #expect(models.map(isPinned) == [false, true, false])
      models.removeAll()
      models = [try compile(.throughput)]
      #expect(models.map(isPinned) == [true])
    #else
      #expect(models.map(isPinned) == [false, false, false])
    #endif
  }
}
