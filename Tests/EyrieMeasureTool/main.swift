import Foundation

// Measures what tests and maintainers want to know of the optimised code.
do {
  try await MeasureCommand(CommandLine.arguments.dropFirst()).run()
} catch {
  FileHandle.standardError.write(Data("eyrie-measure: \(error)\n".utf8))
  exit(2)
}
