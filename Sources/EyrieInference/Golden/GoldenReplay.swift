extension Golden {
  /// Runs a session on the input, once, and compares what comes out. The request is given back with an input
  /// that the next owner overwrites. Where the session takes several pictures, it is the second of two: so a
  /// model that mixes up its rows does not pass.
  ///
  /// - Parameter session: made from the model the golden file belongs to, at an input of ``width`` × ``height``.
  /// - Returns: the differences, also where they are too large.
  /// - Throws: ``ModelError`` when nothing can be compared: another size, an arithmetic for which the file has no
  ///   tolerance, an inference that fails.
  public func replay(on session: InferenceSession) async throws(ModelError) -> GoldenReport {
    guard session.inputWidth == width, session.inputHeight == height else {
      throw ModelError(
        .invalidOption, path,
        "was made at \(width)×\(height), and the model runs at \(session.inputWidth)×\(session.inputHeight)")
    }
    guard let tolerance = tolerances[session.executedPrecision] else {
      throw ModelError(
        .noGolden, path, "states no tolerance for \(session.executedPrecision.rawValue)")
    }
    let comparisons: [GoldenReport.Comparison]
    do {
      let request = try await session.acquire()
      let place = session.batch > 1 ? 1 : 0
      request.withInput { fill($0, place: place, padding: UInt8(clamping: session.model.input.padValue)) }
      try await request.infer(count: place + 1)
      comparisons = try GoldenComparison(model: session.model, tolerance: tolerance)
        .compare(expected) { index, body in
          try request.withOutput(index) { view in
            // A single picture's output need not have an axis for pictures.
            try body(session.batch > 1 ? view.row(place) ?? view : view)
          }
        }
    } catch {
      throw ModelError(.backend, session.model.path, "the golden input cannot be run: \(error)")
    }
    return GoldenReport(
      precision: session.executedPrecision, device: session.deviceName, comparisons: comparisons)
  }

  /// The refusal of a model for what a report says; `nil` when it passed.
  public func refusal(_ report: GoldenReport, of model: ModelDescription) -> ModelError? {
    guard let failure = report.failure else { return nil }
    let package = model.packageDirectory ?? model.path
    return ModelError(
      .failedGolden, path,
      "the model does not give the results it was packed with, \(failure): the package is damaged or its metadata "
        + "is wrong; convert it again, or see 'eyrie model check \(package)'")
  }

  private func fill(_ input: UnsafeMutableRawBufferPointer, place: Int, padding: UInt8) {
    input.initializeMemory(as: UInt8.self, repeating: padding)
    picture.bytes.withUnsafeBytes { bytes in
      for row in 0..<picture.height {
        let source = UnsafeRawBufferPointer(
          rebasing: bytes[(row * picture.width * 3)..<((row + 1) * picture.width * 3)])
        let start = (place * height + row) * width * 3
        guard start + source.count <= input.count else { return }
        UnsafeMutableRawBufferPointer(rebasing: input[start..<start + source.count]).copyMemory(from: source)
      }
    }
  }
}
