"""INT8 by post-training quantisation (NNCF), and what it cost in accuracy."""

from eyrie_convert.quantize.accuracy import Limits, accuracy_cost, limits_metadata
from eyrie_convert.quantize.detections import Detections, detections
from eyrie_convert.quantize.ptq import quantize_onnx, quantize_openvino

__all__ = [
    "Detections",
    "Limits",
    "accuracy_cost",
    "detections",
    "limits_metadata",
    "quantize_onnx",
    "quantize_openvino",
]
