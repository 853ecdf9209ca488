import EyrieGraph
import EyrieInference

/// A detector whose model was read and found fit, and not compiled yet.
struct LoadedDetector: Sendable {
  let plan: DetectorPlan
  let proof: ModelProof
  let setup: DetectorSetup

  /// Reads the model.
  /// - Throws: `EyrieFailure` of kind usage when it is no detector, or a setting does not fit it.
  init(_ plan: DetectorPlan, by backend: ModelBackend) async throws(EyrieFailure) {
    self.plan = plan
    do throws(ModelError) {
      proof = try await withBlockingThread(named: "model") { () throws(ModelError) in
        try ModelProof(plan.model, expecting: .detect, by: backend)
      }
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
    setup = try DetectorSetup(model: proof.model, plan: plan)
  }

  /// Compiles the model, and proves it: nothing is published of one that does not give what it should.
  func compile(by backend: ModelBackend) async throws(EyrieFailure) -> RunningDetector {
    do throws(ModelError) {
      let session = try await proof.session(by: backend, options: plan.compile)
      return RunningDetector(plan: plan, setup: setup, session: session)
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
  }
}

/// A detector that is ready to run.
struct RunningDetector: Sendable {
  let plan: DetectorPlan
  let setup: DetectorSetup
  let session: InferenceSession
}
