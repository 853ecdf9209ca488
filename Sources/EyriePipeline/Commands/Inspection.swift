public import EyrieGraph
import EyrieInference
import EyrieMedia
import Foundation

/// What `eyrie probe` and `eyrie model inspect` find out, as JSON for stdout.
public enum Inspection {
  /// Describes a file or stream.
  /// - Parameters:
  ///   - argument: a path or an address.
  ///   - decode: whether to decode every frame and count.
  ///   - stop: interrupts it from any thread.
  public static func probe(_ argument: String, decode: Bool, stop: StopSignal) async throws(EyrieFailure)
    -> String
  {
    let interrupt = MediaInterrupt()
    stop.onRequest { interrupt.fire() }
    let report: MediaDescription
    do throws(MediaError) {
      report = try await withBlockingThread(named: "probe") { () throws(MediaError) in
        try MediaProbe.run(MediaInput(argument), decode: decode, interrupt: interrupt)
      }
    } catch {
      throw EyrieFailure(stop.isRequested ? .stopped : .run, "\(error)")
    }
    return try text(report)
  }

  /// Describes a model: what its metadata says and what was inferred.
  /// - Parameter path: a model package, an exported model directory, an `.xml` or an `.onnx` file.
  public static func model(_ path: String) async throws(EyrieFailure) -> String {
    let description: ModelDescription
    do throws(ModelError) {
      description = try await withBlockingThread(named: "inspect") { () throws(ModelError) in
        try ModelPackage.load(path)
      }
    } catch {
      throw EyrieFailure(.usage, "\(error)")
    }
    return try text(description)
  }

  private static func text(_ value: some Encodable) throws(EyrieFailure) -> String {
    String(decoding: try JSONFile.encode(value).dropLast(), as: UTF8.self)
  }
}
