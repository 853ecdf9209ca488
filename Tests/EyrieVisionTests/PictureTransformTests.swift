import EyrieVision
import Testing

@Suite struct PictureTransformTests {
  @Test(.enabled(if: SharedCorpus.isPresent, "the shared corpus is not beside the package"))
  func everyLetterboxOfTheCorpus() throws {
    let cases = try SharedCorpus.read("letterbox_public.json", as: [LetterboxCase].self)
    #expect(cases.count == 80)
    for expected in cases {
      let transform = try PictureTransform(
        .letterbox, sourceWidth: expected.frameWh[0], sourceHeight: expected.frameWh[1],
        modelWidth: expected.modelWh[0], modelHeight: expected.modelWh[1])
      let size = "\(expected.frameWh) on \(expected.modelWh)"
      #expect(transform.scaleX == expected.gain && transform.scaleY == expected.gain, "\(size)")
      #expect([transform.content.width, transform.content.height] == expected.resizedWh, "\(size)")
      let padding = [
        transform.paddingLeft, transform.paddingTop, transform.paddingRight, transform.paddingBottom,
      ]
      #expect(padding == [expected.left, expected.top, expected.right, expected.bottom], "\(size)")
      let box = expected.example.modelBox
      let corners = [
        transform.sourcePoint(x: box[0], y: box[1]), transform.sourcePoint(x: box[2], y: box[3]),
      ]
      for (found, wanted) in zip(corners.flatMap { [$0.x, $0.y] }, expected.example.frameBox) {
        // The listed model box is rounded to four decimals.
        #expect(abs(found - wanted) <= 1e-4 / expected.gain + 1e-9, "\(size)")
      }
    }
  }

  /// (source, model, content, left, top), worked out with Python's round().
  @Test(arguments: [
    ([1920, 1080], [640, 640], [640, 360], 0, 140),
    ([333, 217], [640, 640], [640, 417], 0, 111),
    ([3000, 2], [640, 640], [640, 1], 0, 319),
    ([1600, 2128], [640, 640], [481, 640], 79, 0),
    // 640 * 0.5 = 320 by 0.5: half to even gives 0, raised to 1.
    ([1280, 1], [640, 640], [640, 1], 0, 319),
    // 5 * 0.5 = 2.5 goes to 2, 7 * 0.5 = 3.5 to 4.
    ([1280, 5], [640, 640], [640, 2], 0, 319),
    ([1280, 7], [640, 640], [640, 4], 0, 318),
    ([1280, 720], [640, 384], [640, 360], 0, 12),
  ])
  func letterbox(source: [Int], model: [Int], content: [Int], left: Int, top: Int) throws {
    let transform = try PictureTransform(
      .letterbox, sourceWidth: source[0], sourceHeight: source[1], modelWidth: model[0], modelHeight: model[1]
    )
    #expect(transform.content == PixelRectangle(x: left, y: top, width: content[0], height: content[1]))
    #expect(transform.paddingRight + transform.paddingLeft + content[0] == model[0])
    #expect(transform.paddingBottom + transform.paddingTop + content[1] == model[1])
    #expect(transform.paddingRight - transform.paddingLeft == 0 || transform.paddingRight - left == 1)
  }

  @Test func stretchScalesEachSide() throws {
    let transform = try PictureTransform(
      .stretch, sourceWidth: 1920, sourceHeight: 1080, modelWidth: 640, modelHeight: 640)
    #expect(transform.content == PixelRectangle(x: 0, y: 0, width: 640, height: 640))
    let box = Box(x: 960, y: 540, width: 480, height: 270)
    #expect(transform.modelBox(box) == Box(x: 320, y: 320, width: 160, height: 160))
    #expect(transform.sourceBox(transform.modelBox(box)) == box)
  }

