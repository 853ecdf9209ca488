import Foundation

/// A JSON array, or a single value where one is enough.
struct OneOrMany<Item: Decodable>: Decodable {
  var items: [Item]

  init(from decoder: any Decoder) throws {
    if var array = try? decoder.unkeyedContainer() {
      items = []
      while !array.isAtEnd { items.append(try array.decode(Item.self)) }
    } else {
      items = [try Item(from: decoder)]
    }
  }
}

/// Class names as an array, or as an object from class index to name.
struct Labels: Decodable {
  var names: [String]

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let list = try? container.decode([String].self) {
      names = list
      return
    }
    guard let byIndex = try? container.decode([String: String].self),
      let names = ExportMetadata.labels(
        from: .dict(byIndex.map { .init(key: .string($0.key), value: .string($0.value)) }))
    else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "is neither an array of class names nor an object from class index to name")
    }
    self.names = names
  }
}

/// A whole number. Foundation calls the whole text invalid when it meets `1.5` or `1e99` in place of one.
struct WholeNumber: Decodable {
  var value: Int

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let number = try container.decode(Double.self)
    guard let value = Int(exactly: number) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "is \(number), not a whole number")
    }
    self.value = value
  }
}

/// A value that only people read: one of another type is passed over.
struct Lenient<Value: Decodable>: Decodable {
  var value: Value?

  init(from decoder: any Decoder) throws {
    value = try? decoder.singleValueContainer().decode(Value.self)
  }
}

/// A value that converters spell in several ways (`NCHW`, `nchw`; `float32`, `f32`).
struct Spelled<Value: CaseIterable & RawRepresentable & Sendable>: Decodable
where Value.RawValue == String {
  var value: Value

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    let byName = ElementType(converterName: text) as? Value
    let same = Value.allCases.first { $0.rawValue.lowercased() == text.lowercased() }
    guard let value = byName ?? same else {
      let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "is \"\(text)\", not one of \(known)")
    }
    self.value = value
  }
}

/// What is wrong with a JSON text, with the path of the key.
func reason(ofDecoding error: any Error) -> String {
  guard let error = error as? DecodingError else { return "\(error)" }
  switch error {
  case .keyNotFound(let key, let context):
    return "\(keyText(context.codingPath + [key])) is missing"
  case .valueNotFound(_, let context):
    return "\(keyText(context.codingPath)) is null"
  case .typeMismatch(let type, let context):
    return "\(keyText(context.codingPath)) is no \(jsonName(of: type))"
  case .dataCorrupted(let context):
    if context.codingPath.isEmpty { return "is no JSON that can be read" }
    return "\(keyText(context.codingPath)) \(context.debugDescription)"
  @unknown default: return "\(error)"
  }
}

private func keyText(_ path: [any CodingKey]) -> String {
  guard !path.isEmpty else { return "the document" }
  var result = ""
  for key in path {
    if let index = key.intValue {
      result += "[\(index)]"
    } else {
      result += result.isEmpty ? key.stringValue : ".\(key.stringValue)"
    }
  }
  return result
}

private func jsonName(of type: any Any.Type) -> String {
  switch type {
  case is String.Type: "text"
  case is Bool.Type: "true or false"
  case is Double.Type: "number"
  case is [Any].Type: "array"
  default: "value of the right form"
  }
}
