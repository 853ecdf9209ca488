import Testing

@testable import EyriePipeline

@Suite("The nearest name")
struct NearestNameTests {
  private static let keys = ["input", "pacing", "loop", "max_frames", "fps"]
  private static let labels = ["person", "bicycle", "car", "bus", "Traffic Light", "été"]

  @Test(
    "is what was mistyped",
    arguments: [
      ("inptu", "input"), ("nput", "input"), ("inpuut", "input"), ("inpat", "input"), ("INPUT", "input"),
      ("persno", "person"), ("eprson", "person"), ("traffic lihgt", "Traffic Light"), ("téé", "été"),
      // So short that only one edit is allowed, of which a swap is one.
      ("fsp", "fps"), ("cra", "car"), ("ubs", "bus"), ("pfs", "fps"),
    ])
  func found(word: String, meant: String) {
    #expect(NearestName.of(word, among: Self.keys + Self.labels) == meant)
  }

  @Test("is none where nothing is near", arguments: ["", "x", "spf", "transport", "zebra crossing"])
  func none(word: String) {
    #expect(NearestName.of(word, among: Self.keys + Self.labels) == nil)
    #expect(NearestName.of(word, among: []) == nil)
  }

  @Test("is the first of several, and none for a paragraph")
  func limits() {
    #expect(NearestName.of("cam3", among: ["cam1", "cam2"]) == "cam1")
    let long = String(repeating: "a", count: 64)
    #expect(NearestName.of(long, among: [long]) == long)
    #expect(NearestName.of(long + "a", among: [long]) == nil)
  }

  @Test(
    "is measured by edits, a swap of neighbours being one",
    arguments: [
      ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("inptu", "input", 1),
      ("persno", "person", 1), ("abcd", "badc", 2), ("kitten", "sitting", 3), ("abc", "cba", 2),
      // No letter is edited twice: swapping and then putting one between is not one edit more.
      ("ca", "abc", 3),
    ])
  func distance(left: String, right: String, edits: Int) {
    #expect(NearestName.distance(Array(left), Array(right)) == edits)
    #expect(NearestName.distance(Array(right), Array(left)) == edits)
  }
}
