"""Greedy non-maximum suppression, and the overlap of boxes that it goes by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def greedy(boxes: NDArray[np.float64], classes: NDArray[Any], iou: float, most: int | None = None) -> list[int]:
    """Return which boxes are left, up to ``most``, when each drops the worse ones of its class that overlap it.

    ``boxes`` ``[n, 4]`` (left, top, right, bottom) come with the best first; those that overlap by an intersection over
    union of more than ``iou`` are dropped.
    """
    left = np.ones(len(boxes), bool)
    kept: list[int] = []
    for index in range(len(boxes)):
        if not left[index]:
            continue
        if len(kept) == most:
            break
        kept.append(index)
        rest = slice(index + 1, None)
        overlap = intersection_over_union(boxes[index : index + 1], boxes[rest])[0]
        left[rest] &= ~((overlap > iou) & (classes[rest] == classes[index]))
    return kept


def intersection_over_union(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``[n, m]`` of boxes ``[n, 4]`` and ``[m, 4]``; 0 where a box has no area."""
    start = np.maximum(first[:, None, :2], second[None, :, :2])
    end = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(end - start, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
