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
    usage: eyrie-measure frames INPUT MODEL [--track] [--classify MODEL] [--frames N] [--where DEPTH] [--json]
    """

  private var words: [String] = []
  private var options: [String: String] = [:]
  private static let flags: Set<String> = ["--json", "--track"]

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
    default: throw MeasureError(Self.usage)
    }
  }

  private func countFrames() async throws {
    guard allocation_counting_works() else { throw MeasureError("allocations cannot be counted here") }
    var run = FrameAllocations(input: words[1], model: words[2])
    run.track = options["--track"] != nil
    run.classify = options["--classify"]
    if let frames = options["--frames"].flatMap(Int.init) { run.frames = frames }
    if let depth = options["--where"].flatMap(Int.init) { run.depth = depth }
    let report = AllocationReport(try await run.run())
    print(options["--json"] != nil ? report.json : options["--where"] != nil ? report.places : report.table)
  }
}
