import Foundation
import Testing

@testable import EyrieMedia

/// Crops against Pillow itself, which set-up installs for the converters.
@Suite struct CropPillowTests {
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let python = root.appendingPathComponent(".cache/venv/bin/python").path
  static let media = Shared.directory.appendingPathComponent("media").path
  static let hasPillow = FileManager.default.isExecutableFile(atPath: python)

  /// Reads packed RGB, and for each line of arguments writes the crop: fit, filter, size, box.
  ///
  /// The fits are those of Ultralytics' letterbox and of CLIP's image processor, in Pillow's terms.
  private static let script = """
    import math, sys
    from PIL import Image
    source, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    picture = Image.frombytes("RGB", (width, height), open(source, "rb").read())
    for case in sys.argv[4:]:
        fit, name, w, h, *box = case.split(",")
        w, h, (left, top, right, bottom) = int(w), int(h), map(float, box)
        kernel = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}[name]
        outer = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
        crop = picture.crop(outer)
        inner = (left - outer[0], top - outer[1], right - outer[0], bottom - outer[1])
        across, down = right - left, bottom - top
        if fit == "stretch":
            result = crop.resize((w, h), kernel, box=inner)
        elif fit == "letterbox":
            gain = min(w / across, h / down)
            size = max(round(across * gain), 1), max(round(down * gain), 1)
            result = Image.new("RGB", (w, h), (114, 114, 114))
            result.paste(crop.resize(size, kernel, box=inner), ((w - size[0]) // 2, (h - size[1]) // 2))
        else:
            size = (w, int(w * down / across)) if across <= down else (int(h * across / down), h)
            x, y = (size[0] - w) // 2, (size[1] - h) // 2
            result = crop.resize(size, kernel, box=inner).crop((x, y, x + w, y + h))
        sys.stdout.buffer.write(result.tobytes())
    """

  struct Input: Sendable, CustomTestStringConvertible {
    /// A file in the shared media; generated where there is none.
    var file: String?
    var size = "640x360"
    var format = "yuv420p"

    var testDescription: String { file ?? "\(size) \(format)" }
  }

  static let inputs =
    [
      Input(), Input(size: "641x361"), Input(format: "nv12"),
      Input(format: "yuv420p10le"),
      Input(format: "rgb24"), Input(size: "1280x720", format: "yuv422p"),
    ]
    + ["car-detection.mp4", "one-by-one-person-detection.mp4", "bottle-detection.mp4"]
    .filter { FileManager.default.fileExists(atPath: media + "/" + $0) }.map { Input(file: $0) }

  @Test(.enabled(if: hasPillow, "no Python with Pillow in .cache/venv: run scripts/setup"), arguments: inputs)
  func cropsEqualPillows(_ input: Input) throws {
    let scratch = try Scratch()
    let path =
      try input.file.map { Self.media + "/" + $0 } ?? CropClip.make(scratch, input.size, input.format)
    let frame = try CropClip.firstFrame(path)
    let picture = try CropClip.rgb(path, frame)
    let raw = scratch.path("picture.rgb")
    try Data(picture.pixels).write(to: URL(fileURLWithPath: raw))
    let (w, h) = (Double(frame.width), Double(frame.height))
    let regions = [
      CropRegion(x: 0, y: 0, width: w, height: h), CropRegion(x: 100, y: 50, width: 96, height: 223),
      CropRegion(x: w * 0.3, y: h * 0.11, width: w * 0.21, height: h * 0.43),
      CropRegion(x: w - 60.7, y: h - 41, width: 60.7, height: 41),
      CropRegion(x: 200, y: 100, width: 1, height: 1),
    ]
    var cases: [(region: CropRegion, target: CropTarget)] = []
    for region in regions {
      for filter in [CropTarget.Filter.bilinear, .bicubic] {
        // The fits differ where the region is not square.
        let fits = region.width == 96 ? [CropTarget.Fit.stretch, .letterbox, .centerCrop] : [.stretch]
        for fit in fits {
          cases.append((region, CropTarget(width: 224, height: 224, fit: fit, filter: filter)))
        }
      }
    }
    let arguments = cases.map { region, target in
      let box = [region.x, region.y, region.x + region.width, region.y + region.height]
      return "\(target.fit),\(target.filter),\(target.width),\(target.height),"
        + box.map { "\($0)" }.joined(separator: ",")
    }
    let output = [UInt8](
      try Tool.run(
        Self.python, ["-c", Self.script, raw, "\(picture.width)", "\(picture.height)"] + arguments))
    let sampler = CropSampler()
    let size = 224 * 224 * 3
    try #require(output.count == size * cases.count)
    for (index, (region, target)) in cases.enumerated() {
      let found = try sampler.rgb(frame, region, target)
      let mean = meanDifference(found, Array(output[(index * size)..<((index + 1) * size)]))
      #expect(mean < 1.25, "\(mean) from Pillow's: \(region) \(target.fit) \(target.filter)")
    }
  }
}
