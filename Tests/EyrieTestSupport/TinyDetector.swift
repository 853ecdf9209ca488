import Foundation

/// A model package of a few kilobytes, run by the real backend: input 64×64; whatever it sees, it finds a
/// person (0.9) in the middle and a car (0.6) at the left.
public enum TinyDetector {
  /// The package.
  public static let path = SharedMaterial.package
    .appendingPathComponent("Tests/EyriePipelineTests/Fixtures/tiny-detector").path
}
