import CFFmpeg
import Foundation

/// Whose clock `VideoFrame.capturedAt` was read from.
public enum CaptureClock: String, Sendable, CaseIterable {
  /// The source's: it says by which wall-clock time each picture was taken (RTCP sender reports).
  case source
  /// This machine's, when the packet came.
  case arrival
}

/// What a source says of the wall-clock time of its pictures.
enum SourceClock {
  /// A clock further away than this from ours is not believed: it was never set (1900, 1970), keeps
  /// local time, or runs wild. A well-kept one differs by the delay of the network and of the camera's
  /// encoder, at most a few seconds; a frame that waited in a queue for long keeps its time up to here.
  static let tolerance: TimeInterval = 60

  /// When the picture in a packet was taken, by the source's clock, if it says so and can be believed.
  static func date(_ packet: UnsafeMutablePointer<AVPacket>, arrival: Date) -> Date? {
    var size = 0
    guard let data = av_packet_get_side_data(packet, AV_PKT_DATA_PRFT, &size),
      size >= MemoryLayout<AVProducerReferenceTime>.size
    else { return nil }
    let time = UnsafeRawPointer(data).loadUnaligned(as: AVProducerReferenceTime.self)
    return date(microseconds: time.wallclock, arrival: arrival)
  }

  /// - Parameter microseconds: since 1970.
  static func date(microseconds: Int64, arrival: Date) -> Date? {
    let date = Date(timeIntervalSince1970: Double(microseconds) / 1e6)
    return abs(date.timeIntervalSince(arrival)) <= tolerance ? date : nil
  }
}
