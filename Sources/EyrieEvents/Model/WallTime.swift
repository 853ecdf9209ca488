import Foundation

/// A moment of the wall clock, in nanoseconds since 1970-01-01T00:00:00Z (leap seconds not counted).
///
/// For display and for relating events to the world. Durations and rates use a monotonic clock.
public struct WallTime: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Nanoseconds since the epoch; negative before 1970. The range is the years 1677 to 2262.
  public let nanoseconds: Int64

  /// A moment given in nanoseconds since 1970.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// The moment at which this is called, from the system's real-time clock.
  public static func now() -> WallTime {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let seconds = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue
    return WallTime(nanoseconds: seconds &+ Int64(time.tv_nsec))
  }

  /// Orders moments from the earlier to the later.
  public static func < (left: WallTime, right: WallTime) -> Bool { left.nanoseconds < right.nanoseconds }

  /// RFC 3339 in UTC with microseconds: `2026-01-31T09:08:07.123456Z`.
  public var description: String {
    withRFC3339 { String(decoding: $0, as: UTF8.self) }
  }

  /// Calls `body` with the 27 ASCII bytes of the RFC 3339 form.
  func withRFC3339<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    let second: Int64 = 1_000_000_000
    // Division that rounds down, so that moments before 1970 have a positive remainder.
    var seconds = nanoseconds / second
    var rest = nanoseconds % second
    if rest < 0 {
      rest += second
      seconds -= 1
    }
    var days = seconds / 86_400
    var daySecond = seconds % 86_400
    if daySecond < 0 {
      daySecond += 86_400
      days -= 1
    }
    let date = civilDate(daysSince1970: days)
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 27) { buffer in
      var position = 0
      func put(_ value: Int64, digits: Int, then separator: Character) {
        var value = value
        for index in stride(from: position + digits - 1, through: position, by: -1) {
          buffer[index] = UInt8(truncatingIfNeeded: 48 + value % 10)
          value /= 10
        }
        buffer[position + digits] = separator.asciiValue ?? 0
        position += digits + 1
      }
      put(date.year, digits: 4, then: "-")
      put(date.month, digits: 2, then: "-")
      put(date.day, digits: 2, then: "T")
      put(daySecond / 3600, digits: 2, then: ":")
      put(daySecond / 60 % 60, digits: 2, then: ":")
      put(daySecond % 60, digits: 2, then: ".")
      put(rest / 1000, digits: 6, then: "Z")
      return body(UnsafeBufferPointer(buffer))
    }
  }

  /// Reads an RFC 3339 date and time with any offset and up to nine digits of a second.
  ///
  /// `nil` if the text is anything else, or lies outside the years 1677 to 2262.
  public init?(_ text: String) {
    var scanner = DigitScanner(Array(text.utf8))
    guard let year = scanner.digits(4), scanner.skip("-"), let month = scanner.digits(2), scanner.skip("-"),
      let day = scanner.digits(2), scanner.skip("T", or: "t"), let hour = scanner.digits(2),
      scanner.skip(":"),
      let minute = scanner.digits(2), scanner.skip(":"), let second = scanner.digits(2),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
    else { return nil }
    var fraction: Int64 = 0
    if scanner.skip(".") {
      guard let value = scanner.nanoseconds() else { return nil }
      fraction = value
    }
    var offset: Int64 = 0
    if !scanner.skip("Z", or: "z") {
      let east = scanner.skip("+")
      guard east || scanner.skip("-"), let hours = scanner.digits(2), scanner.skip(":"),
        let minutes = scanner.digits(2), hours < 24, minutes < 60
      else { return nil }
      offset = (east ? 1 : -1) * (hours * 3600 + minutes * 60)
    }
    guard scanner.isAtEnd else { return nil }
    let days = daysSince1970(year: year, month: month, day: day)
    guard civilDate(daysSince1970: days) == (year, month, day) else { return nil }
    // All terms are small here (the year has four digits); only the last two steps can overflow.
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (total, carry) = scaled.addingReportingOverflow(fraction)
    guard !overflow, !carry else { return nil }
    nanoseconds = total
  }
}

/// The proleptic Gregorian date of a day, after Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`: years begin in March, eras are 400 years of 146 097 days.
private func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let shifted = days + 719_468
  let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
  let dayOfEra = shifted - era * 146_097
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let shiftedMonth = (5 * dayOfYear + 2) / 153
  let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
}

/// The inverse of `civilDate`, from the same source (`days_from_civil`).
private func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
  let shiftedYear = month <= 2 ? year - 1 : year
  let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
  let yearOfEra = shiftedYear - era * 400
  let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
  let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

private struct DigitScanner {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  mutating func skip(_ character: Character, or other: Character? = nil) -> Bool {
    guard position < bytes.count else { return false }
    let byte = bytes[position]
    guard byte == character.asciiValue || (other != nil && byte == other?.asciiValue) else { return false }
    position += 1
    return true
  }

  mutating func digits(_ count: Int) -> Int64? {
    guard position + count <= bytes.count else { return nil }
    var value: Int64 = 0
    for byte in bytes[position..<(position + count)] {
      guard (48...57).contains(byte) else { return nil }
      value = value * 10 + Int64(byte - 48)
    }
    position += count
    return value
  }

  /// One or more digits after a decimal point, as nanoseconds; digits past the ninth are ignored.
  mutating func nanoseconds() -> Int64? {
    var value: Int64 = 0
    var scale: Int64 = 100_000_000
    let start = position
    while position < bytes.count, (48...57).contains(bytes[position]) {
      value += Int64(bytes[position] - 48) * scale
      scale /= 10
      position += 1
    }
    return position > start ? value : nil
  }
}
