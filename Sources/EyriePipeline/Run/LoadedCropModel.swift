import EyrieGraph
import EyrieInference
import EyrieMedia

/// A classifier or an embedding model that was read and found fit, and not compiled yet.
struct LoadedCropModel: Sendable {
  let plan: CropModelPlan
  let proof: ModelProof
  private let head: CropHead
  private let target: CropTarget

  /// Reads the model.
  /// - Throws: `EyrieFailure` of kind usage when it is not for this purpose, or a setting does not fit it.
  init(_ plan: CropModelPlan, by backend: ModelBackend) async throws(EyrieFailure) {
    self.plan = plan
    let texts: TextEmbeddings?
    do throws(ModelError) {
      (proof, texts) = try await withBlockingThread(named: "model") { () throws(ModelError) in
        // A classifier may be an embedding model with texts: what is expected shows only in the description.
        let expected: ModelTask? = if case .embed = plan.purpose { .embed } else { nil }
        let proof = try ModelProof(plan.model, expecting: expected, by: backend)
        return (proof, try TextEmbeddings.load(for: proof.model))
      }
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
    head = try CropHead(proof.model, texts: texts, plan: plan)
    target = CropTarget(proof.model.input)
  }

  /// Refuses labels that no detector in front of it has.
  /// - Throws: `EyrieFailure` of kind usage.
  func checkLabels(of detectors: [LoadedDetector]) throws(EyrieFailure) {
    let known = detectors.map(\.setup.identity.labels)
    for label in plan.on ?? [] where known.allSatisfy({ $0.indices(of: label).isEmpty }) {
      let hint = known.lazy.compactMap { $0.nearest(to: label) }.first.map { "; did you mean '\($0)'?" } ?? ""
      let key = YAMLTree.path(YAMLTree.path("stages", plan.name), "on")
      throw EyrieFailure(.usage, "\(key): the detector has no class '\(label)'\(hint)")
    }
  }

  /// Compiles the model, and proves it.
  func compile(by backend: ModelBackend) async throws(EyrieFailure) -> RunningCropModel {
    do throws(ModelError) {
      let session = try await proof.session(by: backend, options: plan.compile)
      return RunningCropModel(plan: plan, head: head, target: target, session: session)
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }
}

/// A classifier or an embedding model that is ready to run.
struct RunningCropModel: Sendable {
  let plan: CropModelPlan
  let head: CropHead
  /// The picture that it takes.
  let target: CropTarget
  let session: InferenceSession
}

extension CropTarget {
  /// How a crop is brought to the input of a model, as its metadata says.
  init(_ input: ModelInput) {
    let fit: Fit =
      switch input.resize {
      case .stretch: .stretch
      case .letterbox: .letterbox
      case .centerCrop: .centerCrop
      }
    self.init(
      width: input.width, height: input.height, fit: fit,
      filter: input.interpolation == .bicubic ? .bicubic : .bilinear, padding: UInt8(clamping: input.padValue)
    )
  }
}
