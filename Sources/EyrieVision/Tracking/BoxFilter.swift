/// Kalman filter of a box that moves at constant velocity: centre, aspect ratio (width over height) and
/// height, as in ByteTrack (Zhang et al. 2022) and DeepSORT (Wojke et al. 2017), with their weights.
///
/// Their filter has a matrix of 8 by 8; since it starts and stays without a correlation between the four
/// quantities, it is four filters of 2 by 2, which is what is computed here. Time is counted in frames of
/// 1/30 s, for which the weights were published, and may advance by any amount. Only the aspect ratio is
/// followed more closely than there: boxes change theirs in a stride, and predicted ones overlap better.
struct BoxFilter: Sendable {
  /// Frames a second for which the published weights hold.
  static let referenceRate = 30.0
  /// Standard deviations as fractions of the height: of a position, and of a velocity per frame.
  private static let positionWeight = 1.0 / 20
  private static let velocityWeight = 1.0 / 160

  private(set) var centreX: AxisFilter
  private(set) var centreY: AxisFilter
  private(set) var aspect: AxisFilter
  private(set) var height: AxisFilter

  /// Begins at a box that is finite and has an area.
  init(_ box: Box) {
    let (x, y, aspect, height) = Self.measurement(box)
    let position = 2 * Self.positionWeight * height
    let velocity = 10 * Self.velocityWeight * height
    centreX = AxisFilter(x, positionDeviation: position, velocityDeviation: velocity)
    centreY = AxisFilter(y, positionDeviation: position, velocityDeviation: velocity)
    self.aspect = AxisFilter(aspect, positionDeviation: 1e-2, velocityDeviation: 1e-5)
    self.height = AxisFilter(height, positionDeviation: position, velocityDeviation: velocity)
  }

  /// The state after a time. Several steps are the same as one of their sum.
  mutating func advance(by step: TimeStep) {
    let scale = max(height.position, 0)
    let position = Self.positionWeight * scale
    let velocity = Self.velocityWeight * scale
    centreX.advance(by: step, positionDeviation: position, velocityDeviation: velocity)
    centreY.advance(by: step, positionDeviation: position, velocityDeviation: velocity)
    aspect.advance(by: step, positionDeviation: 1e-2, velocityDeviation: 1e-5)
    height.advance(by: step, positionDeviation: position, velocityDeviation: velocity)
  }

  /// Takes in a detection's box, which is finite and has an area.
  mutating func correct(_ box: Box) {
    let (x, y, aspect, height) = Self.measurement(box)
    let deviation = Self.positionWeight * (self.height.position > 0 ? self.height.position : height)
    centreX.correct(x, deviation: deviation)
    centreY.correct(y, deviation: deviation)
    self.aspect.correct(aspect, deviation: 3e-2)
    self.height.correct(height, deviation: deviation)
  }

  /// Lets the box keep its size until the next detection.
  mutating func holdSize() {
    height.velocity = 0
    aspect.velocity = 0
  }

  /// The box as it stands; it may be empty or not finite.
  var box: Box {
    let width = aspect.position * height.position
    return Box(
      x: Float(centreX.position - width / 2), y: Float(centreY.position - height.position / 2),
      width: Float(width), height: Float(height.position))
  }

  /// The box after a time, without a change to the filter.
  func box(after step: TimeStep) -> Box {
    var moved = self
    moved.advance(by: step)
    return moved.box
  }

  private static func measurement(_ box: Box) -> (x: Double, y: Double, aspect: Double, height: Double) {
    let (width, height) = (Double(box.width), Double(box.height))
    return (Double(box.x) + width / 2, Double(box.y) + height / 2, width / height, height)
  }
}

/// A time by which filters advance, with what depends on it alone.
struct TimeStep: Sendable {
  /// In frames of 1/30 s.
  let frames: Double
  /// How much of a frame's velocity variance has become one of the position, and a covariance with it.
  ///
  /// After n steps with a velocity variance of 1 each these are the sums of k² and k for k below n, as
  /// polynomials: so a time that was lost is like the frames that it held, and in parts like in one.
  fileprivate let spread: Double
  fileprivate let coupling: Double

  init(seconds: Double) {
    frames = seconds * BoxFilter.referenceRate
    spread = frames * (frames - 1) * (2 * frames - 1) / 6
    coupling = frames * (frames - 1) / 2
  }
}

/// A quantity and its velocity per frame with their covariance.
struct AxisFilter: Sendable {
  private(set) var position: Double
  var velocity = 0.0
  private(set) var positionVariance: Double
  private(set) var covariance = 0.0
  private(set) var velocityVariance: Double

  init(_ position: Double, positionDeviation: Double, velocityDeviation: Double) {
    self.position = position
    positionVariance = positionDeviation * positionDeviation
    velocityVariance = velocityDeviation * velocityDeviation
  }

  /// Advances, with noise of these deviations for each frame.
  mutating func advance(by step: TimeStep, positionDeviation: Double, velocityDeviation: Double) {
    let frames = step.frames
    let velocityNoise = velocityDeviation * velocityDeviation
    position += velocity * frames
    positionVariance +=
      frames * (2 * covariance + frames * velocityVariance)
      + frames * positionDeviation * positionDeviation + step.spread * velocityNoise
    covariance += frames * velocityVariance + step.coupling * velocityNoise
    velocityVariance += frames * velocityNoise
  }

  /// Takes in a measurement with noise of this deviation.
  mutating func correct(_ measured: Double, deviation: Double) {
    let total = positionVariance + deviation * deviation
    guard total > 0 else { return }
    let gain = positionVariance / total
    let velocityGain = covariance / total
    let innovation = measured - position
    position += gain * innovation
    velocity += velocityGain * innovation
    velocityVariance -= velocityGain * covariance
    covariance *= 1 - gain
    positionVariance *= 1 - gain
  }
}
