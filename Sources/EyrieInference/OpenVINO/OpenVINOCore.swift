import COpenVINO
import Synchronization

/// OpenVINO's core: reads and compiles models. One for the process, as its plugins and threads are.
final class OpenVINOCore: Sendable {
  /// `ov_core_t*`. Its functions may be called from any thread.
  private let handle: Handle

  private static let shared = Mutex<OpenVINOCore?>(nil)

  /// The core of the process, made when it is first asked for.
  static func get() throws(ModelError) -> OpenVINOCore {
    let core = shared.withLock { shared -> Result<OpenVINOCore, ModelError> in
      if let core = shared { return .success(core) }
      do throws(ModelError) {
        let core = try OpenVINOCore()
        shared = core
        return .success(core)
      } catch {
        return .failure(error)
      }
    }
    return try core.get()
  }

  private init() throws(ModelError) {
    var core: OpaquePointer?
    try OpenVINOStatus.check(.backend, "OpenVINO", "cannot be started") { ov_core_create(&core) }
    handle = try Handle(core, "OpenVINO", free: ov_core_free)
  }

  /// Reads a model file with the frontend for its type.
  func readModel(_ path: String) throws(ModelError) -> OpenVINOModel {
    var model: OpaquePointer?
    try OpenVINOStatus.check(.corrupt, path, "OpenVINO cannot read the model") {
      ov_core_read_model(handle.pointer, path, nil, &model)
    }
    return OpenVINOModel(handle: try Handle(model, path, free: ov_model_free), path: path)
  }

  /// Compiles a model for a device.
  /// - Parameters:
  ///   - properties: OpenVINO's own property keys and values.
  ///   - pinning: what the compiled model holds for as long as it lives, if the properties let it pin its threads.
  func compile(
    _ model: OpenVINOModel, device: String, properties: [(key: String, value: String)],
    pinning: CorePinning.Right? = nil
  ) throws(ModelError) -> OpenVINOCompiledModel {
    let strings = properties.map { (key: CString($0.key), value: CString($0.value)) }
    let list = strings.map { ov_property_t(key: $0.key.pointer, value: $0.value.pointer) }
    var compiled: OpaquePointer?
    try OpenVINOStatus.check(.backend, model.path, "OpenVINO cannot compile the model for \(device)") {
      withExtendedLifetime(strings) {
        ov_core_compile_model_props(handle.pointer, model.handle.pointer, device, list.count, list, &compiled)
      }
    }
    return OpenVINOCompiledModel(
      handle: try Handle(compiled, model.path, free: ov_compiled_model_free), path: model.path,
      pinning: pinning)
  }

  /// A property of a device as text; `nil` when the device does not have it.
  func property(_ key: String, of device: String) -> String? {
    var value: UnsafeMutablePointer<CChar>?
    guard ov_core_get_property(handle.pointer, device, key, &value) == OK else { return nil }
    return takeString(value)
  }
}

/// One object of OpenVINO's C interface, freed with the last reference.
final class Handle: @unchecked Sendable {
  // Sendable because the pointer never changes, and OpenVINO's objects may be used from any thread; those
  // that may not be used from two at once (models, requests) say so where they are wrapped.
  let pointer: OpaquePointer
  private let free: (OpaquePointer?) -> Void

  init(
    _ pointer: OpaquePointer?, _ subject: String, free: @escaping @Sendable (OpaquePointer?) -> Void
  ) throws(ModelError) {
    guard let pointer else { throw ModelError(.backend, subject, "OpenVINO returned nothing") }
    self.pointer = pointer
    self.free = free
  }

  deinit { free(pointer) }
}

/// A C string that lives as long as this.
private final class CString {
  let pointer: UnsafeMutablePointer<CChar>

  init(_ text: String) {
    let bytes = text.utf8CString
    pointer = .allocate(capacity: bytes.count)
    pointer.initialize(from: Array(bytes), count: bytes.count)
  }

  deinit { pointer.deallocate() }
}

/// Copies a string that OpenVINO allocated, and frees it.
func takeString(_ pointer: UnsafePointer<CChar>?) -> String? {
  guard let pointer else { return nil }
  defer { ov_free(pointer) }
  return String(cString: pointer)
}
