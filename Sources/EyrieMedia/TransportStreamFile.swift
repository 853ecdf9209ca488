import Foundation

/// Looks for a place in a transport stream file from which it can be read afresh.
enum TransportStreamFile {
  /// Sizes of a packet, and where in it the sync byte lies: plain, with a time code before it (M2TS), with
  /// check bytes behind it.
  private static let layouts = [(size: 188, sync: 0), (size: 192, sync: 4), (size: 204, sync: 0)]
  private static let reach = 2048

  /// The last table of programmes (packet identifier 0) that begins before `position`, or `position` itself: what
  /// follows can only be read with the table that describes it (ISO/IEC 13818-1, 2.4.4).
  static func start(before position: Int64, path: String) -> Int64 {
    guard position > 0, let file = FileHandle(forReadingAtPath: path) else { return position }
    defer { try? file.close() }
    for (size, sync) in layouts {
      let length = min(Int64(reach * size), position / Int64(size) * Int64(size))
      let begin = position - length
      guard length > 0, (try? file.seek(toOffset: UInt64(begin))) != nil,
        let data = try? file.read(upToCount: Int(length)), data.count == Int(length)
      else { continue }
      let bytes = [UInt8](data)
      let packets = bytes.count / size
      // Four in a row are no accident.
      let isAligned = (1...min(4, packets)).allSatisfy { bytes[(packets - $0) * size + sync] == 0x47 }
      guard isAligned else { continue }
      let table = (0..<packets).last {
        let at = $0 * size + sync
        return bytes[at] == 0x47 && bytes[at + 1] & 0x1f == 0 && bytes[at + 2] == 0
      }
      return table.map { begin + Int64($0 * size) } ?? position
    }
    return position
  }
}
