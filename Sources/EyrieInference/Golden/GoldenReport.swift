import Foundation

/// What came of replaying a golden file: each thing that was compared.
public struct GoldenReport: Sendable, Codable, Equatable {
  /// One thing that was compared with the reference.
  public struct Comparison: Sendable, Codable, Equatable {
    /// What was compared, such as `scores` or `top-1 class`.
    public var what: String
    /// What it was compared with, such as `64 anchors`.
    public var reference: String
    /// The largest difference that is allowed, or the smallest value where ``isFloor`` says so.
    public var allowed: Double
    /// Whether `found` must be at least, not at most, `allowed`.
    public var isFloor = false
    /// What was found; `nil` where it is no finite number, or nothing could be compared.
    public var found: Double?
    /// The unit of the two numbers, such as `px`; `nil` for plain numbers.
    public var unit: String?
    /// What there is to say besides the numbers.
    public var note: String?
    /// Whether it is as it should be.
    public var passed: Bool

    enum CodingKeys: String, CodingKey {
      case what, reference, allowed
      case isFloor = "is_floor"
      case found, unit, note, passed
    }

    init(
      _ what: String, _ reference: String, atMost allowed: Double, found: Double, unit: String? = nil,
      note: String? = nil
    ) {
      self.what = what
      self.reference = reference
      self.allowed = allowed
      self.found = found.isFinite ? found : nil
      self.unit = unit
      self.note = note
      // NaN is not at most anything.
      passed = found <= allowed
    }

    init(_ what: String, _ reference: String, atLeast allowed: Double, found: Double) {
      self.init(what, reference, atMost: allowed, found: found)
      isFloor = true
      passed = found >= allowed
    }

    /// What cannot be compared at all.
    init(_ what: String, _ reference: String, impossible reason: String) {
      self.init(what, reference, atMost: 0, found: .nan, note: reason)
    }

    /// What was found, for people.
    public var foundText: String {
      let number = found.map { GoldenReport.text($0) + (unit.map { " \($0)" } ?? "") }
      return [number, note].compactMap(\.self).joined(separator: ", ")
    }

    /// What is allowed, for people.
    public var allowedText: String {
      (isFloor ? "≥ " : "≤ ") + GoldenReport.text(allowed) + (unit.map { " \($0)" } ?? "")
    }
  }

  /// The arithmetic that was used.
  public var precision: ExecutionPrecision
  /// The device that computed.
  public var device: String
  /// Everything that was compared.
  public var comparisons: [Comparison]

  /// Whether all of it is as it should be.
  public var passed: Bool { comparisons.allSatisfy(\.passed) }

  /// What differs by how much, in one phrase; `nil` when it passed.
  public var failure: String? {
    let failed = comparisons.filter { !$0.passed }
    if failed.isEmpty { return nil }
    return "in \(precision.rawValue) "
      + failed.map { failed in
        let allowed = failed.found == nil ? "" : " (allowed \(failed.allowedText))"
        return "\(failed.what): \(failed.foundText.isEmpty ? "not finite" : failed.foundText)\(allowed)"
      }.joined(separator: "; ")
  }

  static func text(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e6
      ? String(format: "%.0f", number) : String(format: "%.3g", number)
  }
}
