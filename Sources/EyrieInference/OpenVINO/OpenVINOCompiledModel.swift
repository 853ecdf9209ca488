import COpenVINO

/// A model compiled for a device. May be used from any thread.
final class OpenVINOCompiledModel: Sendable {
  private let handle: Handle
  let path: String
  /// Held for as long as its threads are there.
  private let pinning: CorePinning.Right?

  init(handle: Handle, path: String, pinning: CorePinning.Right? = nil) {
    self.handle = handle
    self.path = path
    self.pinning = pinning
  }

  /// A property as text; `nil` when there is none of this name.
  func property(_ key: String) -> String? {
    var value: UnsafeMutablePointer<CChar>?
    guard ov_compiled_model_get_property(handle.pointer, key, &value) == OK else { return nil }
    return takeString(value)
  }

  /// Makes one request that can run independently of the others.
  func makeRequest() throws(ModelError) -> Handle {
    var request: OpaquePointer?
    try OpenVINOStatus.check(.backend, path, "OpenVINO cannot make an inference request") {
      ov_compiled_model_create_infer_request(handle.pointer, &request)
    }
    return try Handle(request, path, free: ov_infer_request_free)
  }
}
