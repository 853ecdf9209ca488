/// What a stage remembers of each source (and of each detector that looks at it). Sources that are gone are
/// forgotten, so nothing grows where they come and go.
struct SourceStates<State> {
  private struct Key: Hashable {
    let source: ObjectIdentifier
    let detector: String
  }

  private struct Entry {
    weak var source: RunningSource?
    var state: State
  }

  private var entries: [Key: Entry] = [:]

  /// How many are remembered.
  var count: Int { entries.count }

  /// Works on the state of a source.
  /// - Parameters:
  ///   - detector: empty where detectors do not matter.
  ///   - initial: the state of a source that was not known.
  mutating func update<Value>(
    _ source: RunningSource, detector: String = "", initial: @autoclosure () -> State,
    _ change: (inout State) -> Value
  ) -> Value {
    let key = Key(source: ObjectIdentifier(source), detector: detector)
    // An address may have belonged to another source, which is gone.
    if entries[key]?.source !== source {
      entries = entries.filter { $0.value.source != nil }
      entries[key] = Entry(source: source, state: initial())
    }
    guard let index = entries.index(forKey: key) else {
      var state = initial()
      return change(&state)
    }
    return change(&entries.values[index].state)
  }
}
