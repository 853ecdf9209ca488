import Testing

@testable import EyrieInference

struct SHA256Tests {
  private func digest(_ text: [UInt8], pieces: Int = 1 << 20) -> String {
    var hash = SHA256()
    text.withUnsafeBytes { bytes in
      for start in stride(from: 0, to: bytes.count, by: pieces) {
        hash.update(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + pieces, bytes.count)]))
      }
    }
    return hash.hexadecimal()
  }

  /// NIST's examples (FIPS 180-2, appendix B, and the empty text).
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func examples(text: String, expected: String) {
    #expect(digest(Array(text.utf8)) == expected)
  }

  @Test func aMillionTimesA() {
    let text = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    #expect(digest(text) == expected)
    #expect(digest(text, pieces: 999) == expected)
  }

  @Test func piecesDoNotMatter() {
    // Every length round the block of 64 bytes and the 8 bytes of the bit count.
    for count in Array(50...70) + Array(110...130) {
      let text = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
      let whole = digest(text)
      for pieces in [1, 3, 55, 56, 63, 64, 65] { #expect(digest(text, pieces: pieces) == whole) }
    }
  }
}
