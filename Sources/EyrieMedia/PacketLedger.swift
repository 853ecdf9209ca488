import CFFmpeg
import Foundation

/// Remembers of the latest packets when they arrived, so that a frame that leaves the decoder later, in
/// another order, still knows.
struct PacketLedger {
  struct Arrival {
    var instant: ContinuousClock.Instant
    var date: Date
    /// The source's own time of the picture.
    var source: Date?
  }

  /// More than any decoder holds back: 16 reference frames, plus its threads.
  private static let capacity = 256
  private var arrivals: [Arrival] = []
  /// The tag of the next packet; tags count from 1, since 0 is what an untagged frame has.
  private(set) var nextTag: Int64 = 1

  init() { arrivals.reserveCapacity(Self.capacity) }

  /// Notes a packet read now and gives it a tag.
  mutating func note(_ packet: UnsafeMutablePointer<AVPacket>) -> Int64 {
    let date = Date()
    let arrival = Arrival(instant: .now, date: date, source: SourceClock.date(packet, arrival: date))
    if arrivals.count < Self.capacity {
      arrivals.append(arrival)
    } else {
      arrivals[slot(nextTag)] = arrival
    }
    defer { nextTag += 1 }
    return nextTag
  }

  /// When the packet with that tag arrived; for an unknown tag, when the latest did.
  func arrival(of tag: Int64) -> Arrival {
    let isKnown = tag >= 1 && tag < nextTag && nextTag - tag <= Self.capacity
    let wanted = isKnown ? tag : nextTag - 1
    guard wanted >= 1 else { return Arrival(instant: .now, date: Date()) }
    return arrivals[slot(wanted)]
  }

  private func slot(_ tag: Int64) -> Int { Int((tag - 1) % Int64(Self.capacity)) }
}
