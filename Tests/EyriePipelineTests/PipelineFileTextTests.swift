import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

@Suite("The text of pipeline files")
struct PipelineFileTextTests {
  private typealias Fixture = PipelineFileFixture

  private func mistakes(in bytes: [UInt8]) -> [String] {
    do throws(PipelineFileError) {
      _ = try PipelineFile.parse(bytes, environment: [:], mistakes: MistakeCollector(file: "p.yaml"))
      return []
    } catch {
      return error.mistakes.map(\.description)
    }
  }

  @Test(
    "is refused with a place where it is no YAML",
    arguments: [
      ("a: [1, 2\nb: 3\n", "p.yaml:2:2: YAML syntax: "), ("a: 'x\n", "YAML syntax: "),
      ("a:\n\t- b\n", "p.yaml:2:1: YAML syntax: "), ("a: b: c\n", "p.yaml:1:5: YAML syntax: "),
      ("a: @x\n", "p.yaml:1:4: YAML syntax: "), ("a: \u{1}\n", "p.yaml:1:4: YAML syntax: "),
      ("a: *x\n", "p.yaml:1:4: YAML syntax: found undefined alias"),
      ("%YAML 9.9\n---\na: b\n", "YAML syntax: "),
      ("a: \"\\ud800\"\n", "YAML syntax: "), ("a: 1\n---\nb: 2\n", "YAML syntax: "),
    ])
  func syntax(text: String, start: String) throws {
    let found = mistakes(in: Array(text.utf8))
    #expect(found.count == 1)
    #expect(try #require(found.first).contains(start), "\(found)")
  }

  @Test("is refused where it is empty", arguments: ["", "\n\n", "# only a comment\n", "---\n...\n"])
  func empty(text: String) { #expect(mistakes(in: Array(text.utf8)).count >= 1) }

  @Test("may begin with a byte order mark, end lines as Windows does, and hold any script")
  func accepted() {
    let text = Fixture.base.replacing("cam", with: "entrée-門")
    #expect(mistakes(in: Array(text.utf8)) == [])
    #expect(mistakes(in: [0xEF, 0xBB, 0xBF] + Array(text.utf8)) == [])
    #expect(mistakes(in: Array(text.replacing("\n", with: "\r\n").utf8)) == [])
    #expect(mistakes(in: Array(("# yaml\n---\n" + text + "\n...\n").utf8)) == [])
  }

  @Test("is refused where it is not UTF-8, at the first such byte")
  func encoding() {
    #expect(
      mistakes(in: Array("a: é\nb: ".utf8) + [0xFF]) == [
        "p.yaml:2:4: is not UTF-8 here, expected text in UTF-8"
      ])
    #expect(mistakes(in: [0xFF, 0xFE, 0x61, 0x00]).count == 1)
  }

  @Test("reports each key that is given twice, and goes on")
  func duplicates() {
    let text = """
      sources:
        cam: {input: a.mp4, "loop": true, 'loop': false, loop: true}
      stages:
        detect: {from: cam, model: m}
        detect: {from: cam, model: m, confidnce: 1}
      sinks:
        jsonl: {from: detect, path: e}
      sinks: {}
      """
    #expect(
      Fixture.mistakes(in: text).filter { $0.contains("twice") } == [
        "p.yaml:2:37: sources.cam.loop: is given twice: line 2 has it already",
        "p.yaml:2:52: sources.cam.loop: is given twice: line 2 has it already",
        "p.yaml:5:3: stages.detect: is given twice: line 4 has it already",
        "p.yaml:8:1: sinks: is given twice: line 6 has it already",
      ])
  }

  @Test(
    "refuses aliases and tags, each with its place",
    arguments: [
      "{input: &a x.mp4, username: *a}", "{input: !secret x}", "{input: !!binary x}",
      "{input: a.mp4, reconnect: &r {}, reconnect: *r}", "{? [a, b] : c}", "{? {a: b} : c}",
    ])
  func refused(source: String) {
    let found = Fixture.mistakes(in: Fixture.base.replacing("{input: a.mp4}", with: source))
    #expect(!found.isEmpty)
    #expect(
      found.contains { $0.contains("alias") || $0.contains("tag") || $0.contains("a key must be") },
      "\(found)")
  }

  @Test("refuses merge keys as aliases")
  func mergeKeys() {
    let text = Fixture.base.replacing("{input: a.mp4}", with: "&c {input: a.mp4}\n  cam2:\n    <<: *c")
    #expect(Fixture.mistakes(in: text).contains { $0.contains("alias") })
  }

  @Test("is not expanded without bounds")
  func bombs() {
    var bomb = "a0: &a0 [x, x]\n"
    for level in 1..<40 { bomb += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
    #expect(Fixture.mistakes(in: bomb).count == 1)
    // As keys, they would be compared.
    let keys = "a: &a {x: y}\nb: &b {? *a : 1, ? [*a, *a] : 2}\n? [*b, *b, *b, *b]\n: c\n"
    #expect(!Fixture.mistakes(in: keys).isEmpty)
    for opening in ["[", "{a: ", "- ", "? "] {
      let deep = String(repeating: opening, count: 100_000)
      #expect(!Fixture.mistakes(in: deep).isEmpty)
    }
    #expect(
      !Fixture.mistakes(in: String(repeating: "[", count: 500) + String(repeating: "]", count: 500)).isEmpty)
  }

  @Test("is read from a file that is one, and no more than a megabyte of it")
  func files() throws {
    let scratch = try Scratch()
    func message(_ path: String) -> String {
      do throws(PipelineFileError) {
        _ = try PipelineFile.load(path, environment: [:])
        return ""
      } catch {
        return error.description
      }
    }
    let large = try scratch.write(Array(repeating: UInt8(ascii: "#"), count: (1 << 20) + 1), to: "large.yaml")
    #expect(message(large).hasSuffix("is larger than 1048576 bytes, expected a pipeline file"))
    #expect(message("/dev/zero").contains("is larger than"))
    #expect(message(scratch.path("missing.yaml")).contains("missing.yaml:1:1: cannot be read: No such file"))
    #expect(message(scratch.url.path).contains("is a directory"))
    #expect(message("/dev/null").contains("the file is empty"))
    let good = try scratch.write(Array(Fixture.base.utf8), to: "good.yaml")
    #expect(message(good) == "")
  }
}

