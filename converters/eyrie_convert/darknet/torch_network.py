"""A Darknet network in PyTorch, for the targets that start from there; what ``graph.py`` is for OpenVINO."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from eyrie_convert.darknet.graph import fold
from eyrie_convert.darknet.layers import Layer, Plan
from eyrie_convert.darknet.weights import Convolution

ACTIVATIONS = {
    "linear": lambda value: value,
    "leaky": lambda value: functional.leaky_relu(value, 0.1),
    "relu": functional.relu,
    "logistic": torch.sigmoid,
    "mish": functional.mish,
    "swish": functional.silu,
}


class Decode(nn.Module):
    """From the raw maps of the ``[yolo]`` sections to ``[1, 4 + classes, N]``; see ``graph.py``."""

    def __init__(self, plan: Plan):
        super().__init__()
        self.heads = plan.heads
        for number, head in enumerate(self.heads):
            _, rows, columns = head.shape
            scale = head.section["scale_x_y"]
            cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows))).reshape(1, 1, 2, -1)
            pixels = np.reshape([plan.width / columns, plan.height / rows], (1, 1, 2, 1))
            self._constant(f"factor{number}", pixels * scale)
            self._constant(f"offset{number}", pixels * (cells - (scale - 1) / 2))
            self._constant(f"anchors{number}", np.reshape(head.anchors, (1, -1, 2, 1)))

    def _constant(self, name: str, values: np.ndarray) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Decode the maps, in the order of the sections."""
        levels = []
        for number, (head, raw) in enumerate(zip(self.heads, maps, strict=True)):
            classes = head.section["classes"]
            _, rows, columns = head.shape
            raw = raw.reshape(1, len(head.anchors), 5 + classes, rows * columns)
            centre = raw[:, :, :2].sigmoid() * getattr(self, f"factor{number}") + getattr(self, f"offset{number}")
            size = raw[:, :, 2:4].exp() * getattr(self, f"anchors{number}")
            scores = raw[:, :, 5:].sigmoid() * raw[:, :, 4:5].sigmoid()
            joined = torch.cat((centre, size, scores), 2).transpose(1, 2)
            levels.append(joined.reshape(1, 4 + classes, len(head.anchors) * rows * columns))
        return torch.cat(levels, 2)


class DarknetGrid(nn.Module):
    """Takes float32 ``[1, 3, height, width]`` (RGB, 0 to 1), fixed in size, and answers as ``Decode`` says."""

    def __init__(self, plan: Plan, weights: dict[int, Convolution]):
        super().__init__()
        self.plan_layers = plan.layers
        self.convolutions = nn.ModuleDict()
        for layer in plan.layers:
            if layer.kind == "convolutional":
                self.convolutions[str(layer.index)] = _convolution(layer, weights[layer.index])
        self.decode = Decode(plan)

    def forward(self, images: Tensor) -> Tensor:
        """Detect."""
        outputs: dict[int, Tensor] = {-1: images}
        maps = []
        for layer in self.plan_layers:
            inputs = [outputs[number] for number in layer.inputs]
            outputs[layer.index] = self._run(layer, inputs)
            if layer.kind == "yolo":
                maps.append(outputs[layer.index])
        return self.decode(maps)

    def _run(self, layer: Layer, inputs: list[Tensor]) -> Tensor:
        section = layer.section
        match layer.kind:
            case "convolutional":
                return ACTIVATIONS[section["activation"]](self.convolutions[str(layer.index)](inputs[0]))
            case "maxpool":
                front, behind = layer.padding
                padded = functional.pad(inputs[0], (front, behind, front, behind), value=float("-inf"))
                return functional.max_pool2d(padded, section["size"] or section["stride"], section["stride"])
            case "route":
                groups, group = section["groups"], section["group_id"]
                parts = [each.chunk(groups, 1)[group] if groups > 1 else each for each in inputs]
                return torch.cat(parts, 1) if len(parts) > 1 else parts[0]
            case "upsample":
                return functional.interpolate(inputs[0], scale_factor=float(section["stride"]), mode="nearest")
            case "shortcut":
                return ACTIVATIONS[section["activation"]](sum(inputs[1:], inputs[0]))
            case _:
                return inputs[0]


def _convolution(layer: Layer, numbers: Convolution) -> nn.Conv2d:
    kernel, bias = fold(numbers)
    section = layer.section
    groups = section["groups"]
    convolution = nn.Conv2d(
        kernel.shape[1] * groups,
        kernel.shape[0],
        kernel.shape[2],
        stride=section["stride"],
        padding=layer.padding[0],
        groups=groups,
    )
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor(kernel))
        convolution.bias.copy_(torch.tensor(bias))
    return convolution
