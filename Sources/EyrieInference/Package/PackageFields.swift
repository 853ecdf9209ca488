import Foundation

extension ModelDescription {
  /// Takes over what a package says about itself and no model file does.
  mutating func take(_ package: PackageMetadata, in directory: String) {
    packageDirectory = directory
    validation = package.validation.map { stated in
      ModelValidation(
        reference: stated.reference?.value, inputs: stated.inputs, maxAbsError: stated.maxAbsError,
        agreement: stated.agreement, passed: stated.passed, golden: stated.golden)
    }
    coreml = package.coreml.map { stated in
      CoreMLSettings(
        computeUnits: stated.computeUnits?.value,
        minimumDeploymentTarget: stated.minimumDeploymentTarget?.value, aneOptimized: stated.aneOptimized,
        aneReport: stated.aneReport)
    }
    output.zeroShot = package.output?.zeroShot.map { stated in
      ZeroShotLabels(
        labels: stated.labels.names, embeddings: stated.embeddings, logitScale: stated.logitScale,
        prompts: stated.prompts?.value ?? [])
    }
    benchmark = package.benchmark
    createdAt = package.createdAt?.value
    tools = package.tools
  }
}

extension SuppressionSettings {
  init(_ stated: PackageMetadata.Suppression?, embedded: Bool) {
    self.init(
      embedded: embedded || stated?.embedded == true, confidence: stated?.confidence, iou: stated?.iou,
      classAgnostic: stated?.classAgnostic, maxDetections: stated?.maxDetections?.value)
  }
}

extension ModelLocation {
  /// The name for people and for events.
  var modelName: String {
    package?.name ?? ((path as NSString).lastPathComponent as NSString).deletingPathExtension
  }

  /// The files that the package lists, that of the model first; `nil` where it lists none.
  var listedFiles: [ModelFile]? {
    guard let listed = package?.files?.items, !listed.isEmpty else { return nil }
    let files = listed.map { ModelFile(path: $0.path, sha256: $0.sha256) }
    return files.filter { path.hasSuffix($0.path) } + files.filter { !path.hasSuffix($0.path) }
  }
}
