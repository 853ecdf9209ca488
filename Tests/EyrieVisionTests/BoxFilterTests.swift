import EyrieTestTools
import Testing

@testable import EyrieVision

@Suite struct BoxFilterTests {
  /// One quantity of ByteTrack's filter, with matrices, frame by frame.
  private struct Reference {
    var mean: [Double]
    var covariance: [[Double]]

    init(_ value: Double, height: Double) {
      mean = [value, 0]
      covariance = [[square(2 * height / 20), 0], [0, square(10 * height / 160)]]
    }

    mutating func predict(height: Double) {
      let p = covariance
      mean[0] += mean[1]
      covariance = [
        [p[0][0] + p[0][1] + p[1][0] + p[1][1] + square(height / 20), p[0][1] + p[1][1]],
        [p[1][0] + p[1][1], p[1][1] + square(height / 160)],
      ]
    }

    mutating func update(_ value: Double, height: Double) {
      let p = covariance
      let total = p[0][0] + square(height / 20)
      let gain = [p[0][0] / total, p[1][0] / total]
      let innovation = value - mean[0]
      mean = [mean[0] + gain[0] * innovation, mean[1] + gain[1] * innovation]
      covariance = (0..<2).map { row in (0..<2).map { p[row][$0] - gain[row] * total * gain[$0] } }
    }
  }

  @Test func isByteTracksAtThirtyFramesASecond() {
    var random = SplitMix64(seed: 3)
    var box = Box(x: 100, y: 200, width: 40, height: 80)
    var filter = BoxFilter(box)
    var reference = Reference(120, height: 80)
    for frame in 0..<100 {
      let height = filter.height.position
      filter.advance(by: TimeStep(seconds: 1.0 / 30))
      reference.predict(height: height)
      if frame % 7 != 0 {
        box.x += 3 + Float.random(in: -2...2, using: &random)
        box.height = 80 + Float.random(in: -2...2, using: &random)
        reference.update(Double(box.x) + 20, height: filter.height.position)
        filter.correct(box)
      }
      #expect(close(filter.centreX.position, reference.mean[0]))
      #expect(close(filter.centreX.velocity, reference.mean[1]))
      #expect(close(filter.centreX.positionVariance, reference.covariance[0][0]))
      #expect(close(filter.centreX.covariance, reference.covariance[0][1]))
      #expect(close(filter.centreX.velocityVariance, reference.covariance[1][1]))
    }
    #expect(abs(filter.centreX.velocity - 3) < 0.5)
  }

  @Test(arguments: [[0.5], [0.1, 0.4], [0.017, 0.21, 0.273], Array(repeating: 1.0 / 120, count: 60)])
  func stepsAddUp(parts: [Double]) {
    var start = BoxFilter(Box(x: 0, y: 0, width: 50, height: 100))
    start.advance(by: TimeStep(seconds: 1.0 / 30))
    start.correct(Box(x: 5, y: -2, width: 50, height: 100))
    var whole = start
    var divided = start
    // Frame by frame is how the weights were meant.
    for _ in 0..<15 { whole.advance(by: TimeStep(seconds: 1.0 / 30)) }
    for part in parts { divided.advance(by: TimeStep(seconds: part)) }
    for axis in [\BoxFilter.centreX, \.centreY, \.aspect, \.height] {
      let (one, other) = (whole[keyPath: axis], divided[keyPath: axis])
      #expect(close(one.position, other.position) && close(one.velocity, other.velocity))
      // The height, which the noise is a share of, changes on the way: hence not to the last digit.
      #expect(abs(one.positionVariance / other.positionVariance - 1) < 0.02)
      #expect(abs(one.velocityVariance / other.velocityVariance - 1) < 0.02)
    }
  }

  @Test func noTimeChangesNothing() {
    var filter = BoxFilter(Box(x: 0, y: 0, width: 50, height: 100))
    let before = filter
    filter.advance(by: TimeStep(seconds: 0))
    #expect(filter.box == before.box && filter.centreX.positionVariance == before.centreX.positionVariance)
  }

  private func close(_ one: Double, _ other: Double) -> Bool {
    abs(one - other) <= 1e-9 * max(abs(one), abs(other), 1)
  }
}

private func square(_ value: Double) -> Double { value * value }
