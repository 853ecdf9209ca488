import CAllocationCounter
import EyrieEvents
import EyrieGraph
import EyrieMedia
import EyrieVision

/// Counts the heap allocations of parts that say that they allocate nothing once they are in their stride.
struct PartAllocations {
  struct Outcome {
    let name: String
    /// Of Eyrie's code, a call.
    let own: Double
    /// Of the libraries that it calls, a call.
    let libraries: Double
    let functions: [String]
  }

  private static let warmUp = 50
  private static let calls = 400

  static func run() throws -> [Outcome] {
    var outcomes: [Outcome] = []
    let busy = try BusyFrame()
    for element in TensorElement.allCases {
      let tensor = busy.bytes(element)
      var decoder = DetectionDecoder(settings: busy.settings)
      var result = DetectionResult(detections: [], drops: DetectionDrops())
      outcomes.append(
        try count("head and suppression, \(element.rawValue)") { _ in
          try decoder.decode(
            tensor.span.bytes, element: element, head: busy.head, transform: busy.transform, into: &result)
        })
    }
    outcomes.append(try encoding(busy))
    var histogram = LatencyHistogram()
    outcomes.append(try count("latency histogram") { histogram.record(nanoseconds: UInt64($0) * 977_000) })
    let reader = try VideoReader(MediaInput("testsrc:640x360"))
    guard let frame = try reader.nextFrame() else { throw MeasureError("testsrc: no frame") }
    outcomes.append(try scaling(frame))
    outcomes += try cropping(frame)
    return outcomes
  }

  private static func encoding(_ busy: BusyFrame) throws -> Outcome {
    var encoder = EventEncoder()
    let lines = try JSONLinesWriter(path: "/dev/null", flushInterval: .seconds(3_600))
    let event = Event.detections(try busy.event())
    return try count("event of 100 objects to a file") { _ in try lines.write(encoder.encode(event)) }
  }

  private static func scaling(_ frame: VideoFrame) throws -> Outcome {
    let scaler = FrameScaler()
    let target = ScaleTarget(
      canvasWidth: 320, canvasHeight: 320, x: 0, y: 70, width: 320, height: 180, pixelOrder: .rgb,
      padding: 114)
    let canvas = UnsafeMutableRawBufferPointer.allocate(byteCount: target.byteCount, alignment: 64)
    defer { canvas.deallocate() }
    return try count("scaling into a tensor") { _ in try scaler.scale(frame, into: canvas, target: target) }
  }

  private static func cropping(_ frame: VideoFrame) throws -> [Outcome] {
    let sampler = CropSampler()
    let target = CropTarget(width: 224, height: 224)
    let pixels = UnsafeMutableRawBufferPointer.allocate(byteCount: target.byteCount, alignment: 64)
    defer { pixels.deallocate() }
    // The largest comes first, as the buffers grow with what they have seen.
    func region(_ index: Int) -> CropRegion {
      CropRegion(
        x: Double(index % 97), y: Double(index % 53), width: 400 - Double(index % 301),
        height: 280 - Double(index % 211))
    }
    return [
      try count("crop of a box") { index in
        try sampler.sample(frame, region: region(index), into: pixels, target: target)
      },
      try count("sharpness of a box") { index in _ = frame.sharpness(of: region(index)) },
    ]
  }

  private static func count(_ name: String, _ body: (Int) throws -> Void) throws -> Outcome {
    for index in 0..<warmUp { try body(index) }
    allocation_recording_begin(Int32(ALLOCATION_DEPTH))
    for index in 0..<calls { try body(index) }
    allocation_recording_end()
    let sites = AllocationSite.recorded()
    func perCall(_ isOwn: Bool) -> Double {
      Double(sites.filter { $0.isOwn == isOwn }.reduce(0) { $0 + $1.count }) / Double(calls)
    }
    return Outcome(
      name: name, own: perCall(true), libraries: perCall(false),
      functions: sites.first(where: \.isOwn)?.functions ?? [])
  }
}
