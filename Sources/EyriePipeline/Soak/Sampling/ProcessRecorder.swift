import EyrieGraph

/// What a soak measures of the process and of the queues between stages.
struct ProcessRecorder: Sendable {
  private(set) var resident = SampleSeries()
  private(set) var anonymous = SampleSeries()
  private(set) var descriptors = SampleSeries()
  private(set) var threads = SampleSeries()
  /// In cores: CPU seconds for each second.
  private(set) var cpu = SampleSeries()
  /// How many items wait in front of each stage; those of all edges to it together.
  private(set) var queues: [String: SampleSeries] = [:]
  private var cpuSeconds: Double?

  /// - Parameters:
  ///   - time: seconds since the run began.
  ///   - seconds: since the last sample.
  mutating func sample(_ edges: [EdgeSnapshot], at time: Double, seconds: Double) {
    let resources = ProcessResources.current()
    if let value = resources.residentMb { resident.append(value, at: time) }
    if let value = resources.anonymousMb { anonymous.append(value, at: time) }
    if let value = resources.descriptors { descriptors.append(Double(value), at: time) }
    if let value = resources.threads { threads.append(Double(value), at: time) }
    let used = CPUClock.process()
    if let before = cpuSeconds, seconds > 0 { cpu.append((used - before) / seconds, at: time) }
    cpuSeconds = used
    var depths: [String: Int] = [:]
    for edge in edges { depths[edge.to, default: 0] += edge.depth }
    for (stage, depth) in depths {
      queues[stage, default: SampleSeries()].append(Double(depth), at: time)
    }
  }
}
