"""Converts a Darknet detector into a model package."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openvino as ov

from eyrie_convert import package
from eyrie_convert.darknet import reference
from eyrie_convert.darknet.cfg import read_cfg
from eyrie_convert.darknet.graph import build_graph
from eyrie_convert.darknet.layers import Plan, plan_network
from eyrie_convert.darknet.weights import Convolution, read_weights
from eyrie_convert.errors import ConversionError

# How far the model may be from the plain numpy network before it is refused. On noise all scores are next
# to nothing, so their logarithms are compared too: a wrong weight shows there.
TOLERANCE = {
    "float32": {"boxes": 0.1, "scores": 1e-3, "log_scores": 1e-2},
    "float16": {"boxes": 4.0, "scores": 2e-2, "log_scores": 1.0},
}
# Added before the logarithm: scores below it count as zero.
TINY = 1e-20


@dataclass(frozen=True)
class Source:
    """What the metadata says about where a model came from, beyond the files themselves."""

    name: str
    license: str = "unknown"
    version: str | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Options:
    """How to convert."""

    masks: dict[int, tuple[int, ...]] = field(default_factory=dict)
    labels: list[str] | None = None
    compress: bool = False


def convert(cfg: Path, weights: Path, output: Path, source: Source, options: Options) -> dict[str, float]:
    """Convert, compare with the plain numpy network, and write the package ``output``.

    Returns how far the two are apart at most: ``boxes`` in pixels, ``scores`` in probability, and
    ``log_scores``, the natural logarithm of the scores' ratio. Raises
    ConversionError if a file is unfit, the labels do not fit the classes, or the comparison fails; then
    nothing is written.
    """
    plan = plan_network(cfg, read_cfg(cfg), options.masks)
    if plan.channels != 3:
        raise ConversionError(f"{cfg}: takes {plan.channels} channels; only colour pictures (3) are supported")
    numbers = read_weights(weights, plan)
    labels = _labels(cfg, plan, options.labels)
    model = build_graph(plan, numbers, source.name)
    precision = "float16" if options.compress else "float32"
    with package.new_package(output) as directory:
        ov.save_model(model, directory / "model.xml", compress_to_fp16=options.compress)
        errors = _compare(directory / "model.xml", plan, numbers)
        passed = all(errors[what] <= limit for what, limit in TOLERANCE[precision].items())
        if not passed:
            raise ConversionError(
                f"the converted {source.name} disagrees with its reference ({errors}): this is a fault of the "
                f"converter, please report it with {cfg}"
            )
        package.write_metadata(
            directory,
            ["model.xml", "model.bin"],
            {
                "name": source.name,
                "task": "detect",
                "format": "openvino",
                "precision": precision,
                "source": {
                    "name": source.name,
                    "sha256": package.sha256(weights),
                    "cfg_sha256": package.sha256(cfg),
                    "framework": "darknet",
                    "version": source.version,
                    "license": source.license,
                    "origin": source.origin,
                    "overrides": list(plan.overrides),
                },
                "input": package.yolo_input("images", plan.width, plan.height, plan.stride),
                "output": package.yolo_output("output0", labels),
                "nms": package.nms_defaults(),
                "coreml": None,
                "validation": {
                    "reference": "plain numpy forward pass of the same network (eyrie_convert.darknet.reference)",
                    "inputs": f"one picture of noise, numpy default_rng(0), {plan.width}x{plan.height}",
                    "max_abs_error": max(errors["boxes"], errors["scores"]),
                    "errors": errors,
                    "agreement": None,
                    "passed": passed,
                    "golden": None,
                },
                "benchmark": None,
                "tools": package.tools("openvino", "numpy"),
            },
        )
    return errors


def _labels(cfg: Path, plan: Plan, labels: list[str] | None) -> list[str]:
    if labels is None:
        return [f"class_{index}" for index in range(plan.classes)]
    if len(labels) != plan.classes:
        raise ConversionError(f"{cfg}: has {plan.classes} classes, but {len(labels)} labels were given")
    return labels


def _compare(model: Path, plan: Plan, numbers: dict[int, Convolution]) -> dict[str, float]:
    """Run the saved model and the plain network on one picture; return the largest differences."""
    noise = np.random.default_rng(0).random((3, plan.height, plan.width), np.float32)
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    got = compiled(noise[None])[0][0].astype(np.float64)
    expected = reference.forward(plan, numbers, noise)
    logarithms = np.abs(np.log(got[4:] + TINY) - np.log(expected[4:] + TINY))
    difference = np.abs(got - expected)
    largest = {"boxes": difference[:4].max(), "scores": difference[4:].max(), "log_scores": logarithms.max()}
    # A difference that is no number is a failed comparison, and infinity is no JSON.
    return {what: float(np.nan_to_num(value, nan=1e30, posinf=1e30)) for what, value in largest.items()}
