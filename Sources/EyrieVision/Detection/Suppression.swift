/// Which boxes suppress one another where they overlap.
public enum Suppression: Hashable, Sendable {
  /// Boxes of the same class.
  case perClass
  /// All boxes.
  case classAgnostic
  /// Boxes of the classes of one group, by index; a class in no group suppresses only its own. No class
  /// may be in two groups.
  case groups([Set<Int>])

  func check() throws(VisionError) {
    guard case .groups(let groups) = self else { return }
    var seen: Set<Int> = []
    for group in groups {
      if let twice = group.intersection(seen).min() {
        throw .setting(
          name: "suppression groups", value: "\(groups.map { $0.sorted() })",
          allowed: "groups that share no class (here \(twice))")
      }
      seen.formUnion(group)
    }
  }
}

/// The number of the group of each class: boxes of equal numbers suppress one another.
struct SuppressionGroups: Sendable {
  /// Whether there is only one.
  let isOne: Bool
  private var numbers: [Int32: Int32] = [:]

  init(_ suppression: Suppression) {
    isOne = suppression == .classAgnostic
    guard case .groups(let groups) = suppression else { return }
    for group in groups {
      // The number of its least class, which no other group has, nor a class by itself.
      guard let least = group.lazy.compactMap({ Int32(exactly: $0) }).min() else { continue }
      for classID in group.lazy.compactMap({ Int32(exactly: $0) }) { numbers[classID] = least }
    }
  }

  func number(of classID: Int32) -> Int32 {
    if isOne { return 0 }
    return numbers.isEmpty ? classID : numbers[classID] ?? classID
  }
}
