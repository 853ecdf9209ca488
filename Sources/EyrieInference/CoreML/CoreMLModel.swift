#if canImport(CoreML)
  import CoreML
  import CoreVideo
  import Dispatch
  import Foundation

  /// A model as Core ML compiled it (`.mlmodelc`), in a directory that is removed with the last reference.
  final class CompiledCoreMLModel: Sendable {
    let url: URL
    let path: String
    private let isTemporary: Bool

    /// - Parameter path: an `.mlpackage` or `.mlmodel`, or an `.mlmodelc`, which is compiled already.
    init(_ path: String) async throws(ModelError) {
      let source = URL(fileURLWithPath: path)
      self.path = path
      isTemporary = source.pathExtension.lowercased() != "mlmodelc"
      guard isTemporary else {
        url = source
        return
      }
      do {
        url = try await MLModel.compileModel(at: source)
      } catch {
        throw ModelError(.corrupt, path, "Core ML cannot compile the model: \(error.localizedDescription)")
      }
    }

    deinit {
      if isTemporary { try? FileManager.default.removeItem(at: url) }
    }
  }

  /// A loaded model with the picture it takes.
  ///
  /// `@unchecked Sendable` because its request is lent to one owner at a time, and the model and the picture are
  /// touched by that owner alone: he waits while the queue works.
  final class CoreMLModel: NamedOutputModel, @unchecked Sendable {
    private let compiled: CompiledCoreMLModel
    private let description: ModelDescription
    private let model: MLModel
    private let picture: CVPixelBuffer
    private let queue = DispatchQueue(label: "inference")

    init(
      _ compiled: CompiledCoreMLModel, description: ModelDescription,
      computeUnits: CoreMLSettings.ComputeUnits
    ) throws(ModelError) {
      let configuration = MLModelConfiguration()
      configuration.computeUnits =
        switch computeUnits {
        case .all: .all
        case .cpuAndGPU: .cpuAndGPU
        case .cpuOnly: .cpuOnly
        case .cpuAndNeuralEngine: .cpuAndNeuralEngine
        }
      let model: MLModel
      do {
        model = try MLModel(contentsOf: compiled.url, configuration: configuration)
      } catch {
        throw ModelError(
          .backend, compiled.path, "Core ML cannot load the model: \(error.localizedDescription)")
      }
      try Self.check(model, description)
      self.compiled = compiled
      self.description = description
      self.model = model
      picture = try Self.makePicture(description)
    }

    private static func check(_ model: MLModel, _ description: ModelDescription) throws(ModelError) {
      let inputs = model.modelDescription.inputDescriptionsByName
      guard let input = inputs[description.input.name], input.type == .image,
        let picture = input.imageConstraint, picture.pixelsWide == description.input.width,
        picture.pixelsHigh == description.input.height
      else {
        throw ModelError(
          .unsupportedModel, description.path,
          "takes \(inputs.keys.sorted().joined(separator: ", ")), and no image \(description.input.name) of "
            + "\(description.input.width)×\(description.input.height) pixels, as its metadata says")
      }
      let outputs = model.modelDescription.outputDescriptionsByName
      for name in description.output.names where outputs[name]?.type != .multiArray {
        throw ModelError(
          .unsupportedModel, description.path,
          "gives \(outputs.keys.sorted().joined(separator: ", ")), and no tensor \(name), as its metadata says"
        )
      }
    }

    private static func makePicture(_ description: ModelDescription) throws(ModelError) -> CVPixelBuffer {
      // Backed by an IOSurface, the picture is handed to the GPU and the Neural Engine without a copy.
      let attributes = [kCVPixelBufferIOSurfacePropertiesKey as String: [String: Any]()]
      var buffer: CVPixelBuffer?
      let status = CVPixelBufferCreate(
        kCFAllocatorDefault, description.input.width, description.input.height, kCVPixelFormatType_32BGRA,
        attributes as CFDictionary, &buffer)
      guard status == kCVReturnSuccess, let buffer else {
        throw ModelError(.backend, description.path, "Core Video cannot make an input picture: \(status)")
      }
      return buffer
    }

    func predict(
      _ picture: UnsafeRawBufferPointer
    ) async throws(InferenceError) -> [String: DenseTensor] {
      try write(picture)
      let result: Result<[String: DenseTensor], InferenceError> = await withCheckedContinuation {
        continuation in
        queue.async {
          continuation.resume(returning: Result { () throws(InferenceError) in try self.run() })
        }
      }
      return try result.get()
    }

    private func write(_ rgb: UnsafeRawBufferPointer) throws(InferenceError) {
      guard CVPixelBufferLockBaseAddress(picture, []) == kCVReturnSuccess else {
        throw InferenceError("\(description.path): the input picture cannot be written")
      }
      defer { CVPixelBufferUnlockBaseAddress(picture, []) }
      let (height, bytesPerRow) = (description.input.height, CVPixelBufferGetBytesPerRow(picture))
      let target = UnsafeMutableRawBufferPointer(
        start: CVPixelBufferGetBaseAddress(picture), count: height * bytesPerRow)
      guard
        PixelPacking.bgra(
          rgb, width: description.input.width, height: height, into: target, bytesPerRow: bytesPerRow)
      else { throw InferenceError("\(description.path): the input picture cannot be written") }
    }

    /// Blocks until Core ML has finished.
    private func run() throws(InferenceError) -> [String: DenseTensor] {
      var tensors: [String: DenseTensor] = [:]
      do {
        let input = try MLDictionaryFeatureProvider(
          dictionary: [description.input.name: MLFeatureValue(pixelBuffer: picture)])
        let result = try model.prediction(from: input)
        for name in description.output.names {
          guard let array = result.featureValue(for: name)?.multiArrayValue else { continue }
          tensors[name] = try Self.tensor(array)
        }
      } catch {
        throw InferenceError("\(description.path): inference failed: \(error.localizedDescription)")
      }
      return tensors
    }

    private static func tensor(_ array: MLMultiArray) throws -> DenseTensor {
      let type: ElementType =
        switch array.dataType {
        case .double: .f64
        case .float32: .f32
        case .float16: .f16
        case .int32: .i32
        default: .other
        }
      return try array.withUnsafeBytes { bytes in
        try DenseTensor(
          type, shape: array.shape.map(\.intValue), strides: array.strides.map(\.intValue), copying: bytes)
      }
    }
  }
#endif
