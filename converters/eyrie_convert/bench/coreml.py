"""Measures a Core ML package, on macOS."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from eyrie_convert.errors import ConversionError


class Run:
    """One package, through coremltools and so through Core ML itself, one picture after the other."""

    arithmetic = "coreml"

    def __init__(self, path: Path, width: int, height: int) -> None:
        try:
            import coremltools
        except ImportError as error:
            raise ConversionError(
                f"cannot measure {path}: coremltools is not installed (pip install 'eyrie-convert[coreml]')"
            ) from error
        from PIL import Image

        self._model = coremltools.models.MLModel(str(next(path.glob("*.mlpackage"))))
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        name = self._model.get_spec().description.input[0].name
        self._feed = {name: Image.fromarray(noise)}
        self._latency: list[float] = []
        self._model.predict(self._feed)

    def measure(self, seconds: float) -> None:
        """Predict for so long."""
        times: list[float] = []
        while sum(times) < seconds or len(times) < 3:
            start = time.perf_counter()
            self._model.predict(self._feed)
            times.append(time.perf_counter() - start)
        self._latency.append(statistics.median(times) * 1000)

    def result(self, _operations: int | None, _peak: float | None) -> dict[str, Any]:
        """Return the medians. Core ML tells neither what ran where nor in which arithmetic: there is no floor."""
        latency = statistics.median(self._latency)
        return {
            "arithmetic": self.arithmetic,
            "throughput_fps": round(1000 / latency, 2),
            "latency_ms": round(latency, 2),
            "latency_ms_rounds": [round(each, 2) for each in self._latency],
            "peak_gop_per_s": None,
            "floor_ms": None,
            "ceiling_fps": None,
        }
