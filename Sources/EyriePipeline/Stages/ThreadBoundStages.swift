import EyrieGraph

// Those that block in C or compute for long, and those to which a frame must come without an allocation.
extension AnnotateStage: ThreadBound {}
extension CropStage: ThreadBound {}
extension DecodeStage: ThreadBound {}
extension DetectStage: ThreadBound {}
extension PublishStage: ThreadBound {}
extension ResizeStage: ThreadBound {}
extension TrackStage: ThreadBound {}