  @Test(arguments: [
    [1, 1], [1920, 16], [16, 1920], [16384, 1], [1, 16384], [3775, 1571], [1 << 24, 1 << 24],
  ])
  func extremeSizesRoundTrip(size: [Int]) throws {
    for mode in ResizeMode.allCases {
      for model in [[640, 640], [640, 384], [1, 1], [1 << 24, 1]] {
        let transform = try PictureTransform(
          mode, sourceWidth: size[0], sourceHeight: size[1], modelWidth: model[0], modelHeight: model[1])
        let content = transform.content
        #expect(content.width >= 1 && content.height >= 1 && content.x >= 0 && content.y >= 0)
        #expect(transform.paddingRight >= 0 && transform.paddingBottom >= 0)
        let whole = Box(x: 0, y: 0, width: Float(size[0]), height: Float(size[1]))
        let back = try #require(transform.sourceBox(transform.modelBox(whole)))
        #expect(back.intersectionOverUnion(whole) > 0.99)
      }
    }
  }

  @Test(arguments: [[0, 10], [10, 0], [-1, 10], [10, .min], [.max, 10], [1 << 24 + 1, 1]])
  func unusableSizesAreRefused(size: [Int]) {
    #expect(throws: VisionError.pictureSize(name: "picture", width: size[0], height: size[1])) {
      try PictureTransform(
        .letterbox, sourceWidth: size[0], sourceHeight: size[1], modelWidth: 640, modelHeight: 640)
    }
    #expect(throws: VisionError.pictureSize(name: "model input", width: size[0], height: size[1])) {
      try PictureTransform(
        .stretch, sourceWidth: 640, sourceHeight: 640, modelWidth: size[0], modelHeight: size[1])
    }
  }

  @Test func boxesAreClippedToThePicture() throws {
    let transform = try identityTransform(100)
    #expect(
      transform.sourceBox(Box(x: -10, y: 20, width: 30, height: 200))
        == Box(x: 0, y: 20, width: 20, height: 80))
    #expect(transform.sourceBox(Box(x: 100, y: 0, width: 10, height: 10)) == nil)
    #expect(transform.sourceBox(Box(x: -10, y: 0, width: 10, height: 10)) == nil)
    #expect(transform.sourceBox(Box(x: 10, y: 10, width: -5, height: 5)) == nil)
    #expect(transform.sourceBox(Box(x: .nan, y: 0, width: 10, height: 10)) == nil)
    #expect(transform.sourceBox(Box(x: 0, y: 0, width: 10, height: .nan)) == nil)
    #expect(
      transform.sourceBox(Box(x: 50, y: 0, width: .infinity, height: 10))
        == Box(x: 50, y: 0, width: 50, height: 10))
  }
}

@Suite struct BoxTests {
  @Test func intersectionOverUnion() {
    let box = Box(x: 0, y: 0, width: 10, height: 10)
    #expect(box.intersectionOverUnion(box) == 1)
    #expect(box.intersectionOverUnion(Box(x: 5, y: 0, width: 10, height: 10)) == Float(50) / 150)
    #expect(box.intersectionOverUnion(Box(x: 10, y: 0, width: 10, height: 10)) == 0)
    #expect(box.intersectionOverUnion(Box(x: 0, y: 0, width: -10, height: -10)) == 0)
    for broken in [Float.nan, .infinity, -.infinity] {
      for index in 0..<4 {
        var edges: [Float] = [0, 0, 10, 10]
        edges[index] = broken
        let other = Box(x: edges[0], y: edges[1], width: edges[2], height: edges[3])
        #expect(box.intersectionOverUnion(other) == 0 && other.intersectionOverUnion(box) == 0)
      }
    }
    #expect(box.intersectionOverUnion(Box(x: -1e30, y: -1e30, width: 3e30, height: 3e30)) == 0)
  }

  @Test func normalizedBoxesStayWithinZeroToOne() {
    let box = Box(x: 480, y: 324, width: 960, height: 648)
    #expect(
      box.normalized(pictureWidth: 1920, pictureHeight: 1080) == Box(x: 0.25, y: 0.3, width: 0.5, height: 0.6)
    )
    #expect(
      Box(x: -10, y: 50, width: 200, height: 100).normalized(pictureWidth: 100, pictureHeight: 100)
        == Box(x: 0, y: 0.5, width: 1, height: 0.5))
    #expect(
      Box(x: 0, y: 0, width: 0, height: 0).normalized(pictureWidth: 0, pictureHeight: -3)
        == Box(x: 0, y: 0, width: 0, height: 0))
  }
}
