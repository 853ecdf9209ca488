/// The names of a model's classes.
struct ClassLabels: Sendable {
  private let names: [String]

  init(_ names: [String]) {
    self.names = names
  }

  /// The name of a class; `class_7` where the model has none for it.
  subscript(classID: Int) -> String {
    names.indices.contains(classID) ? names[classID] : "class_\(classID)"
  }

  /// The indices of a label, whatever its case. Two classes may bear one label.
  func indices(of label: String) -> [Int] {
    names.indices.filter { names[$0].lowercased() == label.lowercased() }
  }

  /// The name that is most like one that no class has.
  func nearest(to label: String) -> String? { NearestName.of(label, among: names) }
}
