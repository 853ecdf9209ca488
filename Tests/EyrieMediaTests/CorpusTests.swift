import Foundation
import Testing

@testable import EyrieMedia

@Suite(.enabled(if: Shared.isPresent, "the shared corpus is not beside the package"))
struct CorpusTests {
  @Test func corpusIsRead() {
    let count = CorpusCase.all.count
    #expect(count > 60)
  }

  @Test(arguments: CorpusCase.all.filter { !$0.mustFail })
  func probe(_ item: CorpusCase) throws {
    let description = try MediaProbe.run(MediaInput(item.path), decode: true)
    let content = try #require(description.content)
    let frames = item.checks["frames"] ?? ""
    let bounds = frames.components(separatedBy: "..").compactMap { Int($0) }
    let lowest = try #require(bounds.first)
    let highest = try #require(bounds.last)
    #expect((lowest...highest).contains(content.frames))
    if let display = item.checks["display"] {
      #expect(display == content.sizes.first.map { "\($0.width)x\($0.height)" })
      #expect(display == "\(description.video.width ?? 0)x\(description.video.height ?? 0)")
    }
    if let sizes = item.checks["sizes"] {
      #expect(sizes == content.sizes.map { "\($0.width)x\($0.height)*\($0.frames)" }.joined(separator: "+"))
    }
    if let stream = item.checks["stream"] { #expect(Int(stream) == description.video.streamIndex) }
    try expect(content.firstSeconds, item.checks["first_pts"])
    try expect(content.lastSeconds, item.checks["last_pts"])
  }

  private func expect(_ seconds: Double?, _ check: String?) throws {
    guard let check else { return }
    let wanted = try #require(Double(check))
    let found = try #require(seconds)
    #expect(abs(found - wanted) < 0.001, "\(found) instead of \(wanted)")
  }

  @Test(arguments: CorpusCase.all.filter(\.mustFail))
  func failure(_ item: CorpusCase) throws {
    for decode in [false, true] {
      let error = try #require(
        mediaError { _ = try MediaProbe.run(MediaInput(item.path), decode: decode) }, "no error")
      let isOneLine = !error.description.contains { $0.isNewline }
      #expect(isOneLine)
      #expect(error.description.hasPrefix(item.path))
    }
  }

  @Test(arguments: CorpusCase.all.filter { !$0.mustFail })
  func frames(_ item: CorpusCase) throws {
    let reader = try VideoReader(MediaInput(item.path))
    let scaler = FrameScaler()
    var last: Int64?
    while let frame = try reader.nextFrame() {
      if let last { #expect(frame.ptsNanoseconds > last) }
      last = frame.ptsNanoseconds
      if frame.index > 0 { continue }
      // Only an edit list may begin between keyframes: the decoder has seen what is hidden.
      #expect(frame.isKeyframe || item.id == "T10")
      let reference = Shared.corpus.appendingPathComponent("ref/\(item.id).png").path
      guard FileManager.default.fileExists(atPath: reference) else { continue }
      let still = try VideoReader(MediaInput(reference))
      let wanted = try #require(try still.nextFrame())
      let difference = meanDifference(
        try scaler.rgb(frame, width: wanted.width, height: wanted.height), try FrameScaler().rgb(wanted))
      #expect(difference <= 6)
    }
  }
}
