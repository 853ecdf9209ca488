"""Measures `eyrie run` against OpenVINO's own asynchronous loop; see scripts/bench."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import openvino as ov

HINT = "THROUGHPUT"


def model_file(path: Path) -> Path:
    """Return the model in a directory, or the file itself."""
    if path.is_file():
        return path
    found = sorted([*path.glob("*.xml"), *path.glob("*.onnx")])
    if len(found) != 1:
        sys.exit(f"bench: error: {path} holds {len(found)} models, not one")
    return found[0]


class OwnLoop:
    """OpenVINO's asynchronous queue, fed the same picture of bytes over and over."""

    def __init__(self, path: Path) -> None:
        core = ov.Core()
        model = core.read_model(path)
        # As Eyrie does: bytes in, scaled inside the model.
        preprocess = ov.preprocess.PrePostProcessor(model)
        preprocess.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        preprocess.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
        preprocess.input().model().set_layout(ov.Layout("NCHW"))
        compiled = core.compile_model(preprocess.build(), "CPU", {"PERFORMANCE_HINT": HINT})
        self.requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self.precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.queue = ov.AsyncInferQueue(compiled, self.requests)
        picture = np.random.default_rng(0).integers(0, 256, compiled.inputs[0].shape, np.uint8)
        for request in self.queue:
            request.set_input_tensor(ov.Tensor(picture))
        self.measure(4 * self.requests)

    def measure(self, frames: int) -> float:
        """Return the frames a second of so many inferences."""
        start = time.perf_counter()
        for _ in range(frames):
            self.queue.start_async()
        self.queue.wait_all()
        return frames / (time.perf_counter() - start)


def run_eyrie(binary: str, model: Path, video: Path) -> dict:
    """Return the summary of one run over the video."""
    with tempfile.TemporaryDirectory() as directory:
        summary = Path(directory, "summary.json")
        command = [binary, "run", video, "--model", model, "--pacing", "max", "--summary", summary]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            sys.exit(f"bench: error: eyrie run failed: {result.stderr.strip().splitlines()[-1:]}")
        return json.loads(summary.read_text())


def main() -> None:
    """Measure in turns and print the medians."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--eyrie", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, required=True, help="a model package, directory or file")
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default 3)")
    arguments = parser.parse_args()
    loop = OwnLoop(model_file(arguments.model))
    print(f"{arguments.model} on {arguments.video}: {HINT}, {loop.requests} requests, {loop.precision}")
    own, ours, memory = [], [], []
    for number in range(1, arguments.rounds + 1):
        summary = run_eyrie(arguments.eyrie, arguments.model, arguments.video)
        ours.append(summary["fps"]["mean"])
        memory.append(summary["rss_peak_mb"])
        own.append(loop.measure(summary["frames"]["inferred"]))
        print(f"  round {number}: eyrie {ours[-1]:.1f} FPS, OpenVINO alone {own[-1]:.1f} FPS", flush=True)
    ratio = statistics.median(ours) / statistics.median(own)
    print(
        f"eyrie {statistics.median(ours):.1f} FPS, OpenVINO alone {statistics.median(own):.1f} FPS, ratio {ratio:.3f}"
    )
    print(f"peak memory of eyrie {max(memory):.0f} MB")


if __name__ == "__main__":
    main()
