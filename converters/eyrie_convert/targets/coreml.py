"""Core ML: ``model.mlpackage``, an ML program that takes an image; a detector with suppression behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from eyrie_convert import golden
from eyrie_convert.base import Export, ModelConverter
from eyrie_convert.coreml import ane
from eyrie_convert.coreml.config import CoreMLConverterConfig
from eyrie_convert.coreml.convert import IMAGE, convert_program, save_package
from eyrie_convert.coreml.nms import CONFIDENCE, COORDINATES, RAW_OUTPUTS, add_nms
from eyrie_convert.coreml.yolo import CoreMLYOLO
from eyrie_convert.errors import UsageError
from eyrie_convert.mil_reference import MILReference
from eyrie_convert.network import Answers, Architecture, Network, Picture, Runner
from eyrie_convert.options import ConversionOptions, Precision, Target
from eyrie_convert.validation import CONFIDENCE as LEAST_SCORE
from eyrie_convert.validation import ValidationReport, compare, matched, suppress

if TYPE_CHECKING:
    from coremltools.models import MLModel

PACKAGE = "model.mlpackage"
# What may differ between two runs of the same suppression: a box at the threshold, in float16.
MARGIN = {Precision.FLOAT32: 1e-3, Precision.FLOAT16: 0.02, Precision.MIXED: 0.02}


class CoreMLConverter(ModelConverter):
    """Writes Core ML packages. They are checked without Core ML, by executing the program in the package."""

    target = Target.COREML

    def __init__(
        self,
        architecture: Architecture,
        options: ConversionOptions | None = None,
        config: CoreMLConverterConfig | None = None,
    ):
        """``config`` has the settings that only Core ML has; its precision has to be that of the options."""
        options = options or ConversionOptions()
        if config is None:
            config = CoreMLConverterConfig(precision=options.precision_for(Target.COREML).value)
        elif options.precision is None:
            options = options.with_precision(Precision.parse(config.precision))
        if config.precision != options.precision_for(Target.COREML).value:
            raise UsageError(
                f"the options ask for precision {options.precision.value}, and those of Core ML for {config.precision}"
            )
        super().__init__(architecture, options)
        self.config = config

    def package_name(self, network: Network) -> str:
        """Return the name of the package's directory."""
        return super().package_name(network) + ("-ane" if self.config.ane_optimized else "")

    def _export(self, network: Network, directory: Path) -> Export:
        module = self._apply_ane_optimizations(network) if self.config.ane_optimized else self._plain(network)
        size = (network.input.height, network.input.width)
        detects = network.task == "detect"
        model = convert_program(
            module,
            size,
            self.config,
            list(RAW_OUTPUTS) if detects else network.output_names,
            scale=1.0 if network.input.embedded else 1 / 255,
            float32_outputs=detects,
            metadata={"short_description": f"{network.name}, to {network.task}", "license": network.source["license"]},
        )
        # The package takes an image as it is, and scales it itself.
        taken = {"dynamic_spatial": False, "dynamic_batch": False, "layout": "nhwc", "element_type": "u8"}
        fields: dict[str, Any] = {"input": {**taken, "embedded_preprocessing": True, "scale": 1.0}}
        if detects:
            nms = network.nms or {}
            model = add_nms(model, network.labels, nms["iou"], nms["confidence"])
            fields["nms"] = {"embedded": True}
            fields["output"] = {"kind": "yolo_end_to_end", "names": [COORDINATES, CONFIDENCE], "layout": None}
        elif network.labels:
            _describe_labels(model, network.labels)
        path = save_package(model, directory / PACKAGE)
        fields["coreml"] = {**self.config.metadata(), "ane_report": ane.ane_report(path)}
        files = sorted(str(each.relative_to(directory)) for each in path.rglob("*") if each.is_file())
        return Export(files, IMAGE, fields, ("coremltools", *network.tools))

    def _apply_ane_optimizations(self, network: Network) -> nn.Module:
        """Return the network rewritten for the Neural Engine: see :mod:`eyrie_convert.coreml.ane`.

        Float16 throughout, data as (batch, channels, 1, sequence), 1×1 convolutions for linear layers, attention head
        by head, boxes decoded in channels; what cannot run there (suppression, top-k) comes last. The metadata's
        ``ane_report`` says of each operation whether it fits. Raises ConversionError for what has no such form.
        """
        spec = network.input
        if network.family == "darknet":
            # Convolutions in channels to begin with; only the decoding is laid out otherwise.
            return self._plain(network)
        kind = {"detect": "yolo", "embed": "clip", "classify": "vit"}[network.task]
        return ane.apply_ane_optimizations(
            kind,
            network.original,
            image_size=(spec.height, spec.width),
            mean=spec.mean,
            std=spec.std,
            top_k=network.output.get("top_k") or 5,
        )

    def _plain(self, network: Network) -> nn.Module:
        if network.task != "detect":
            return network.module
        size = (network.input.height, network.input.width)
        return GridForCoreML(network.module, size) if network.original is None else CoreMLYOLO(network.original, size)

    def _runner(
        self, directory: Path, network: Network, size: tuple[int, int] | None = None, *, batch: bool = False
    ) -> Runner:
        package = MILReference(directory / PACKAGE)

        def run(picture: Picture) -> Answers:
            answers = package.run({IMAGE: picture}, intermediate=True)
            kept = [*RAW_OUTPUTS, CONFIDENCE, COORDINATES] if network.task == "detect" else network.output_names
            return {name: np.asarray(answers[name]) for name in kept}

        return run

    def _compare(self, report: ValidationReport, network: Network, got: Answers, expected: Answers) -> None:
        if network.task != "detect":
            compare(report, network.task, got, expected, self.precision)
            return
        # Twice: every anchor before suppression, and what comes out of the package at its end.
        grid = as_grid(got, network)
        compare(report, network.task, {"output0": grid}, expected, self.precision)
        rows = as_rows(got, network)
        hits, total, _ = matched(rows, suppress(next(iter(expected.values()))[0]), MARGIN[self.precision])
        report.found_again("package_detections_iou_095", hits, total, 1.0 if self._is_exact else 0.95)

    @property
    def _is_exact(self) -> bool:
        return self.precision is Precision.FLOAT32

    def _golden_answers(self, network: Network, directory: Path, whole: Picture) -> tuple[Answers, dict[str, Any]]:
        if network.task != "detect":
            return super()._golden_answers(network, directory, whole)
        # Core ML's suppression keeps all scores of a box, so the reference's rows are taken from the package, whose
        # agreement with the original has just been measured.
        answers = self._runner(directory, network)(whole)
        kept = {COORDINATES: answers[COORDINATES], CONFIDENCE: answers[CONFIDENCE]}
        least = {"f32": 0.95, "f16": 0.9, "bf16": 0.9}
        allowed = golden.tolerances(network.task, self.precision)
        return kept, {each: {"iou": least[each], "scores": limits["scores"]} for each, limits in allowed.items()}


