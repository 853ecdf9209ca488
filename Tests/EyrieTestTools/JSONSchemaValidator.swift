import Foundation

/// JSON Schema 2020-12, the keywords that the published schemas use, on values as `JSONSerialization` gives them.
/// An unknown keyword is an error, never ignored, so that no schema can outgrow its check.
public struct JSONSchemaValidator {
  /// What is wrong with a schema itself.
  public enum Failure: Error {
    /// A keyword that is not known here, or whose value has a form that is not.
    case unknownKeyword(String)
    /// A `$ref` that leads nowhere.
    case badReference(String)
  }

  private static let annotations: Set = ["$schema", "$id", "$defs", "title", "description", "format"]
  private let root: [String: Any]

  /// - Parameter root: the schema.
  public init(_ root: [String: Any]) { self.root = root }

  /// The places where a value breaks the schema; none if it is valid.
  /// - Throws: `Failure` when the schema is not understood; Foundation's error for a `pattern` that is none.
  public func errors(in value: Any) throws -> [String] { try check(value, root, "$") }

  private func check(_ value: Any, _ schema: [String: Any], _ place: String) throws -> [String] {
    var errors: [String] = []
    func require(_ condition: Bool, _ keyword: String) {
      if !condition { errors.append("\(place): \(keyword)") }
    }
    // A keyword says nothing about values of another type than its own.
    let object = value as? [String: Any]
    let array = value as? [Any]
    let text = value as? String
    let number = value as? NSNumber
    for (keyword, rule) in schema where !Self.annotations.contains(keyword) {
      switch (keyword, rule) {
      case ("$ref", let name as String): errors += try check(value, resolve(name), place)
      case ("const", let expected as String): require(text == expected, keyword)
      case ("enum", let allowed as [String]): require(text.map(allowed.contains) ?? false, keyword)
      case ("type", let name as String): require(Self.has(value, type: name), keyword)
      case ("type", let names as [String]): require(names.contains { Self.has(value, type: $0) }, keyword)
      case ("minimum", let least as NSNumber):
        require(number.map { $0.doubleValue >= least.doubleValue } ?? true, keyword)
      case ("maximum", let most as NSNumber):
        require(number.map { $0.doubleValue <= most.doubleValue } ?? true, keyword)
      case ("minLength", let least as Int):
        require(text.map { $0.unicodeScalars.count >= least } ?? true, keyword)
      case ("maxLength", let most as Int):
        require(text.map { $0.unicodeScalars.count <= most } ?? true, keyword)
      case ("pattern", let pattern as String):
        require(try text.map { try Self.matches($0, pattern) } ?? true, keyword)
      case ("minItems", let least as Int): require(array.map { $0.count >= least } ?? true, keyword)
      case ("minProperties", let least as Int): require(object.map { $0.count >= least } ?? true, keyword)
      case ("maxProperties", let most as Int): require(object.map { $0.count <= most } ?? true, keyword)
      case ("oneOf", let options as [[String: Any]]):
        require(try options.filter { try check(value, $0, place).isEmpty }.count == 1, keyword)
      case ("anyOf", let options as [[String: Any]]):
        require(try options.contains { try check(value, $0, place).isEmpty }, keyword)
      case ("items", let items as [String: Any]):
        for (index, element) in (array ?? []).enumerated() {
          errors += try check(element, items, "\(place)[\(index)]")
        }
      case ("required", let names as [String]):
        for name in names { require(object.map { $0[name] != nil } ?? true, "required \(name)") }
      case ("propertyNames", let rule as [String: Any]):
        for name in (object ?? [:]).keys.sorted() { errors += try check(name, rule, "\(place).\(name)") }
      case ("properties", let properties as [String: [String: Any]]):
        for (name, member) in object ?? [:] {
          if let property = properties[name] { errors += try check(member, property, "\(place).\(name)") }
        }
      case ("additionalProperties", _):
        let named = schema["properties"] as? [String: Any] ?? [:]
        for (name, member) in object ?? [:] where named[name] == nil {
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
      throw Failure.badReference(reference)
    }
    return schema
  }

  /// By the regular expressions of Foundation, which are close to those of JavaScript.
  private static func matches(_ text: String, _ pattern: String) throws -> Bool {
    let whole = NSRange(text.startIndex..., in: text)
    return try NSRegularExpression(pattern: pattern).firstMatch(in: text, range: whole) != nil
  }

  private static func has(_ value: Any, type: String) -> Bool {
    let number = value as? NSNumber
    // JSONSerialization gives booleans as numbers of the type `char`, and no others.
    let isBoolean = number.map { String(cString: $0.objCType) == "c" } ?? false
    return switch type {
    case "object": value is [String: Any]
    case "array": value is [Any]
    case "string": value is String
    case "null": value is NSNull
    case "boolean": isBoolean
    case "number": number != nil && !isBoolean
    case "integer": !isBoolean && number.map { $0.doubleValue.rounded() == $0.doubleValue } ?? false
    default: false
    }
  }
}
