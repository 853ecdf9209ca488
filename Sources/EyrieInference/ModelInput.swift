/// What a model takes: one picture of three channels.
public struct ModelInput: Sendable, Codable, Equatable {
  /// The name of the input tensor.
  public var name: String
  /// In pixels. Of a model with dynamic size, the size it is run at unless another is asked for.
  public var width: Int
  /// In pixels.
  public var height: Int
  /// The channel order the model was trained with. Hosts always hand over RGB: the backend swaps.
  public var channelOrder: ChannelOrder
  /// The order of the axes in the model file. Hosts always hand over NHWC: the backend transposes.
  public var layout: InputLayout
  /// The element type in the model file. Hosts always hand over bytes: the backend converts.
  public var elementType: ElementType
  /// How a picture is brought to ``width`` × ``height``.
  public var resize: ResizeMode
  /// How pixels are filtered when a picture is resized; `nil` where the package leaves it to the host.
  public var interpolation: Interpolation?
  /// The value (0…255, all channels) around a letterboxed picture. Ultralytics: 114.
  public var padValue: Int
  /// See ``scale``. One value a channel, in the model's channel order.
  public var mean: [Double]
  /// See ``scale``. One value a channel, in the model's channel order; never 0.
  public var std: [Double]
  /// What the model is fed for a byte: `(byte × scale − mean) ÷ std`. 1/255 for a YOLO model, 1 for
  /// a model that takes bytes as they are.
  public var scale: Double
  /// Whether the model itself normalises: then it is fed bytes 0…255 as they are, whatever
  /// ``scale``, ``mean`` and ``std`` say.
  public var embeddedPreprocessing: Bool
  /// Whether the model runs at other sizes than ``width`` × ``height``.
  public var dynamicSpatial: Bool
  /// Width and height must be multiples of this many pixels.
  public var stride: Int
  /// Whether the model takes any number of pictures at once. It is run with one unless more are asked for
  /// (``CompileOptions/batch``).
  public var dynamicBatch: Bool
  /// The number of pictures in the file's own input shape; 1 when it is dynamic.
  public var batch: Int

  /// Describes an input; the defaults are those of a YOLO detector.
  public init(
    name: String, width: Int, height: Int, channelOrder: ChannelOrder = .rgb, layout: InputLayout = .nchw,
    elementType: ElementType = .f32, resize: ResizeMode = .letterbox, interpolation: Interpolation? = nil,
    padValue: Int = 114,
    mean: [Double] = [0, 0, 0], std: [Double] = [1, 1, 1], scale: Double = 1 / 255,
    embeddedPreprocessing: Bool = false, dynamicSpatial: Bool = false, stride: Int = 32,
    dynamicBatch: Bool = false, batch: Int = 1
  ) {
    self.name = name
    self.width = width
    self.height = height
    self.channelOrder = channelOrder
    self.layout = layout
    self.elementType = elementType
    self.resize = resize
    self.interpolation = interpolation
    self.padValue = padValue
    self.mean = mean
    self.std = std
    self.scale = scale
    self.embeddedPreprocessing = embeddedPreprocessing
    self.dynamicSpatial = dynamicSpatial
    self.stride = stride
    self.dynamicBatch = dynamicBatch
    self.batch = batch
  }

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
    case dynamicBatch = "dynamic_batch"
    case batch
  }
}
