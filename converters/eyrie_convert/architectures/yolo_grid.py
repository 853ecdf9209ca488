"""An Ultralytics detector laid out for export: plain layers, and a decoding that follows the size of its input."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Decode(nn.Module):
    """From the head's feature maps to ``[n, 4 + classes, N]``: centre and size in pixels, then scores.

    Each side of a box is a distribution over ``bins`` distances from the anchor, in strides, whose mean counts
    (distribution focal loss, https://arxiv.org/abs/2006.04388, as in Ultralytics' ``Detect``).
    """

    def __init__(self, strides: list[int], bins: int):
        super().__init__()
        self.strides = strides
        self.bins = bins
        self.register_buffer("distances", torch.arange(bins, dtype=torch.float32).view(1, 1, bins, 1))

    def forward(self, boxes: list[Tensor], scores: list[Tensor]) -> Tensor:
        """Decode the levels, which are ordered from fine to coarse."""
        anchors, strides = [], []
        for level, stride in zip(boxes, self.strides, strict=True):
            rows, columns = level.shape[2], level.shape[3]
            y = torch.arange(rows, dtype=torch.float32) + 0.5
            x = torch.arange(columns, dtype=torch.float32) + 0.5
            grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1])
            anchors.append(grid.flatten(1))
            strides.append(torch.ones_like(grid[:1]).flatten(1) * stride)
        distribution = torch.cat([level.flatten(2) for level in boxes], 2)
        pictures, _, count = distribution.shape
        distance = (distribution.view(pictures, 4, self.bins, count).softmax(2) * self.distances).sum(2)
        near, far = distance.split(2, 1)
        anchor = torch.cat(anchors, 1).unsqueeze(0)
        first, last = anchor - near, anchor + far
        box = torch.cat(((first + last) / 2, last - first), 1) * torch.cat(strides, 1)
        return torch.cat((box, torch.cat([level.flatten(2) for level in scores], 2).sigmoid()), 1)


class YOLOGrid(nn.Module):
    """A detector that takes float32 ``[n, 3, height, width]`` (RGB, 0 to 1) and answers as ``Decode`` says."""

    def __init__(self, model: Any):
        super().__init__()
        layers = copy.deepcopy(list(model.model))
        head = layers.pop()
        self.layers = nn.ModuleList(layers)
        self.sources = [layer.f for layer in layers]
        self.head_sources = list(head.f)
        self.kept = set(model.save) | {index for index in self.head_sources if index >= 0}
        self.boxes, self.scores = head.cv2, head.cv3
        self.decode = Decode([int(stride) for stride in head.stride], int(head.reg_max))

    def features(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the head's raw maps of box distributions and of class scores, from fine to coarse."""
        outputs: list[Tensor | None] = []
        value = images
        for index, (layer, source) in enumerate(zip(self.layers, self.sources, strict=True)):
            if isinstance(source, int):
                value = layer(value if source == -1 else outputs[source])
            else:
                value = layer([value if each == -1 else outputs[each] for each in source])
            outputs.append(value if index in self.kept else None)
        maps = [value if each == -1 else outputs[each] for each in self.head_sources]
        boxes = [branch(level) for branch, level in zip(self.boxes, maps, strict=True)]
        scores = [branch(level) for branch, level in zip(self.scores, maps, strict=True)]
        return boxes, scores

    def forward(self, images: Tensor) -> Tensor:
        """Detect."""
        return self.decode(*self.features(images))
