/// Finds the name that somebody probably meant.
enum NearestName {
  /// Nobody mistypes a name as a paragraph, and the time that a distance takes grows with the square.
  private static let longest = 64

  /// - Returns: the known name with the least edit distance, the first of several, whatever the case of letters;
  ///   nil when even that is far off: by more than half of the word, and by more than one edit.
  static func of(_ word: String, among names: [String]) -> String? {
    guard word.utf8.count <= longest else { return nil }
    let wanted = Array(word.lowercased())
    let most = max(1, wanted.count / 2)
    let ranked = names.lazy.map { (name: $0, letters: Array($0.lowercased())) }
      // At least so many letters are missing or too many.
      .filter { abs($0.letters.count - wanted.count) <= most }
      .map { (name: $0.name, distance: distance(wanted, $0.letters)) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= most ? best.name : nil
  }

  /// The least number of edits that turn one word into another, where no letter is edited twice. An edit puts a
  /// letter in, takes one out, puts one in the place of another, or swaps two neighbours: the optimal string
  /// alignment, Damerau, "A technique for computer detection and correction of spelling errors", 1964.
  static func distance(_ left: [Character], _ right: [Character]) -> Int {
    // Row i holds the distances of the first i letters of `left` from each beginning of `right`.
    var twoAbove: [Int] = []
    var above = Array(0...right.count)
    for i in left.indices {
      var row = [i + 1]
      row.reserveCapacity(right.count + 1)
      for j in right.indices {
        var least = min(above[j + 1] + 1, row[j] + 1, above[j] + (left[i] == right[j] ? 0 : 1))
        if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
          least = min(least, twoAbove[j - 1] + 1)
        }
        row.append(least)
      }
      (twoAbove, above) = (above, row)
    }
    return above[right.count]
  }
}
