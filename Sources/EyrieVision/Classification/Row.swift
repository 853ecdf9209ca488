/// One picture's row of an output tensor.
enum Row {
  /// The numbers of a row as binary32.
  /// - Parameter count: how many there must be; nil for any number from 1.
  /// - Returns: nil where one is NaN or infinite, or too large for binary32.
  /// - Throws: `VisionError.tensorSize` where the number of bytes is another.
  static func finite(
    _ row: RawSpan, element: TensorElement, count: Int? = nil
  ) throws(VisionError) -> [Float]? {
    let found = row.byteCount
    let count = count ?? max(1, found / element.size)
    let size = count.multipliedReportingOverflow(by: element.size)
    guard !size.overflow, size.partialValue == found else {
      throw .tensorSize(expected: size.partialValue, found: found)
    }
    let values = row.withUnsafeBytes { bytes -> [Float] in
      guard let base = bytes.baseAddress else { return [] }
      let reader = ElementReader(base: base, element: element)
      return (0..<count).map { reader[$0] }
    }
    return values.allSatisfy(\.isFinite) ? values : nil
  }
}
