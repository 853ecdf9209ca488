"""Measures model packages: how many pictures a second, and how long one takes."""

from __future__ import annotations

import json
import math
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from eyrie_convert.bench import coreml, host
from eyrie_convert.bench.operations import count_operations
from eyrie_convert.bench.peak import PeakMeter
from eyrie_convert.errors import ConversionError, first_line
from eyrie_convert.package import METADATA

SECONDS, ROUNDS = 1.5, 3
# What the project asks of YOLOv8n at 640 × 640 (pictures a second), of CLIP and of ViT (milliseconds a picture).
YOLO_FPS, CLIP_MS, VIT_MS = 30.0, 50.0, 30.0


@dataclass
class Result:
    """A package and what was measured of it.

    ``benchmark`` goes into its metadata; ``skipped`` says why there is none.
    """

    name: str
    path: Path
    task: str
    format: str
    precision: str
    benchmark: dict[str, Any] | None = None
    skipped: str | None = None


def benchmark(package_dir: Path, seconds: float = SECONDS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure one package; see ``benchmark_packages``. Raises ConversionError if it cannot be run here."""
    (result,) = benchmark_packages([package_dir], seconds, rounds)
    if result.benchmark is None:
        raise ConversionError(f"cannot measure {package_dir}: {result.skipped}")
    return result.benchmark


def benchmark_packages(
    package_dirs: Sequence[Path],
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    progress: Callable[[str], None] = lambda _line: None,
) -> list[Result]:
    """Measure packages on this machine's CPU, in turns, so that what else it does falls on all of them alike.

    OpenVINO and ONNX packages run through OpenVINO: floating-point ones in float32, and in bfloat16 where the CPU
    has it; int8 ones as they are. Each is measured for ``seconds`` in each of ``rounds``, for throughput
    (asynchronous requests, as many as OpenVINO thinks best) and for latency (one after the other); medians of
    rounds are reported. Only the model is measured: no decoding or resizing of pictures.

    ``floor_ms`` is what one picture would take if the machine did nothing but the model's multiply-adds at the peak
    that was measured in the same arithmetic; ``ceiling_fps`` its inverse.

    Core ML packages are measured on macOS and skipped elsewhere. Raises ConversionError if there is no package in
    a directory, or its model cannot be run.
    """
    import openvino as ov

    core = ov.Core()
    machine = host.describe(core)
    packages = [_Package(Path(each)) for each in package_dirs]
    for package in packages:
        progress(f"loading {package.name} ({package.format}, {package.precision})")
        package.load(core)
    arithmetics = tuple(sorted({run.arithmetic for package in packages for run in package.runs} - {"coreml"}))
    meter = PeakMeter(core, arithmetics)
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        for package in packages:
            meter.measure(min(seconds, 0.05))
            for run in package.runs:
                run.measure(seconds)
    return [package.result(machine, meter, seconds, rounds) for package in packages]


class _Package:
    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            metadata = json.loads((path / METADATA).read_text(encoding="utf-8"))
            self.name, self.task = str(metadata["name"]), str(metadata["task"])
            self.format, self.precision = str(metadata["format"]), str(metadata["precision"])
            self.input = dict(metadata["input"])
            self.width, self.height = int(self.input["width"]), int(self.input["height"])
            files = [str(each["path"]) for each in metadata["files"]]
        except FileNotFoundError as error:
            raise ConversionError(f"cannot measure {path}: there is no {METADATA} in it") from error
        except OSError as error:
            raise ConversionError(f"cannot measure {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else first_line(error)
            raise ConversionError(f"cannot measure {path}: {METADATA} cannot be used: {reason}") from error
        self._model_file = next((each for each in files if each.endswith((".xml", ".onnx"))), None)
        self.runs: list[_Run | coreml.Run] = []
        self.skipped: str | None = None
        self._operations: int | None = None

    def load(self, core: Any) -> None:
        if self.format == "coreml":
            if platform.system() != "Darwin":
                self.skipped = "Core ML runs on macOS only"
            else:
                self.runs = [coreml.Run(self.path, self.width, self.height)]
            return
        if self._model_file is None:
            raise ConversionError(f"cannot measure {self.path}: its metadata lists no .xml and no .onnx file")
        try:
            model = core.read_model(self.path / self._model_file)
            channels_last = self.input.get("layout") == "nhwc"
            shape = [1, self.height, self.width, 3] if channels_last else [1, 3, self.height, self.width]
            if model.inputs[0].partial_shape != _shape(shape):
                model.reshape(shape)
            self._operations = count_operations(model)
            feed = self._feed(model)
            int8 = self.precision == "int8"
            arithmetics = ["int8"] if int8 else ["f32", *(["bf16"] if host.has_bfloat16(core) else [])]
            self.runs = [_Run(core, model, arithmetic, feed) for arithmetic in arithmetics]
        except (RuntimeError, ValueError) as error:
            raise ConversionError(f"cannot measure {self.path}: {first_line(error)}") from error

    def _feed(self, model: Any) -> np.ndarray:
        shape = [dimension.get_length() for dimension in model.inputs[0].partial_shape]
        noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        if model.inputs[0].element_type.get_type_name() == "u8":
            return noise
        return noise * np.float32(self.input.get("scale", 1.0))

    def result(self, machine: dict[str, Any], meter: PeakMeter, seconds: float, rounds: int) -> Result:
        result = Result(self.name, self.path, self.task, self.format, self.precision, skipped=self.skipped)
        if not self.runs:
            return result
        runs = [run.result(self._operations, meter.gop_per_s.get(run.arithmetic)) for run in self.runs]
        result.benchmark = {
            "measured_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "host": machine,
            "width_pixels": self.width,
            "height_pixels": self.height,
            "rounds": rounds,
            "seconds_per_measurement": seconds,
            "model_gop": None if self._operations is None else round(self._operations / 1e9, 3),
            "runs": runs,
            "target": _target(self.name, self.task, self.width, self.height, runs),
        }
        return result


def _shape(dimensions: list[int]) -> Any:
    import openvino as ov

    return ov.PartialShape(dimensions)


def _target(name: str, task: str, width: int, height: int, runs: list[dict[str, Any]]) -> dict[str, Any] | None:
    plain = name.lower().replace("-", "").replace("_", "")
    if task == "detect" and "yolov8n" in plain and (width, height) == (640, 640):
        met = {run["arithmetic"]: run["throughput_fps"] >= YOLO_FPS for run in runs}
        return {"measure": "throughput_fps", "at_least": YOLO_FPS, "met": met}
    limit = {"embed": CLIP_MS, "classify": VIT_MS}.get(task)
    if limit is None:
        return None
    met = {run["arithmetic"]: run["latency_ms"] < limit for run in runs}
    return {"measure": "latency_ms", "below": limit, "met": met}


class _Run:
    """One model in one arithmetic, compiled for throughput and for latency."""

    def __init__(self, core: Any, model: Any, arithmetic: str, feed: np.ndarray) -> None:
        import openvino as ov

        self.arithmetic = arithmetic
        # What an int8 model does not do in eight bits is left to OpenVINO's choice, as the runtime leaves it.
        options = {} if arithmetic == "int8" else {"INFERENCE_PRECISION_HINT": arithmetic}
        wide = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", **options})
        self._requests = wide.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._queue = ov.AsyncInferQueue(wide, self._requests)
        for request in self._queue:
            request.get_input_tensor().data[:] = feed
        quick = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY", **options})
        self._float = str(quick.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self._request = quick.create_infer_request()
        self._request.get_input_tensor().data[:] = feed
        self._layers = _executed(quick)
        self._throughput: list[float] = []
        self._latency: list[float] = []
        self._least = math.inf
        for _ in range(2):
            self._request.infer()
            self._queue.start_async()
        self._queue.wait_all()

    def measure(self, seconds: float) -> None:
        start, runs = time.perf_counter(), 0
        while time.perf_counter() - start < seconds or runs < self._requests:
            self._queue.start_async()
            runs += 1
        self._queue.wait_all()
        self._throughput.append(runs / (time.perf_counter() - start))
        times: list[float] = []
        while sum(times) < seconds or len(times) < 3:
            start = time.perf_counter()
            self._request.infer()
            times.append(time.perf_counter() - start)
        self._latency.append(statistics.median(times) * 1000)
        self._least = min(self._least, min(times) * 1000)

    def result(self, operations: int | None, peak: float | None) -> dict[str, Any]:
        floor = operations / peak / 1e6 if operations and peak else None
        return {
            "arithmetic": self.arithmetic,
            "float_arithmetic": self._float,
            "layers_executed_in": self._layers,
            "requests": self._requests,
            "throughput_fps": round(statistics.median(self._throughput), 2),
            "throughput_fps_rounds": [round(each, 2) for each in self._throughput],
            "latency_ms": round(statistics.median(self._latency), 2),
            "latency_ms_rounds": [round(each, 2) for each in self._latency],
            "latency_ms_least": round(self._least, 2),
            "peak_gop_per_s": None if peak is None else round(peak, 1),
            "floor_ms": None if floor is None else round(floor, 2),
            "ceiling_fps": None if floor is None else round(1000 / floor, 1),
        }


def _executed(compiled: Any) -> dict[str, int]:
    """Count the layers by the arithmetic that they really run in."""
    found: dict[str, int] = {}
    for operation in compiled.get_runtime_model().get_ordered_ops():
        information = operation.get_rt_info()
        if information["layerType"].value in ("Convolution", "Deconvolution", "FullyConnected", "MatMul"):
            kind = str(information["runtimePrecision"].value)
            found[kind] = found.get(kind, 0) + 1
    return found
