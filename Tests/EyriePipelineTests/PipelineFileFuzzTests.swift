import EyrieTestTools
import Testing

@testable import EyriePipeline

@Suite("Pipeline files that were damaged")
struct PipelineFileFuzzTests {
  private static let pieces = [
    ":", "- ", "{", "}", "[", "]", "\"", "'", "*a", "&a ", "!!str ", "|", ">", "#", "\n", "\t", "  ", "\0",
    "\u{FEFF}",
    "${", "}", "$", "? ", "---\n", "...\n", "%", "é", "\u{2028}", "\r", "9999999999999999999999", "-1",
    ".inf", "null",
    "from: ", "kind: ", "detect", "sources:", "<<: ", "\u{1F600}", "0x", "1e400", "~", ",", "\\",
  ].map { Array($0.utf8) }

  private static func damage(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let place = Int.random(in: 0...bytes.count, using: &random)
      let end = min(bytes.count, place + Int.random(in: 0...12, using: &random))
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes.removeSubrange(place..<end)
      case 1: bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: place)
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
      case 3: bytes.replaceSubrange(place..<end, with: pieces.randomElement(using: &random) ?? [])
      default:
        // A piece of the file once more, elsewhere: keys that are given twice, names in wrong places.
        let other = Int.random(in: 0...bytes.count, using: &random)
        bytes.insert(contentsOf: Array(bytes[other..<min(bytes.count, other + 60)]), at: place)
      }
    }
  }

  @Test("are taken, or refused with a place", arguments: PipelineFileFixture.examples + ["everything"])
  func damaged(name: String) throws {
    let whole = Array(
      (name == "everything" ? PipelineFileTests.everything : try PipelineFileFixture.example(name)).utf8)
    var taken = 0
    for seed in 0..<1500 {
      var random = SplitMix64(seed: UInt64(seed))
      var bytes = whole
      Self.damage(&bytes, &random)
      let lines =
        2 + bytes.count { [0x0A, 0x0D].contains($0) } + bytes.count { [0x85, 0xA8, 0xA9].contains($0) }
      do throws(PipelineFileError) {
        let definition = try PipelineFile.parse(
          bytes, environment: PipelineFileFixture.environment, mistakes: MistakeCollector(file: "p.yaml"))
        taken += 1
        let file = PipelineFile(path: "p.yaml", definition: definition)
        #expect(file.mermaid.hasPrefix("flowchart LR\n"))
        _ = try? file.plan()
      } catch {
        #expect(!error.mistakes.isEmpty)
        for mistake in error.mistakes {
          #expect((1...lines).contains(mistake.line) && mistake.column >= 1, "seed \(seed): \(mistake)")
          #expect(!mistake.message.isEmpty && !mistake.description.contains("\n"), "seed \(seed): \(mistake)")
          #expect(!mistake.description.contains("hunter2"), "seed \(seed): \(mistake)")
        }
      }
    }
    // Damage in comments and names does no harm: not everything may be refused.
    #expect(taken > 0 && taken < 1500)
  }
}
