public import ArgumentParser
public import EyrieGraph
public import EyrieInference
public import EyrieMedia
public import EyriePipeline

extension DamagedFrames: ExpressibleByArgument {}
extension HardwareDecoding: ExpressibleByArgument {}
extension ExecutionPrecision: ExpressibleByArgument {}
extension OverflowPolicy: ExpressibleByArgument {}
extension RTSPTransport: ExpressibleByArgument {}
extension RunOptions.Reconnection: ExpressibleByArgument {}
extension RunOptions.Pacing: ExpressibleByArgument {}
extension SubscribeOptions.Format: ExpressibleByArgument {}

/// The size a model runs at: `640` for a square, `640x384` for width and height.
struct InputSize: ExpressibleByArgument {
  let width: Int
  let height: Int

  init?(argument: String) {
    let parts = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(parts.count), let width = parts.first ?? nil, let height = parts.last ?? nil,
      (1...16_384).contains(width), (1...16_384).contains(height)
    else { return nil }
    self.width = width
    self.height = height
  }
}
