import CFFmpeg
import Foundation

/// What the operating system and the first bytes say about a file, before FFmpeg sees it.
struct LocalFile {
  enum Kind { case regular, stream }

  let path: String
  let kind: Kind

  /// Looks at the file without reading its content.
  init(path: String, input: String) throws(MediaError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw MediaError(.missing, input.isEmpty ? "\"\"" : input, "no such file; check the path")
    }
    // Looked at from outside: opening a named pipe would wait for its writer, beyond any interrupt, and closing
    // it again would break the pipe for a writer that came meanwhile.
    var status = stat()
    guard stat(path, &status) == 0, access(path, R_OK) == 0 else { throw Self.error(errno, input: input) }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      throw MediaError(.directory, input, "is a directory; name a video file in it")
    case S_IFREG:
      guard status.st_size > 0 else {
        throw MediaError(.empty, input, "the file is empty; the recording or download failed")
      }
      kind = .regular
    case S_IFIFO, S_IFCHR:
      kind = .stream
    default:
      kind = .regular
    }
    self.path = path
  }

  static func error(_ code: Int32, input: String) -> MediaError {
    switch code {
    case ENOENT, ENOTDIR: MediaError(.missing, input, "no such file; check the path")
    case EACCES, EPERM: MediaError(.permissionDenied, input, "permission denied; check who may read it")
    default: MediaError(.io, input, "cannot open: \(FFmpeg.message(FFmpeg.error(code)))")
    }
  }

  /// A better reason than "not a media file" where the content gives one away.
  func diagnose(input: String) -> MediaError? {
    guard kind == .regular, let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard let head = try? file.read(upToCount: 512) else { return nil }
    let text = String(decoding: head, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      .lowercased()
    if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") {
      return MediaError(
        .notMedia, input, "an HTML page, not a media file; the download probably failed")
    }
    return lacksIndex(file) ? .cutOff(input) : nil
  }

  /// Whether the file is an MP4 or QuickTime file whose `moov` box is absent or cut short. Boxes: 32-bit
  /// big-endian size, type; size 1 means a 64-bit size follows, 0 means to the end (ISO/IEC 14496-12, 4.2).
  private func lacksIndex(_ file: FileHandle) -> Bool {
    guard let length = try? file.seekToEnd() else { return false }
    let boxes: Set<String> = [
      "ftyp", "styp", "moov", "mdat", "free", "skip", "wide", "pnot", "uuid", "moof", "sidx",
    ]
    var offset: UInt64 = 0
    for _ in 0..<10_000 {
      guard (try? file.seek(toOffset: offset)) != nil, let header = try? file.read(upToCount: 16) else {
        return false
      }
      guard header.count >= 8 else { return offset > 0 }
      let bytes = [UInt8](header)
      let type = String(decoding: bytes[4..<8], as: UTF8.self)
      if offset == 0, !boxes.contains(type) { return false }
      var size = UInt64(Self.bigEndian(bytes[0..<4]))
      if size == 1, bytes.count == 16 { size = Self.bigEndian(bytes[8..<16]) }
      if size == 0 { size = length - offset }
      guard size >= 8 else { return type != "moov" }
      let (end, overflow) = offset.addingReportingOverflow(size)
      let isWhole = !overflow && end <= length
      if type == "moov" { return !isWhole }
      guard isWhole, end < length else { return true }
      offset = end
    }
    return false
  }

  private static func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension MediaError {
  static func cutOff(_ input: String) -> MediaError {
    MediaError(
      .cutOff, input,
      "the recording is cut off: its index (moov) is missing; repair it with a recovery tool or record again")
  }
}
