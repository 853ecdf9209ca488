/// A first-in, first-out queue in one block of memory: it allocates when it is made, and again only when it is
/// told to make room.
struct Ring<Element: Sendable>: Sendable {
  private var slots: [Element?]
  private var head = 0
  private(set) var count = 0

  /// - Parameter capacity: at least 1.
  init(capacity: Int) {
    slots = Array(repeating: nil, count: capacity)
  }

  var isEmpty: Bool { count == 0 }
  var isFull: Bool { count == slots.count }

  /// Appends an element. The caller sees to it that there is room.
  mutating func append(_ element: Element) {
    slots[(head + count) % slots.count] = element
    count += 1
  }

  /// Puts an element in front of those at the end that come after it. The caller sees to it that there is room.
  mutating func insert(_ element: Element, before comesLater: (Element) -> Bool) {
    var place = count
    while place > 0, let last = slots[(head + place - 1) % slots.count], comesLater(last) {
      slots[(head + place) % slots.count] = last
      place -= 1
    }
    slots[(head + place) % slots.count] = element
    count += 1
  }

  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    defer {
      head = (head + 1) % slots.count
      count -= 1
    }
    return slots[head].take()
  }

  /// Sees to it that a number of elements have room.
  mutating func makeRoom(for number: Int) {
    guard number > slots.count else { return }
    var larger = Ring(capacity: max(number, slots.count * 2))
    while let element = popFirst() { larger.append(element) }
    self = larger
  }
}
