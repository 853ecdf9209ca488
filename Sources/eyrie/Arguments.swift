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

extension DetectorInputSize: ExpressibleByArgument {
  /// `640` for the longer side, `640x384` for width and height.
  public init?(argument: String) { self.init(argument) }
}
