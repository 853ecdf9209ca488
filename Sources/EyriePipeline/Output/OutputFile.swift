import Foundation

/// Writes a result to the place that a user named, whatever is there.
enum OutputFile {
  /// Replaces a regular file whole or not at all, at the end of the links that lead to it. A device or a
  /// named pipe is written into and stays what it is.
  /// - Parameter option: the option that named the file, for the error.
  static func write(_ data: Data, to path: String, option: String) throws(EyrieFailure) {
    do throws(SystemFailure) {
      var status = stat()
      let exists = stat(path, &status) == 0
      if exists, status.st_mode & S_IFMT != S_IFREG {
        try writeInto(path, flags: O_NONBLOCK, data)
      } else {
        try replace(path, mode: exists ? status.st_mode & 0o7777 : nil, data)
      }
    } catch {
      throw EyrieFailure(.run, "\(option) \(path): cannot be written: \(error)")
    }
  }

  private static func replace(_ path: String, mode: mode_t?, _ data: Data) throws(SystemFailure) {
    // A link is followed, as by any program that opens it. One that leads nowhere yet has no real path.
    guard let target = realPath(path) ?? (isLink(path) ? nil : path) else {
      return try writeInto(path, flags: O_CREAT | O_TRUNC, data)
    }
    let temporary = URL(fileURLWithPath: target).deletingLastPathComponent()
      .appendingPathComponent(".eyrie-\(UUID().uuidString)").path
    do throws(SystemFailure) {
      try writeInto(temporary, flags: O_CREAT | O_EXCL, data, mode: mode)
      guard rename(temporary, target) == 0 else { throw SystemFailure(errno) }
    } catch {
      unlink(temporary)
      // A directory that may not be written, or a single file mounted into a container: only the file itself
      // can be changed.
      guard mode != nil, [EACCES, EPERM, EBUSY, EROFS].contains(error.code) else { throw error }
      try writeInto(target, flags: O_TRUNC, data)
    }
  }

  private static func writeInto(
    _ path: String, flags: Int32, _ data: Data, mode: mode_t? = nil
  ) throws(SystemFailure) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC | flags, 0o666)
    guard descriptor >= 0 else { throw SystemFailure(errno) }
    defer { close(descriptor) }
    // Non-blocking was only for opening: a named pipe without a reader is an error and no reason to hang.
    if flags & O_NONBLOCK != 0 { _ = fcntl(descriptor, F_SETFL, 0) }
    if let mode { _ = fchmod(descriptor, mode) }
    let failure = data.withUnsafeBytes { bytes -> Int32? in
      var position = 0
      while position < bytes.count {
        let count = Foundation.write(
          descriptor, bytes.baseAddress?.advanced(by: position), bytes.count - position)
        if count >= 0 {
          position += count
        } else if errno != EINTR {
          return errno
        }
      }
      return nil
    }
    if let failure { throw SystemFailure(failure) }
    // Devices and pipes have no disk: EINVAL.
    if fsync(descriptor) != 0, ![EINVAL, ENOTSUP, EROFS].contains(errno) { throw SystemFailure(errno) }
  }

  /// The path without links; nil where nothing is there.
  static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }
}

/// An `errno` in words.
private struct SystemFailure: Error, CustomStringConvertible {
  let code: Int32

  init(_ code: Int32) {
    self.code = code
  }

  var description: String {
    switch code {
    case ENOSPC, EDQUOT, EFBIG: "no space is left; free some or choose another place"
    case EACCES, EPERM: "permission denied"
    case EROFS: "the file system is read-only"
    case ENOENT, ENOTDIR: "its directory does not exist"
    case ENAMETOOLONG: "the name is too long"
    case EPIPE, ENXIO: "nobody reads it"
    default: String(cString: strerror(code))
    }
  }
}
