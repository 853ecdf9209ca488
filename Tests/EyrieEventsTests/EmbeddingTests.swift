import EyrieTestTools
import Foundation
import Testing

@testable import EyrieEvents

@Suite("Embeddings") struct EmbeddingTests {
  private func json(_ embedding: Embedding) throws -> Any? {
    var detection = Sample.detection()
    detection.embedding = embedding
    let event = try Sample.json(try Sample.detections("cam1", [detection]))
    return (event["detections"] as? [[String: Any]])?.first?["embedding"]
  }

  /// Numbers between neighbours are rounded to the nearer, and to the even one in the middle.
  @Test("become the nearest 16-bit floats") func rounding() {
    for bits in UInt16(0)...0x7bff {
      let value = HalfFloat.value(of: bits)
      #expect(HalfFloat.bits(of: value) == bits && HalfFloat.bits(of: -value) == bits | 0x8000)
      guard bits < 0x7bff else { break }
      let middle = (value + HalfFloat.value(of: bits + 1)) / 2
      #expect(HalfFloat.bits(of: middle) == (bits.isMultiple(of: 2) ? bits : bits + 1))
      #expect(HalfFloat.bits(of: middle.nextDown) == bits && HalfFloat.bits(of: middle.nextUp) == bits + 1)
    }
    #expect(HalfFloat.value(of: 0x3c00) == 1 && HalfFloat.value(of: 0x0001) == 0x1p-24)
    #expect(HalfFloat.value(of: 0x7bff) == HalfFloat.greatest && HalfFloat.bits(of: 65520) == 0x7c00)
    #expect(HalfFloat.value(of: 0xfc00) == -.infinity && HalfFloat.value(of: 0x7e00).isNaN)
    #expect(HalfFloat.bits(of: .infinity) == 0x7c00 && HalfFloat.value(of: HalfFloat.bits(of: .nan)).isNaN)
  }

  @Test("travel in base64 that others can read", arguments: [0, 1, 2, 3, 4, 5, 512])
  func base64(count: Int) throws {
    var random = SplitMix64(seed: UInt64(count))
    let values = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
    let text = try #require(try json(Embedding(values)) as? String)
    // Foundation's decoder is not ours.
    let data = try #require(Data(base64Encoded: text))
    #expect(data.count == 2 * count)
    for (index, value) in values.enumerated() {
      let bits = UInt16(data[2 * index]) | UInt16(data[2 * index + 1]) << 8
      #expect(abs(HalfFloat.value(of: bits) - value) <= 0x1p-11 * abs(value) + 0x1p-25)
    }
  }

  @Test("are null where a number has no place in them")
  func notFinite() throws {
    #expect(try json(Embedding([65504])) as? String == "/3s=")
    #expect(try json(Embedding([65505])) is NSNull && json(Embedding([1, .nan])) is NSNull)
    #expect(try json(Embedding([65505], encoding: .array)) as? [Double] == [65505])
    #expect(try json(Embedding([.infinity], encoding: .array)) is NSNull)
  }

  @Test("that were damaged are refused", arguments: [#""AA""#, #""A===""#, #""AAA=BBBB""#, "7", #"[1,"a"]"#])
  func damage(written: String) throws {
    var detection = Sample.detection()
    detection.embedding = Embedding([0.25], encoding: .array)
    var encoder = EventEncoder()
    let payload = encoder.encode(try Sample.detections("cam1", [detection])).payload
    let damaged = String(decoding: payload, as: UTF8.self).replacing("[0.25]", with: written)
    #expect(throws: EventError.self) { try EventDecoder().decode(Array(damaged.utf8)) }
  }
}
