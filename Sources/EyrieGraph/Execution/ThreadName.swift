import Foundation

/// Names the calling thread for debuggers and `top -H`; Linux keeps the first 15 bytes.
///
/// Not through `Thread.name`: on Linux that is lost when the thread runs before its starter has noted its handle.
func nameCurrentThread(_ name: String) {
  #if os(Linux)
    // The kernel's own file: pthread_setname_np is hidden from Swift here. A name is not worth an error.
    try? Data(name.utf8.prefix(15)).write(to: URL(fileURLWithPath: "/proc/thread-self/comm"))
  #else
    pthread_setname_np(name)
  #endif
}
