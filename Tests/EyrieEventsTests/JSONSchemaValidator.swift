import Foundation

/// JSON Schema 2020-12, the keywords that the published schema uses. An unknown keyword is an error,
/// never ignored, so that the schema cannot outgrow its check.
struct JSONSchemaValidator {
  enum Failure: Error { case unknownKeyword(String), badSchema(String) }

  private static let annotations: Set<String> = ["$schema", "$id", "$defs", "title", "description", "format"]
  private let root: [String: Any]

  init(_ root: [String: Any]) { self.root = root }

  /// The places where a value breaks the schema; none if it is valid.
  func errors(in value: Any) throws -> [String] { try check(value, root, "$") }

  private func check(_ value: Any, _ schema: [String: Any], _ place: String) throws -> [String] {
    var errors: [String] = []
    func require(_ condition: Bool, _ keyword: String) {
      if !condition { errors.append("\(place): \(keyword)") }
    }
    for (keyword, rule) in schema where !Self.annotations.contains(keyword) {
      switch (keyword, rule) {
      case ("$ref", let name as String): errors += try check(value, resolve(name), place)
      case ("const", let expected as String): require(value as? String == expected, keyword)
      case ("enum", let allowed as [String]):
        require((value as? String).map(allowed.contains) ?? false, keyword)
      case ("type", let name as String): require(Self.has(value, type: name), keyword)
      case ("type", let names as [String]): require(names.contains { Self.has(value, type: $0) }, keyword)
      case ("minimum", let least as NSNumber):
        require((value as? NSNumber).map { $0.doubleValue >= least.doubleValue } ?? true, keyword)
      case ("minLength", let least as Int):
        require((value as? String).map { $0.unicodeScalars.count >= least } ?? true, keyword)
      case ("maxLength", let most as Int):
        require((value as? String).map { $0.unicodeScalars.count <= most } ?? true, keyword)
      case ("pattern", let pattern as String):
        let regex = try Regex(pattern)
        require((value as? String).map { $0.contains(regex) } ?? true, keyword)
      case ("oneOf", let options as [[String: Any]]):
        require(try options.filter { try check(value, $0, place).isEmpty }.count == 1, keyword)
      case ("anyOf", let options as [[String: Any]]):
        require(try options.contains { try check(value, $0, place).isEmpty }, keyword)
      case ("items", let items as [String: Any]):
        for (index, element) in (value as? [Any] ?? []).enumerated() {
          errors += try check(element, items, "\(place)[\(index)]")
        }
      case ("required", let names as [String]):
        for name in names { require((value as? [String: Any])?[name] != nil, "required \(name)") }
      case ("properties", let properties as [String: [String: Any]]):
        for (name, member) in value as? [String: Any] ?? [:] {
          if let property = properties[name] { errors += try check(member, property, "\(place).\(name)") }
        }
      case ("additionalProperties", _):
        let named = schema["properties"] as? [String: Any] ?? [:]
        for (name, member) in value as? [String: Any] ?? [:] where named[name] == nil {
          if let rest = rule as? [String: Any] {
            errors += try check(member, rest, "\(place).\(name)")
          } else {
            require(rule as? Bool == true, "additional \(name)")
          }
        }
      default: throw Failure.unknownKeyword(keyword)
      }
    }
    return errors
  }

  private func resolve(_ reference: String) throws -> [String: Any] {
    var node: Any? = root
    for part in reference.split(separator: "/").dropFirst() { node = (node as? [String: Any])?[String(part)] }
    guard reference.hasPrefix("#/"), let schema = node as? [String: Any] else {
      throw Failure.badSchema(reference)
    }
    return schema
  }

  private static func has(_ value: Any, type: String) -> Bool {
    let number = value as? NSNumber
    // JSONSerialization gives booleans as numbers of the type `char`, and no others.
    let isBoolean = number.map { String(cString: $0.objCType) == "c" } ?? false
    switch type {
    case "object": return value is [String: Any]
    case "array": return value is [Any]
    case "string": return value is String
    case "null": return value is NSNull
    case "boolean": return isBoolean
    case "number": return number != nil && !isBoolean
    case "integer": return !isBoolean && number.map { $0.doubleValue.rounded() == $0.doubleValue } ?? false
    default: return false
    }
  }
}
