extension PackageMetadata {
  /// Checks what types cannot say.
  /// - Throws: ``ModelError`` that names the key.
  func check(_ path: String) throws(ModelError) {
    func fail(_ key: String, _ reason: String) throws(ModelError) -> Never {
      throw ModelError(.invalidMetadata, path, "\(key) \(reason)")
    }
    for (key, value) in [("input.width", input?.width?.value), ("input.height", input?.height?.value)] {
      guard let value else { continue }
      guard (1...ExportMetadata.maximumSide).contains(value) else {
        try fail(key, "is \(value), not a number of pixels from 1 to \(ExportMetadata.maximumSide)")
      }
    }
    if let stride = input?.stride?.value, !(1...1024).contains(stride) {
      try fail("input.stride", "is \(stride), not a number of pixels from 1 to 1024")
    }
    if let pad = input?.padValue, !(0...255).contains(pad) {
      try fail("input.pad_value", "is \(pad), not a byte from 0 to 255")
    }
    if let scale = input?.scale, !(scale > 0 && scale <= 1) {
      try fail(
        "input.scale",
        "is \(scale), not a factor above 0 and up to 1: bytes are multiplied by it "
          + "(1/255 = 0.00392156862745098 brings them to 0…1)")
    }
    for (key, values) in [("input.mean", input?.mean), ("input.std", input?.std)] {
      guard let values = values?.items else { continue }
      guard values.count == 1 || values.count == 3 else {
        try fail(key, "has \(values.count) values, not one or three")
      }
      if key == "input.std", values.contains(0) { try fail(key, "has a zero, and it is divided by") }
    }
    let most = ExportMetadata.maximumClassCount
    if let dimension = output?.dimension?.value, !(1...most).contains(dimension) {
      try fail("output.dimension", "is \(dimension), not a length from 1 to \(most)")
    }
    for (key, value) in [("nms.confidence", nms?.confidence), ("nms.iou", nms?.iou)] {
      if let value, !(0...1).contains(value) { try fail(key, "is \(value), not a number from 0 to 1") }
    }
    if let most = nms?.maxDetections?.value, most < 1 {
      try fail("nms.max_detections", "is \(most), not at least 1")
    }
    for file in files?.items ?? [] where !Self.staysInside(file.path) {
      try fail("files.path", "\"\(file.path)\" does not stay inside the package")
    }
    if let golden = validation?.golden, !Self.staysInside(golden) {
      try fail("validation.golden", "\"\(golden)\" does not stay inside the package")
    }
    try checkKind(fail)
    try checkZeroShot(fail)
  }

  private func checkZeroShot(_ fail: (String, String) throws(ModelError) -> Never) throws(ModelError) {
    guard let zeroShot = output?.zeroShot else { return }
    if task.value != .embed {
      try fail("output.zero_shot", "does not go with task \"\(task.value.rawValue)\"")
    }
    let (count, most) = (zeroShot.labels.names.count, ExportMetadata.maximumClassCount)
    if !(1...most).contains(count) {
      try fail("output.zero_shot.labels", "has \(count) names, not 1 to \(most)")
    }
    if !Self.staysInside(zeroShot.embeddings) {
      try fail(
        "output.zero_shot.embeddings", "\"\(zeroShot.embeddings)\" does not stay inside the package")
    }
    let scale = zeroShot.logitScale
    if !(scale > 0 && scale <= 1000) {
      try fail("output.zero_shot.logit_scale", "is \(scale), not a factor above 0 and up to 1000")
    }
  }

  private static func staysInside(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return !path.isEmpty && !path.hasPrefix("/") && !parts.contains("..")
  }

  private func checkKind(_ fail: (String, String) throws(ModelError) -> Never) throws(ModelError) {
    guard let kind = output?.kind?.value else { return }
    let belongs: ModelTask =
      switch kind {
      case .yoloGrid, .yoloEndToEnd: .detect
      case .logits, .probabilities, .topK: .classify
      case .embedding: .embed
      }
    if belongs != task.value {
      try fail(
        "output.kind", "is \"\(kind.rawValue)\", which does not go with task \"\(task.value.rawValue)\"")
    }
  }
}
