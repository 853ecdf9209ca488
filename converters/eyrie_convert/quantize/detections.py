"""Detections of a grid after non-maximum suppression, and how two sets of them agree. Small, for measuring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eyrie_convert.suppression import greedy, intersection_over_union

CONFIDENCE, IOU = 0.25, 0.45
MOST_CANDIDATES, MOST = 1000, 300


@dataclass(frozen=True)
class Detections:
    """``boxes`` ``[n, 4]``: left, top, right, bottom in pixels; best score first."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """Pairs of detections of the same class: the indices in both sets, and their intersection over union."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    iou: NDArray[np.float64]


def detections(grid: NDArray[np.floating], confidence: float = CONFIDENCE, iou: float = IOU) -> Detections:
    """Return what is left of ``[4 + classes, N]`` (centre x, centre y, width, height, scores) after suppression.

    It is done within each class. Scores that are no number are dropped.
    """
    grid = np.asarray(grid, np.float64)
    scores = np.nan_to_num(grid[4:], nan=-1.0, posinf=-1.0, neginf=-1.0)
    classes = scores.argmax(axis=0)
    best = scores[classes, np.arange(scores.shape[1])]
    usable = np.isfinite(grid[:4]).all(axis=0) & (best > confidence)
    order = np.flatnonzero(usable)
    order = order[np.argsort(-best[order], kind="stable")][:MOST_CANDIDATES]
    centre, size = grid[:2, order].T, grid[2:4, order].T
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    kept = greedy(boxes, classes[order], iou, MOST)
    return Detections(boxes[kept], best[order][kept], classes[order][kept])


def match(first: Detections, second: Detections, least: float = 0.5) -> Matches:
    """Pair detections of one class with an intersection over union of ``least`` or more, the closest first."""
    overlap = intersection_over_union(first.boxes, second.boxes)
    overlap[first.classes[:, None] != second.classes[None]] = 0
    pairs = []
    while overlap.size and overlap.max() >= least:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        pairs.append((int(row), int(column), float(overlap[row, column])))
        overlap[row], overlap[:, column] = 0, 0
    rows, columns, values = zip(*pairs, strict=True) if pairs else ((), (), ())
    return Matches(np.array(rows, np.int64), np.array(columns, np.int64), np.array(values))