class GridForCoreML(nn.Module):
    """A detector that answers ``[1, 4 + classes, N]`` in pixels, as Core ML's suppression model wants it."""

    def __init__(self, module: nn.Module, size: tuple[int, int]):
        super().__init__()
        height, width = size
        self.module = module
        factor = torch.tensor([1 / width, 1 / height, 1 / width, 1 / height])
        self.register_buffer("factor", factor, persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return confidences ``[N, classes]`` and coordinates ``[N, 4]``, as fractions of the image."""
        grid = self.module(image)[0]
        return grid[4:].transpose(0, 1), grid[:4].transpose(0, 1) * self.factor


def as_grid(answers: Answers, network: Network) -> np.ndarray:
    """Return the raw answers of the program as ``[1, 4 + classes, N]`` in pixels."""
    spec = network.input
    size = np.array([spec.width, spec.height, spec.width, spec.height], np.float32)
    boxes = answers[RAW_OUTPUTS[1]] * size
    return np.concatenate([boxes.T, answers[RAW_OUTPUTS[0]].T]).astype(np.float32)[None]


def as_rows(answers: Answers, network: Network) -> np.ndarray:
    """Return the package's detections as rows of left, top, right, bottom, score, class, in pixels."""
    spec = network.input
    boxes, scores = answers[COORDINATES].astype(np.float64), answers[CONFIDENCE].astype(np.float64)
    if not len(boxes):
        return np.zeros((0, 6))
    boxes = boxes * [spec.width, spec.height, spec.width, spec.height]
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    best = [scores.max(axis=1)[:, None], scores.argmax(axis=1)[:, None]]
    rows = np.concatenate([centre - half, centre + half, *best], axis=1)
    return rows[rows[:, 4] > LEAST_SCORE]


def _describe_labels(model: MLModel, labels: list[str]) -> None:
    """Leave the class names in the package itself, where Core ML's users look for them."""
    model.user_defined_metadata["classes"] = ",".join(each.replace(",", ";") for each in labels)
