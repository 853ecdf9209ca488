import CFFmpeg
func v() -> UInt32 { avformat_version() &+ avcodec_version() &+ swscale_version() }
