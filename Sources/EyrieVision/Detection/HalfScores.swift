/// Compares class scores in binary16 as they are, without converting them.
///
/// The bit patterns of numbers that are not negative are ordered as the numbers are. So sixteen scores are compared
/// at once as 16-bit integers, and only those that win are ever converted. Converting all took four times as long.
enum HalfScores {
  /// Stands for the best score of an anchor that has a score which is not finite: nothing exceeds it.
  static let corrupt = Int16.max
  /// The pattern of the greatest finite number. What has a greater one, without its sign, is infinite or NaN.
  private static let greatest: Int16 = 0x7bff
  private static let magnitudeBits: Int16 = 0x7fff
  private static let lanes = 16

  /// The pattern of the greatest number that is not above a threshold, 0…1: a score is above the threshold just if its
  /// pattern is above this.
  static func floor(_ threshold: Float) -> Int16 {
    var (low, high) = (Int16(0), greatest)
    while low < high {
      let middle = low + (high - low + 1) / 2
      if value(middle) <= threshold { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// The number that a best score stands for; infinity for a corrupt one.
  static func value(_ pattern: Int16) -> Float {
    pattern == corrupt ? .infinity : HalfPrecision.widen(UInt16(bitPattern: pattern))
  }

  /// Raises the best score and class of `count` anchors by one row of scores. An equal score leaves the earlier class.
  static func raise(
    _ best: UnsafeMutablePointer<Int16>, _ bestClass: UnsafeMutablePointer<Int32>,
    by scores: UnsafeRawPointer, count: Int, classID: Int32
  ) {
    func raiseSingly(_ range: Range<Int>) {
      for index in range {
        let score = scores.loadUnaligned(fromByteOffset: index * 2, as: Int16.self)
        if score & magnitudeBits > greatest {
          best[index] = corrupt
        } else if score > best[index] {
          best[index] = score
          bestClass[index] = classID
        }
      }
    }
    let bestBytes = UnsafeRawPointer(best)
    var index = 0
    while index + lanes <= count {
      let row = scores.loadUnaligned(fromByteOffset: index * 2, as: SIMD16<Int16>.self)
      let known = bestBytes.loadUnaligned(fromByteOffset: index * 2, as: SIMD16<Int16>.self)
      if !isDull(row, known) { raiseSingly(index..<index + lanes) }
      index += lanes
    }
    raiseSingly(index..<count)
  }

  /// The greatest of `count` scores and its class, the first of equals; (threshold, 0) where none is greater, `corrupt`
  /// where one is not finite.
  static func best(
    of scores: UnsafeRawPointer, count: Int, above threshold: Int16
  ) -> (score: Int16, classID: Int32) {
    var result = (score: threshold, classID: Int32(0))
    func look(at range: Range<Int>) {
      for index in range {
        let score = scores.loadUnaligned(fromByteOffset: index * 2, as: Int16.self)
        if score & magnitudeBits > greatest {
          result.score = corrupt
        } else if score > result.score {
          result = (score, Int32(index))
        }
      }
    }
    var index = 0
    while index + lanes <= count {
      let row = scores.loadUnaligned(fromByteOffset: index * 2, as: SIMD16<Int16>.self)
      if !isDull(row, SIMD16(repeating: result.score)) { look(at: index..<index + lanes) }
      index += lanes
    }
    look(at: index..<count)
    return result
  }

  /// Whether none of the scores needs a closer look: all at most `best`, and finite.
  ///
  /// Comparisons of integer vectors are loops over the lanes in Swift 6.3, in which this took thirty times as long.
  /// So it looks at the signs of differences: of two numbers from 0 to 32767 they tell which is greater, and where the
  /// score is negative, which is below any other, the sign is masked out.
  @inline(__always)
  private static func isDull(_ scores: SIMD16<Int16>, _ best: SIMD16<Int16>) -> Bool {
    let isNotNegative = scores ^ SIMD16(repeating: -1)
    let isGreater = (best &- scores) & isNotNegative
    let isNotFinite = SIMD16(repeating: greatest) &- (scores & SIMD16(repeating: magnitudeBits))
    let signs = unsafeBitCast(isGreater | isNotFinite, to: SIMD4<UInt64>.self)
    return (signs[0] | signs[1] | signs[2] | signs[3]) & 0x8000_8000_8000_8000 == 0
  }
}
