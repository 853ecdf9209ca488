"""INT8 by post-training quantisation (NNCF), and what it cost in accuracy."""

from eyrie_convert.quantize.accuracy import Limits, accuracy_cost, limits_metadata
from eyrie_convert.quantize.detections import Detections, detections
from eyrie_convert.quantize.ptq import quantize_onnx, quantize_openvino
from eyrie_convert.quantize.runners import Runner, onnx_runner, openvino_runner

__all__ = [
    "Detections",
    "Limits",
    "Runner",
    "accuracy_cost",
    "detections",
    "limits_metadata",
    "onnx_runner",
    "openvino_runner",
    "quantize_onnx",
    "quantize_openvino",
]
