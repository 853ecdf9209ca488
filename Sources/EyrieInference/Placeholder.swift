import COpenVINO
func v() { var c: OpaquePointer?; ov_core_create(&c) }
