import Foundation

/// `conversion_metadata.json`, schema `eyrie.model/1`. Keys that are not listed here are ignored.
struct PackageMetadata: Decodable {
  static let fileName = "conversion_metadata.json"
  static let schema = "eyrie.model/1"
  /// Real ones have some kilobytes; with a thousand labels some tens.
  private static let maximumByteCount = 8 << 20

  var schema: String
  var name: String?
  var task: Spelled<ModelTask>
  var format: Spelled<ModelFormat>
  var precision: Spelled<ModelPrecision>?
  var files: OneOrMany<File>?
  var source: ModelSource?
  var input: Input?
  var output: Output?
  var nms: Suppression?
  var validation: Validation?
  var benchmark: JSONValue?
  var coreml: CoreML?
  var createdAt: Lenient<String>?
  var tools: JSONValue?

  enum CodingKeys: String, CodingKey {
    case schema, name, task, format, precision, files, source, input, output, nms, validation, benchmark,
      coreml
    case createdAt = "created_at"
    case tools
  }

  struct File: Decodable {
    var path: String
    var sha256: String?
  }

  struct Input: Decodable {
    var name: String?
    var width: WholeNumber?
    var height: WholeNumber?
    var channelOrder: Spelled<ChannelOrder>?
    var layout: Spelled<InputLayout>?
    var elementType: Spelled<ElementType>?
    var resize: Spelled<ResizeMode>?
    var interpolation: Spelled<Interpolation>?
    var padValue: Double?
    var mean: OneOrMany<Double>?
    var std: OneOrMany<Double>?
    var scale: Double?
    var embeddedPreprocessing: Bool?
    var dynamicSpatial: Bool?
    var stride: WholeNumber?

    enum CodingKeys: String, CodingKey {
      case name, width, height
      case channelOrder = "channel_order"
      case layout
      case elementType = "element_type"
      case resize, interpolation
      case padValue = "pad_value"
      case mean, std, scale
      case embeddedPreprocessing = "embedded_preprocessing"
      case dynamicSpatial = "dynamic_spatial"
      case stride
    }
  }

  struct Output: Decodable {
    var kind: Spelled<OutputKind>?
    var names: [String]?
    var labels: Labels?
    var dimension: WholeNumber?
    var normalized: Bool?
    var topK: WholeNumber?
    var layout: Spelled<DetectionLayout>?
    var objectness: Bool?
    var zeroShot: ZeroShot?

    enum CodingKeys: String, CodingKey {
      case kind, names, labels, dimension, normalized
      case topK = "top_k"
      case layout, objectness
      case zeroShot = "zero_shot"
    }
  }

  struct ZeroShot: Decodable {
    var labels: Labels
    var embeddings: String
    var logitScale: Double
    var prompts: Lenient<[String]>?

    enum CodingKeys: String, CodingKey {
      case labels, embeddings
      case logitScale = "logit_scale"
      case prompts
    }
  }

  struct Suppression: Decodable {
    var embedded: Bool?
    var confidence: Double?
    var iou: Double?
    var classAgnostic: Bool?
    var maxDetections: WholeNumber?

    enum CodingKeys: String, CodingKey {
      case embedded, confidence, iou
      case classAgnostic = "class_agnostic"
      case maxDetections = "max_detections"
    }
  }

  /// Only `passed` and `golden` decide anything; the rest is passed on.
  struct Validation: Decodable {
    var reference: Lenient<String>?
    var inputs: JSONValue?
    var maxAbsError: JSONValue?
    var agreement: JSONValue?
    var passed: Bool?
    var golden: String?

    enum CodingKeys: String, CodingKey {
      case reference, inputs
      case maxAbsError = "max_abs_error"
      case agreement, passed, golden
    }
  }

  struct CoreML: Decodable {
    var computeUnits: Spelled<CoreMLSettings.ComputeUnits>?
    var minimumDeploymentTarget: Lenient<String>?
    var aneOptimized: Bool?
    var aneReport: JSONValue?

    enum CodingKeys: String, CodingKey {
      case computeUnits = "compute_units"
      case minimumDeploymentTarget = "minimum_deployment_target"
      case aneOptimized = "ane_optimized"
      case aneReport = "ane_report"
    }
  }

  /// Reads and checks the file.
  static func read(_ path: String) throws(ModelError) -> PackageMetadata {
    if let size = fileSize(path), size > maximumByteCount {
      throw ModelError(.invalidMetadata, path, "is too large for model metadata (\(size) bytes)")
    }
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw ModelError(.unreadable, path, "cannot be read: \(reason(of: error))")
    }
    do {
      // The schema first: a later one may differ in everything else.
      let stated = try JSONDecoder().decode(SchemaOnly.self, from: data).schema
      guard stated == schema else {
        throw ModelError(
          .invalidMetadata, path, "schema is \"\(stated)\", and this version reads \"\(schema)\"")
      }
      let metadata = try JSONDecoder().decode(PackageMetadata.self, from: data)
      try metadata.check(path)
      return metadata
    } catch let error as ModelError {
      throw error
    } catch {
      throw ModelError(.invalidMetadata, path, reason(ofDecoding: error))
    }
  }

  private struct SchemaOnly: Decodable {
    var schema: String
  }
}
