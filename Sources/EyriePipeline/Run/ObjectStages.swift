import EyrieVision

/// A stage behind detectors of which the model, if it has one, was read and found fit, and not compiled yet.
struct LoadedObjectStage: Sendable {
  private enum Work: Sendable {
    case track(TrackerSettings)
    case look(LoadedCropModel)
  }

  let plan: ObjectStagePlan
  private let work: Work

  /// - Throws: `EyrieFailure` of kind usage when its model is not for the purpose.
  init(_ plan: ObjectStagePlan, by backend: ModelBackend) async throws(EyrieFailure) {
    self.plan = plan
    switch plan.work {
    case .track(let settings): work = .track(settings)
    case .look(let model): work = .look(try await LoadedCropModel(model, by: backend))
    }
  }

  /// What looks at objects; nil where nothing does.
  var model: LoadedCropModel? {
    if case .look(let model) = work { model } else { nil }
  }

  /// Compiles its model, and proves it.
  /// - Parameter incidents: takes what goes wrong with crops.
  func compile(by backend: ModelBackend, incidents: IncidentLog) async throws(EyrieFailure)
    -> RunningObjectStage
  {
    switch work {
    case .track(let settings): return RunningObjectStage(plan: plan, work: .track(settings))
    case .look(let loaded):
      let model = try await loaded.compile(by: backend)
      let batcher = CropBatcher(
        session: model.session, head: model.head, batchTimeout: model.plan.batchTimeout
      ) { [name = plan.name] reason, message in
        incidents.record(stage: name, reason: reason, message: message)
      }
      return RunningObjectStage(plan: plan, work: .look(model, batcher))
    }
  }
}

/// A stage behind detectors that is ready to run.
struct RunningObjectStage: Sendable {
  enum Work: Sendable {
    case track(TrackerSettings)
    case look(RunningCropModel, CropBatcher)
  }

  let plan: ObjectStagePlan
  let work: Work

  /// What looks at objects; nil where nothing does.
  var model: RunningCropModel? {
    if case .look(let model, _) = work { model } else { nil }
  }

  /// What gathers its crops; nil where it has none.
  var batcher: CropBatcher? {
    if case .look(_, let batcher) = work { batcher } else { nil }
  }
}
