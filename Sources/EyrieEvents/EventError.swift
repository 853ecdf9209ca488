/// What went wrong in the events module, as one line for a person and a code for a program.
public struct EventError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of a failure. New kinds may be added.
  public enum Code: Sendable, Hashable {
    /// The endpoint, topic filter, source identifier or option is not well formed.
    case malformed
    /// The endpoint names a transport that Eyrie does not speak.
    case unknownTransport
    /// Somebody else is bound to the endpoint.
    case endpointInUse
    /// The address, host, interface, file or directory does not exist here.
    case notFound
    /// The operating system refused for lack of rights.
    case permissionDenied
    /// The path exists, but is of the wrong kind (a directory, or no socket).
    case wrongFileKind
    /// The disk is full, or a quota or file size limit is reached.
    case noSpace
    /// The reader of a pipe has gone.
    case readerGone
    /// The socket, context or file was closed before.
    case closed
    /// A payload is not an Eyrie event.
    case malformedEvent
    /// Anything else that the operating system or libzmq reported.
    case system
  }

  /// The kind of the failure.
  public let code: Code
  /// One line: what failed, on which input, why, and what to do. It holds no credential.
  public let description: String

  package init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description.oneLine
  }
}

extension String {
  /// The text with everything that could break a line or drive a terminal written as `\u{…}`.
  ///
  /// Covers C0 and C1 controls, DEL, the line and paragraph separators, and the bidirectional
  /// overrides that let one text look like another.
  var oneLine: String {
    guard unicodeScalars.contains(where: \.disturbsLine) else { return self }
    var line = ""
    for scalar in unicodeScalars {
      if scalar.disturbsLine {
        line += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        line.unicodeScalars.append(scalar)
      }
    }
    return line
  }
}

extension Unicode.Scalar {
  fileprivate var disturbsLine: Bool {
    switch value {
    case 0..<0x20, 0x7f...0x9f, 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069: true
    default: false
    }
  }
}
