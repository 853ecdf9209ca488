import EyrieEvents
import EyrieGraph
import EyrieInference
import EyrieMedia
import EyrieVision

/// Cuts the objects that a model is to look at out of the full-resolution frame, at the size of the model, and sends
/// them on their way through it.
///
/// Objects of a track are looked at once and again only when that promises something (`TrackMemory`). Frames come
/// here in their order, so what is looked at does not depend on how fast anything is. Resampling computes without a
/// pause: the actor runs on a thread of its own.
actor CropStage: TransformStage {
  nonisolated let executor = ThreadExecutor(name: "crop")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Of the stage that the crops are for.
  private let name: String
  private let plan: CropModelPlan
  private let target: CropTarget
  private let batcher: CropBatcher
  private let pool: CropPixelPool
  private let sampler = CropSampler()
  private var memories = SourceStates<TrackMemory>()
  /// The classes to look at of each detector.
  private var wanted: [String: Set<Int>] = [:]

  init(_ model: RunningCropModel, batcher: CropBatcher) {
    name = model.plan.name
    plan = model.plan
    target = model.target
    self.batcher = batcher
    pool = CropPixelPool(byteCount: model.session.inputByteSize)
  }

  func process(_ item: DetectedFrame, permit: Void) async throws(StageFailure) -> StageResult<CroppedFrame> {
    var counts = CropCounts()
    let looks = plan.looksAtFrames ? look(atFrame: item, &counts) : look(atObjects: item, &counts)
    if counts != CropCounts() {
      item.source.source.update { $0.crops[name, default: CropCounts()].add(counts) }
    }
    batcher.submit(looks.filter(\.isNew).map(\.ticket))
    return .emit(CroppedFrame(frame: item, looks: looks))
  }

  private func look(atFrame item: DetectedFrame, _ counts: inout CropCounts) -> [CropLook] {
    let frame = item.source.frame
    counts.seen += 1
    guard mayQueue(item) else {
      counts.dropped[CropLoss.queueFull, default: 0] += 1
      return []
    }
    let whole = CropRegion(x: 0, y: 0, width: Double(frame.width), height: Double(frame.height))
    guard let pixels = cut(whole, of: frame) else {
      counts.dropped[CropLoss.cropFailed, default: 0] += 1
      return []
    }
    return [CropLook(object: nil, ticket: CropTicket(pixels), isNew: true, isOfTrack: false, before: nil)]
  }

  private func look(atObjects item: DetectedFrame, _ counts: inout CropCounts) -> [CropLook] {
    let classes = wantedClasses(of: item.detector)
    var looks: [CropLook] = []
    for (index, object) in item.objects.enumerated() {
      if let classes, !classes.contains(object.detection.classID) { continue }
      do throws(Loss) {
        // What is predicted shows nothing new.
        guard let look = object.isPredicted ? known(of: index, in: item) : try look(at: index, in: item)
        else {
          continue
        }
        looks.append(look)
      } catch {
        counts.dropped[error.reason, default: 0] += 1
      }
      counts.seen += 1
    }
    return looks
  }

  /// Why an object is not looked at, as it is counted.
  private struct Loss: Error {
    let reason: String
  }

  private func look(at index: Int, in item: DetectedFrame) throws(Loss) -> CropLook {
    let object = item.objects[index]
    let frame = item.source.frame
    let time = frame.ptsNanoseconds
    let region = region(of: object.detection.box, in: frame)
    guard let track = object.trackID else {
      if item.isTracked { throw Loss(reason: CropLoss.untracked) }
      let ticket = CropTicket(try pixels(of: object, region, item))
      return CropLook(object: index, ticket: ticket, isNew: true, isOfTrack: false, before: nil)
    }
    let quality = {
      CropQuality(
        area: Double(object.detection.box.area), sharpness: frame.sharpness(of: region),
        confidence: object.detection.confidence)
    }
    if case .reuse(let known) = memory(of: item, { $0.decide(track, at: time, quality: quality) }) {
      return CropLook(known, object: index)
    }
    do throws(Loss) {
      let ticket = CropTicket(try pixels(of: object, region, item))
      let before = memory(of: item) { $0.remember(ticket, of: track, quality: quality(), at: time) }
      return CropLook(object: index, ticket: ticket, isNew: true, isOfTrack: true, before: before)
    } catch {
      // An earlier look still says something.
      guard let look = known(of: index, in: item) else { throw error }
      return look
    }
  }

  /// What an earlier look at the track of an object says; nil for nothing.
  private func known(of index: Int, in item: DetectedFrame) -> CropLook? {
    guard let track = item.objects[index].trackID, let known = memory(of: item, { $0.known(of: track) })
    else {
      return nil
    }
    return CropLook(known, object: index)
  }

  private func pixels(
    of object: FoundObject, _ region: CropRegion, _ item: DetectedFrame
  ) throws(Loss) -> CropPixels {
    guard min(object.detection.box.width, object.detection.box.height) >= Float(plan.minBox) else {
      throw Loss(reason: CropLoss.tooSmall)
    }
    guard mayQueue(item) else { throw Loss(reason: CropLoss.queueFull) }
    guard let pixels = cut(region, of: item.source.frame) else { throw Loss(reason: CropLoss.cropFailed) }
    return pixels
  }

  /// Files wait for the model. Who has a pace of their own must not: crops that would be late are not even cut.
  private func mayQueue(_ item: DetectedFrame) -> Bool {
    !item.source.source.hasOwnPace && plan.timeout == nil || batcher.hasRoom
  }

  private func memory<Value>(of item: DetectedFrame, _ body: (inout TrackMemory) -> Value) -> Value {
    memories.update(
      item.source.source, detector: item.detector.name, initial: TrackMemory(refresh: plan.refresh), body)
  }

  /// The box with its padding, inside the picture.
  private func region(of box: EyrieVision.Box, in frame: VideoFrame) -> CropRegion {
    let (across, down) = (plan.padding * Double(box.width), plan.padding * Double(box.height))
    let left = max(0, Double(box.x) - across)
    let top = max(0, Double(box.y) - down)
    let right = min(Double(frame.width), Double(box.x) + Double(box.width) + across)
    let bottom = min(Double(frame.height), Double(box.y) + Double(box.height) + down)
    return CropRegion(x: left, y: top, width: right - left, height: bottom - top)
  }

  /// - Returns: nil where the picture cannot be converted.
  private func cut(_ region: CropRegion, of frame: VideoFrame) -> CropPixels? {
    let pixels = pool.take()
    do throws(MediaError) {
      try sampler.sample(frame, region: region, into: pixels.bytes, target: target)
      return pixels
    } catch {
      batcher.onFailure(CropLoss.cropFailed, "\(error)")
      return nil
    }
  }

  /// nil for all.
  private func wantedClasses(of detector: DetectorIdentity) -> Set<Int>? {
    guard let labels = plan.on else { return nil }
    if let known = wanted[detector.name] { return known }
    let classes = Set(labels.flatMap { detector.labels.indices(of: $0) })
    wanted[detector.name] = classes
    return classes
  }
}
