import Foundation

/// Runs work that blocks (opening a stream, reading and compiling a model) on a thread of its own, so that it
/// never holds a thread of the cooperative pool.
/// - Parameters:
///   - name: the thread's name, for debuggers.
///   - work: what to do; runs once.
/// - Returns: what the work returned.
public func withBlockingThread<Value: Sendable, Failure: Error>(
  named name: String, _ work: @escaping @Sendable () throws(Failure) -> Value
) async throws(Failure) -> Value {
  let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
    let thread = Thread {
      nameCurrentThread(name)
      do throws(Failure) {
        continuation.resume(returning: .success(try work()))
      } catch {
        continuation.resume(returning: .failure(error))
      }
    }
    thread.stackSize = 8 << 20
    thread.start()
  }
  return try result.get()
}
