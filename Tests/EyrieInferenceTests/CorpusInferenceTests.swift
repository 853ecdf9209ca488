import Foundation
import Testing

@testable import EyrieInference

/// The models of the shared corpus, run: the right raw numbers come out.
@Suite(.enabled(if: Shared.hasCorpus, "\(Shared.skipped)"))
struct CorpusInferenceTests {
  private func session(_ name: String, _ options: CompileOptions = exact) throws -> InferenceSession {
    try OpenVINOBackend.compile(try ModelPackage.load(CorpusTests.path(name)), options: options)
  }

  private static let exact: CompileOptions = {
    var options = CompileOptions()
    options.precision = .f32
    return options
  }()

  @Test func featuresFirst() async throws {
    let session = try session("std_1x84x8400.onnx")
    #expect(session.inputByteSize == 640 * 640 * 3)
    let lease = try await session.acquire()
    lease.fill(red: 0, green: 0, blue: 0)
    try await lease.infer()
    let boxes = try lease.withOutput { view in
      #expect(view.shape == [1, 84, 8400])
      #expect(view.elementType == .f32)
      return view.boxesOfFeaturesFirst()
    }
    print(boxes)
    #expect(!boxes.isEmpty)
  }
}

extension TensorView {
  /// `[centre x, centre y, width, height, best score, its class]` of every anchor with a score above 0.25.
  func boxesOfFeaturesFirst() -> [[Float]] {
    let values = bytes.bindMemory(to: Float.self)
    let (features, anchors) = (shape[1], shape[2])
    return (0..<anchors).compactMap { anchor in
      let scores = (4..<features).map { values[$0 * anchors + anchor] }
      guard let best = scores.max(), best > 0.25, let index = scores.firstIndex(of: best) else { return nil }
      return (0..<4).map { values[$0 * anchors + anchor] } + [best, Float(index)]
    }
  }
}
