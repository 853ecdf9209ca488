/// Stable radix sort of small records by an unsigned key, with scratch memory that is kept.
///
/// A least-significant-digit sort needs no comparison and no memory once its arrays have grown, and
/// stability gives the rule for ties (the lower anchor first) for free.
struct StableSorter: Sendable {
  private static let digitBits = 11

  private var keys: [UInt32] = []
  private var spareKeys: [UInt32] = []
  private var spareValues: [Int32] = []
  private var offsets = [Int](repeating: 0, count: 1 << digitBits)

  /// Sorts `values` by ascending `key(value)`; values with equal keys stay in order.
  mutating func sort(_ values: inout [Int32], by key: (Int32) -> UInt32) {
    keys.removeAll(keepingCapacity: true)
    var allBits: UInt32 = 0
    for value in values {
      let key = key(value)
      allBits |= key
      keys.append(key)
    }
    spareKeys.removeAll(keepingCapacity: true)
    spareKeys.append(contentsOf: keys)
    spareValues.removeAll(keepingCapacity: true)
    spareValues.append(contentsOf: values)

    var shift = 0
    while shift < 32, allBits >> UInt32(shift) != 0 {
      pass(&values, shift: UInt32(shift))
      shift += Self.digitBits
    }
  }

  private mutating func pass(_ values: inout [Int32], shift: UInt32) {
    let mask = UInt32(1 << Self.digitBits - 1)
    for digit in offsets.indices { offsets[digit] = 0 }
    for key in keys { offsets[Int(key >> shift & mask)] += 1 }
    var sum = 0
    for digit in offsets.indices {
      let count = offsets[digit]
      offsets[digit] = sum
      sum += count
    }
    for index in values.indices {
      let digit = Int(keys[index] >> shift & mask)
      spareKeys[offsets[digit]] = keys[index]
      spareValues[offsets[digit]] = values[index]
      offsets[digit] += 1
    }
    swap(&keys, &spareKeys)
    swap(&values, &spareValues)
  }
}
