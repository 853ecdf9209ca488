import CAllocationCounter
import Foundation

/// A place that allocated while allocations were recorded.
struct AllocationSite {
  let count: Int
  let bytes: Int
  /// The file name of the library that asked; `eyrie` for what is linked into the executable.
  let library: String
  /// Where, the innermost first; the first lies in the library.
  let addresses: [UInt]

  /// What is linked into the executable.
  static let own = "eyrie"

  var isOwn: Bool { library == Self.own }

  /// The functions of the executable on the way to the place, the innermost first.
  var functions: [String] {
    addresses.compactMap { address in
      allocation_symbol(address).map { demangled(String(cString: $0)) }
    }
  }

  /// Reads what was recorded, the most frequent first.
  static func recorded() -> [AllocationSite] {
    (0..<allocation_site_count()).map { AllocationSite(allocation_site_at($0)) }
      .sorted { $0.count > $1.count }
  }

  private init(_ site: allocation_site) {
    count = Int(site.count)
    bytes = Int(site.bytes)
    let path = allocation_module_name(site.module).map { String(cString: $0) } ?? "?"
    library = path.isEmpty ? Self.own : path.split(separator: "/").last.map(String.init) ?? path
    addresses = withUnsafeBytes(of: site.addresses) { bytes in
      Array(bytes.bindMemory(to: UInt.self).prefix(Int(site.depth)))
    }
  }
}

/// The runtime's own demangler, which has no header.
@_silgen_name("swift_demangle")
private func swiftDemangle(
  _ name: UnsafePointer<CChar>, _ length: Int, _ buffer: UnsafeMutablePointer<CChar>?,
  _ size: UnsafeMutablePointer<Int>?, _ flags: UInt32
) -> UnsafeMutablePointer<CChar>?

private func demangled(_ symbol: String) -> String {
  guard let text = swiftDemangle(symbol, symbol.utf8.count, nil, nil, 0) else { return symbol }
  defer { free(text) }
  return String(cString: text)
}
