import Foundation
import Testing

@testable import EyrieMedia

@Suite struct DamagedFramesTests {
  @Test(arguments: ["libx264", "mpeg2video"])
  func areLeftOutIfTold(codec: String) throws {
    let scratch = try Scratch()
    let path = try lossyTransportStream(scratch, codec: codec).damaged
    let flagging = try VideoReader(MediaInput(path))
    let flagged = try flagging.allFrames()
    #expect(!flagged.filter(\.isCorrupt).isEmpty)
    #expect(flagging.droppedDamaged == 0)
    let dropping = try VideoReader(MediaInput(path), options: .init(damagedFrames: .drop))
    let kept = try dropping.allFrames()
    #expect(kept.filter(\.isCorrupt).isEmpty)
    #expect(kept.map(\.streamNanoseconds) == flagged.filter { !$0.isCorrupt }.map(\.streamNanoseconds))
    #expect(kept.map(\.index) == Array(0..<kept.count))
    #expect(dropping.droppedDamaged == flagged.count - kept.count)
    #expect(
      dropping.warnings.contains(
        MediaWarning(kind: .corruptFrameDropped, count: flagged.count - kept.count)))
    // Time goes on over what was left out.
    #expect(kept.last?.ptsNanoseconds == flagged.last?.ptsNanoseconds)
  }

  /// A camera that never sends another keyframe is not lost for ever.
  @Test func withoutKeyframesTheyComeBackMarked() throws {
    let scratch = try Scratch()
    let clean = scratch.path("clean.ts")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=68", "-c:v", "libx264", "-preset",
      "ultrafast",
      "-g", "100000", "-bf", "0", clean)
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: clean)))
    let packet = bytes.count / 188 / 50
    bytes.removeSubrange((packet * 188)..<((packet + 4) * 188))
    let path = scratch.path("damaged.ts")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let reader = try VideoReader(MediaInput(path), options: .init(damagedFrames: .drop))
    let frames = try reader.allFrames()
    #expect(reader.droppedDamaged == 1500)
    let back = frames.filter(\.isCorrupt).count
    #expect((100..<200).contains(back) && frames.suffix(back).filter(\.isCorrupt).count == back)
  }

  @Test func damageBehindAKeyframeOutlivesIt() {
    var tracker = DamageTracker()
    func isMarked(_ tag: Int64, isKeyframe: Bool = false, decodedWithErrors: Bool = false) -> Bool {
      tracker.isCorrupt(tag: tag, isKeyframe: isKeyframe, decodedWithErrors: decodedWithErrors)
    }
    // Packets 1…9 were read before any of their frames came out; 2 and 7 are damaged, 5 is a keyframe.
    tracker.damage(at: 2)
    tracker.damage(at: 7)
    var marked: [Int64] = []
    for tag: Int64 in 1...9 where isMarked(tag, isKeyframe: tag == 5) { marked.append(tag) }
    #expect(marked == [2, 3, 4, 7, 8, 9])
    let healed = isMarked(10, isKeyframe: true)
    #expect(!healed)
    // A damaged keyframe heals nothing.
    tracker.damage(at: 12)
    let keyframes = [isMarked(12, isKeyframe: true), isMarked(13, isKeyframe: true, decodedWithErrors: true)]
    #expect(keyframes == [true, true])
    let healedAgain = isMarked(14, isKeyframe: true)
    #expect(!healedAgain)
    // However much is damaged: bounded, and the first damage is not forgotten.
    for tag in 20..<1000 { tracker.damage(at: Int64(tag)) }
    let ends = [isMarked(20), isMarked(999), isMarked(1000, isKeyframe: true)]
    #expect(ends == [true, true, false])
  }

  /// A hole in a container that its reader passes over is seen in the pictures after it.
  @Test(arguments: ["webm", "mkv", "ogv", "ts"])
  func whatAContainerLostIsMarked(format: String) throws {
    let scratch = try Scratch()
    let clean = scratch.path("clean.\(format)")
    try Tool.ffmpeg(
      "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4", "-g", "25", "-bf", "0", clean)
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: clean)))
    let hole = (bytes.count * 3 / 10)..<(bytes.count * 4 / 10)
    bytes.replaceSubrange(hole, with: repeatElement(0, count: hole.count))
    let path = scratch.path("hole.\(format)")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let scaler = FrameScaler()
    var pictures: [Int64: [UInt8]] = [:]
    for frame in try VideoReader(MediaInput(clean)).allFrames() {
      pictures[frame.streamNanoseconds / 1_000_000] = try scaler.rgb(frame, width: 80, height: 45)
    }
    let frames = try VideoReader(MediaInput(path)).allFrames()
    #expect((60..<100).contains(frames.count))
    var unmarked = 0
    for frame in frames {
      guard let original = pictures[frame.streamNanoseconds / 1_000_000] else { continue }
      let isEqual = try scaler.rgb(frame, width: 80, height: 45) == original
      if !isEqual, !frame.isCorrupt { unmarked += 1 }
    }
    // The picture in which the hole begins is out before its edge is seen, and some decoders take zeros for data.
    #expect(unmarked <= 1)
    #expect(frames.last?.isCorrupt == false)
  }
}
