/// How many elements a tensor of a shape has: the product of the lengths of its axes, 1 without axes.
///
/// Shapes come from files and models, which may be damaged or hostile: a length may be negative, and the product
/// larger than any `Int`, where a plain multiplication traps.
/// - Parameters:
///   - shape: the length of each axis.
///   - size: what each element counts for, such as its bytes.
/// - Returns: `nil` where a length is negative, or the product, taken from the left, does not fit.
func elementCount(_ shape: [Int], times size: Int = 1) -> Int? {
  var count = size
  for length in shape {
    let product = count.multipliedReportingOverflow(by: length)
    guard length >= 0, !product.overflow else { return nil }
    count = product.partialValue
  }
  return count
}