@Suite("Variables in pipeline files")
struct PipelineFileVariableTests {
  private static let environment = [
    "NAME": "value", "EMPTY": "", "YAML": "x, every: 5}\nsinks: {a: b}", "FIVE": "5",
    "HASH": "p@ss:w/rd#?% '\"",
  ]

  @Test(
    "are put in",
    arguments: [
      ("${NAME}", "value"), ("a${NAME}b${NAME}", "avaluebvalue"), ("${NO:-default}", "default"),
      ("${EMPTY:-x}", "x"), ("${EMPTY}", ""), ("${NO:-}", ""), ("$$", "$"), ("$${NAME}", "${NAME}"),
      ("$$$$", "$$"), ("${NO:-a:-b}", "a:-b"), ("${HASH}", "p@ss:w/rd#?% '\""),
      ("no variable", "no variable"),
    ])
  func values(text: String, value: String) throws {
    let substitution = VariableSubstitution(environment: Self.environment)
    #expect(try substitution.apply(text).text == value)
  }

  @Test(
    "are refused where they are malformed or not set, and no value is told",
    arguments: [
      "${NO}", "${", "${}", "${NAME", "$NAME", "a$", "${1A}", "${NA-ME}", "${NAME:?x}", "${NAME:-${FIVE}}",
      "${:-x}",
      "${NAME}${NO}", "${Ä}",
    ])
  func refused(text: String) {
    let substitution = VariableSubstitution(environment: Self.environment)
    do throws(VariableSubstitution.Mistake) {
      _ = try substitution.apply(text)
      Issue.record("\(text) was taken")
    } catch {
      #expect(!error.message.contains("value") && !error.message.isEmpty)
    }
  }

  @Test("cannot change the structure of the file")
  func injection() throws {
    let text = PipelineFileFixture.base.replacing("a.mp4", with: "'${YAML}'")
    #expect(
      PipelineFileFixture.mistakes(in: text, environment: Self.environment) == [
        "p.yaml:2:16: sources.cam.input: found text with a control character or a line break, expected text on one line"
      ])
    let hash = PipelineFileFixture.base.replacing("a.mp4", with: "'${HASH}'")
    let definition = try PipelineFileFixture.parse(hash, environment: Self.environment)
    #expect(definition.sources.first?.input.value == "p@ss:w/rd#?% '\"")
  }

  @Test("are to be put in quotes within braces, and the message says so")
  func braces() {
    let found = PipelineFileFixture.mistakes(
      in: PipelineFileFixture.base.replacing("a.mp4", with: "${FIVE}"), environment: Self.environment)
    #expect(found.count == 1 && found[0].hasSuffix("; within { } and [ ] put ${…} in quotes"), "\(found)")
  }

  @Test("stand for text or numbers, as is needed")
  func types() throws {
    let options = [
      "input: ${FIVE}", "every: ${FIVE}", "max_fps: \"${FIVE}${FIVE}\"", "open_timeout: ${FIVE}s",
      "loop: ${NO:-true}", "pacing: ${NO:-max}",
    ]
    let text = PipelineFileFixture.base.replacing(
      "{input: a.mp4}", with: options.map { "\n    \($0)" }.joined())
    let source = try #require(
      try PipelineFileFixture.parse(text, environment: Self.environment).sources.first)
    #expect(source.input.value == "5")
    #expect(source.every == 5)
    #expect(source.maxFPS == 55)
    #expect(source.openTimeout == 5)
    #expect(source.loop == true)
    #expect(source.pacing == .max)
  }
}
