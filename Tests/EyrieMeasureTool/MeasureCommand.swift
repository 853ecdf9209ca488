import CAllocationCounter
import Foundation

/// What stops the tool: one line.
struct MeasureError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// What the tool is asked for.
struct MeasureCommand {
  static let usage = """
    usage: eyrie-measure frames INPUT MODEL [--track] [--classify MODEL] [--drop] [--frames N] [--where DEPTH] [--json]
           eyrie-measure parts [--json]
           eyrie-measure times
    frames: heap allocations of a run in its stride, by library; --where also by place
    parts: heap allocations of what should need none
    times: milliseconds of what grows with the objects of a frame
    """

  private var words: [String] = []
  private var options: [String: String] = [:]
  private static let flags: Set<String> = ["--json", "--track", "--drop"]

  init(_ arguments: some Sequence<String>) throws {
    var rest = Array(arguments)[...]
    while let word = rest.popFirst() {
      if !word.hasPrefix("--") {
        words.append(word)
      } else if Self.flags.contains(word) {
        options[word] = ""
      } else if let value = rest.popFirst() {
        options[word] = value
      } else {
        throw MeasureError("\(word): a value is missing")
      }
    }
  }

  func run() async throws {
    switch (words.first, words.count) {
    case ("frames", 3): try await countFrames()
    case ("parts", 1): try countParts()
    case ("times", 1): try time()
    default: throw MeasureError(Self.usage)
    }
  }

  private func checkCounting() throws {
    guard allocation_counting_works() else { throw MeasureError("allocations cannot be counted here") }
  }

  private func time() throws {
    print("100 objects".padded(to: 36) + "          ms       limit")
    for line in try PartTimes.run() {
      print(
        line.name.padded(to: 36) + line.milliseconds.fixed(3, width: 12)
          + (line.limit.map { $0.fixed(1, width: 12) } ?? ""))
    }
  }

  private func countParts() throws {
    try checkCounting()
    let outcomes = try PartAllocations.run()
    if options["--json"] != nil {
      let parts = outcomes.map { part in
        "{\"name\": \(part.name.quoted), \"own\": \(part.own), \"functions\": "
          + "[\(part.functions.map(\.quoted).joined(separator: ", "))]}"
      }
      return print("[\(parts.joined(separator: ", "))]")
    }
    print("allocations a call".padded(to: 36) + "       Eyrie   libraries")
    for part in outcomes {
      print(part.name.padded(to: 36) + part.own.fixed(3, width: 12) + part.libraries.fixed(3, width: 12))
      if part.own > 0 { print(part.functions.map { "    " + $0 }.joined(separator: "\n")) }
    }
  }

  private func countFrames() async throws {
    try checkCounting()
    var run = FrameAllocations(input: words[1], model: words[2])
    run.dropsFrames = options["--drop"] != nil
    run.track = options["--track"] != nil
    run.classify = options["--classify"]
    if let frames = options["--frames"].flatMap(Int.init) { run.frames = frames }
    if let depth = options["--where"].flatMap(Int.init) { run.depth = depth }
    let report = AllocationReport(try await run.run())
    print(options["--json"] != nil ? report.json : options["--where"] != nil ? report.places : report.table)
  }
}
