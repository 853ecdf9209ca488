"""Darknet detectors (YOLOv3, YOLOv3-tiny, YOLOv4-tiny and their like): a ``.cfg`` and a ``.weights``."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eyrie_convert import package
from eyrie_convert.darknet import reference
from eyrie_convert.darknet.cfg import read_cfg
from eyrie_convert.darknet.graph import build_graph
from eyrie_convert.darknet.layers import Plan, plan_network
from eyrie_convert.darknet.weights import Convolution, read_weights
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import Answers, Architecture, Network, Picture, PictureInput
from eyrie_convert.options import ConversionOptions

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Darknet(Architecture):
    """Loads the ``.weights`` it is given, with ``cfg`` or else the ``.cfg`` beside it.

    ``masks`` replaces the anchors of a [yolo] section (by number) where the ``.cfg`` does not fit the weights.
    The rest is what the metadata says about where the model came from.
    """

    cfg: Path | None = None
    masks: dict[int, tuple[int, ...]] = field(default_factory=dict)
    name: str | None = None
    license: str = "unknown"
    version: str | None = None
    origin: str | None = None

    family = "darknet"

    def load(self, model: str, options: ConversionOptions) -> Network:
        """Load the weights at the path ``model``."""
        weights = Path(model)
        cfg = self.cfg or weights.with_suffix(".cfg")
        plan = plan_network(cfg, read_cfg(cfg), self.masks)
        if plan.channels != 3:
            raise ConversionError(f"{cfg}: takes {plan.channels} channels; only colour pictures (3) are supported")
        if options.size not in (None, (plan.width, plan.height)):
            raise ConversionError(f"{cfg} fixes the size at {plan.width}x{plan.height}: change width and height there")
        numbers = read_weights(weights, plan)
        labels = _labels(cfg, plan, options.labels)
        name = self.name or weights.stem
        return Network(
            name=name,
            package_name=package.slug(name),
            family=self.family,
            task="detect",
            make_module=partial(_module, plan, numbers),
            reference=partial(_reference, plan, numbers),
            reference_name="plain numpy forward pass of the same network (eyrie_convert.darknet.reference)",
            input=PictureInput(
                plan.width, plan.height, "letterbox", "bilinear", embedded=False, stride=plan.stride, dynamic=False
            ),
            output_names=["output0"],
            output=package.yolo_output("output0", labels),
            labels=labels,
            source={
                "name": name,
                "sha256": package.sha256(weights),
                "cfg_sha256": package.sha256(cfg),
                "framework": "darknet",
                "version": self.version,
                "license": self.license,
                "origin": self.origin,
                "overrides": list(plan.overrides),
            },
            openvino=partial(build_graph, plan, numbers, name),
            nms=package.nms_defaults(),
        )


def _module(plan: Plan, numbers: dict[int, Convolution]) -> nn.Module:
    try:
        from eyrie_convert.darknet.torch_network import DarknetGrid
    except ImportError as error:
        raise ConversionError(
            f"Darknet models become ONNX and Core ML through PyTorch, which is not installed ({error}): pip install "
            "'eyrie-convert[onnx]' or '[coreml]'"
        ) from error
    return DarknetGrid(plan, numbers).eval()


def _reference(plan: Plan, numbers: dict[int, Convolution], picture: Picture) -> Answers:
    pixels = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32) / np.float32(255)
    return {"output0": reference.forward(plan, numbers, pixels)[None].astype(np.float32)}


def _labels(cfg: Path, plan: Plan, labels: list[str] | None) -> list[str]:
    if labels is None:
        return [f"class_{index}" for index in range(plan.classes)]
    if len(labels) != plan.classes:
        raise ConversionError(f"{cfg}: has {plan.classes} classes, but {len(labels)} labels were given")
    return labels
