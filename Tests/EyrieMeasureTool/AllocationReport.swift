/// Allocations of a run by library, for people and for tests.
struct AllocationReport {
  private struct Line {
    let library: String
    var perFrame = 0.0
    var bytes = 0.0
    var nowAndThen = 0.0
  }

  private let outcome: FrameAllocations.Outcome

  /// What happens less often than with each fourth frame is no part of a frame: heartbeats, growing buffers.
  private static let leastShare = 0.25

  init(_ outcome: FrameAllocations.Outcome) {
    self.outcome = outcome
  }

  private func perFrame(_ count: Int) -> Double { Double(count) / Double(outcome.frames) }

  private func isOfFrame(_ site: AllocationSite) -> Bool { perFrame(site.count) >= Self.leastShare }

  private var lines: [Line] {
    var lines: [String: Line] = [:]
    for site in outcome.sites {
      var line = lines[site.library] ?? Line(library: site.library)
      if isOfFrame(site) {
        line.perFrame += perFrame(site.count)
        line.bytes += perFrame(site.bytes)
      } else {
        line.nowAndThen += perFrame(site.count)
      }
      lines[site.library] = line
    }
    return lines.values.sorted { ($1.perFrame, $0.library) < ($0.perFrame, $1.library) }
  }

  /// One line a library.
  var table: String {
    let rows = lines.map {
      $0.library.padded(to: 36) + $0.perFrame.fixed(2, width: 12) + $0.bytes.fixed(0, width: 14)
        + $0.nowAndThen.fixed(2, width: 14)
    }
    let head =
      "allocations of \(outcome.frames) frames".padded(to: 36) + "   per frame   bytes/frame  now and then"
    return ([head] + rows).joined(separator: "\n")
  }

  /// The places in Eyrie, with how one came there.
  var places: String {
    let own = outcome.sites.filter { $0.isOwn && perFrame($0.count) >= 0.02 }.map { site in
      (["\(perFrame(site.count).fixed(2, width: 0)) a frame, \(site.bytes / max(site.count, 1)) bytes:"]
        + site.functions).joined(separator: "\n    ")
    }
    return ([table] + own).joined(separator: "\n")
  }

  /// For tests.
  var json: String {
    let libraries = lines.map { "\($0.library.quoted): \($0.perFrame)" }
    let own = outcome.sites.filter { $0.isOwn && isOfFrame($0) }.map { site in
      "{\"per_frame\": \(perFrame(site.count)), \"functions\": [\(site.functions.map(\.quoted).joined(separator: ", "))]}"
    }
    return "{\"frames\": \(outcome.frames), \"libraries\": {\(libraries.joined(separator: ", "))}, "
      + "\"own\": [\(own.joined(separator: ", "))]}"
  }
}

extension String {
  /// As JSON, of a text without control characters.
  var quoted: String { "\"" + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\"" }

  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

extension Double {
  /// With so many decimals, right-aligned.
  func fixed(_ decimals: Int, width: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (self * scale).rounded() / scale
    var text = decimals == 0 ? "\(Int(scaled))" : "\(scaled)"
    if decimals > 0, let dot = text.firstIndex(of: ".") {
      text += String(
        repeating: "0", count: max(0, decimals - text.distance(from: dot, to: text.endIndex) + 1))
    }
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
