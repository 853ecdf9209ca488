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
}
