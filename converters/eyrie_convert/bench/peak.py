"""Measures how many operations a second this machine does at its best, through OpenVINO."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

ARITHMETICS = ("f32", "bf16", "int8")
# Large enough that what is not arithmetic hardly counts, small enough for the caches that real layers use.
CONVOLUTION_CHANNELS, CONVOLUTION_SIDE, CONVOLUTION_KERNEL = 256, 56, 3
MATRIX_SIDE = 1536


class PeakMeter:
    """The best of a large convolution and a large matrix product in each arithmetic, over all calls of ``measure``.

    The best, not the median: whatever slows a machine down lowers what is seen of its peak, nothing raises it.
    """

    def __init__(self, core: Any, arithmetics: tuple[str, ...] = ARITHMETICS) -> None:
        self.gop_per_s = dict.fromkeys(arithmetics, 0.0)
        self._probes = [
            _Probe(core, build(arithmetic), arithmetic, hint)
            for arithmetic in arithmetics
            for build in (_convolution, _product)
            for hint in ("LATENCY", "THROUGHPUT")
        ]

    def measure(self, seconds: float = 0.05, times: int = 3) -> None:
        """Run each probe so often: bursts short enough that some of them have the machine to themselves."""
        for _ in range(times):
            for probe in self._probes:
                self.gop_per_s[probe.arithmetic] = max(self.gop_per_s[probe.arithmetic], probe.run(seconds))


class _Probe:
    def __init__(self, core: Any, built: tuple[Any, int], arithmetic: str, hint: str) -> None:
        import openvino as ov

        model, self._operations = built
        self.arithmetic = arithmetic
        precision = "bf16" if arithmetic == "bf16" else "f32"
        compiled = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision})
        self._queue = ov.AsyncInferQueue(compiled, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        values = np.random.default_rng(0)
        for request in self._queue:
            data = request.get_input_tensor().data
            data[:] = values.uniform(0, 100, data.shape)
        self.run(0.02)

    def run(self, seconds: float) -> float:
        """Return 10⁹ operations a second."""
        start, runs = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            self._queue.start_async()
            runs += 1
        self._queue.wait_all()
        return self._operations * runs / (time.perf_counter() - start) / 1e9


def _convolution(arithmetic: str) -> tuple[Any, int]:
    import openvino as ov
    from openvino import opset13 as ops

    channels, side, kernel = CONVOLUTION_CHANNELS, CONVOLUTION_SIDE, CONVOLUTION_KERNEL
    value = ops.parameter([1, channels, side, side], np.float32)
    weights = _weights((channels, channels, kernel, kernel), arithmetic)
    pad = [kernel // 2] * 2
    result = ops.convolution(_activations(value, arithmetic), weights, [1, 1], pad, pad, [1, 1])
    return ov.Model([result], [value]), 2 * channels**2 * kernel**2 * side**2


def _product(arithmetic: str) -> tuple[Any, int]:
    import openvino as ov
    from openvino import opset13 as ops

    value = ops.parameter([1, MATRIX_SIDE, MATRIX_SIDE], np.float32)
    weights = _weights((MATRIX_SIDE, MATRIX_SIDE), arithmetic)
    result = ops.matmul(_activations(value, arithmetic), weights, False, True)
    return ov.Model([result], [value]), 2 * MATRIX_SIDE**3


def _weights(shape: tuple[int, ...], arithmetic: str) -> Any:
    from openvino import opset13 as ops

    whole = np.random.default_rng(1).integers(-127, 128, shape).astype(np.int8)
    if arithmetic != "int8":
        return ops.constant(whole.astype(np.float32) / 100)
    # As NNCF writes them: whole numbers, a conversion, and a scale for each output.
    scale = np.full((shape[0], *[1] * (len(shape) - 1)), 0.01, np.float32)
    return ops.multiply(ops.convert(ops.constant(whole), np.float32), ops.constant(scale))


def _activations(value: Any, arithmetic: str) -> Any:
    from openvino import opset13 as ops

    if arithmetic != "int8":
        return value
    low, high = np.float32(0), np.float32(255)
    return ops.fake_quantize(value, low, high, low, high, 256)
