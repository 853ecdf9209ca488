"""The golden file of a package: one input and what the reference answers to it.

The runtime replays it (``eyrie model check``, and before each run). The format is safetensors: ``input``
``[1, h, w, 3]`` RGB bytes, which lie at the top left of the model's input while the rest has the pad value, and
the reference's outputs. The metadata has the allowed differences by the arithmetic that a backend runs in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from eyrie_convert.network import Answers, Picture
from eyrie_convert.options import Precision

NAME = "golden.safetensors"
SCHEMA = "eyrie.golden/1"
# The side of the picture in pixels: enough to show an object, small enough to travel with the model.
SIDE = 224
# Of a detector's thousands of anchors: the best, and as many more spread over all of them.
BEST, SPREAD = 64, 64

# What other arithmetic may change: some times what was seen. YOLOv3-tiny moves by up to 0.08 in score and 3.5 px on a
# street video in bf16, CLIP-B/32 by 0.0007 in an element. Blue for red moves YOLOv8n's scores by more than 0.15 and
# CLIP's elements by 0.04.
TOLERANCES: dict[str, dict[str, dict[str, float]]] = {
    "detect": {
        "f32": {"boxes": 0.5, "boxes_above": -1.0, "scores": 2e-3},
        "f16": {"boxes": 4.0, "boxes_above": 0.25, "scores": 0.05},
        "bf16": {"boxes": 12.0, "boxes_above": 0.25, "scores": 0.15},
    },
    "classify": {"f32": {"values": 1e-3}, "f16": {"values": 0.02}, "bf16": {"values": 0.1}},
    "embed": {"f32": {"values": 1e-3}, "f16": {"values": 5e-3}, "bf16": {"values": 0.01}},
}


def picture_for(picture: Picture, width: int, height: int, pad_value: int) -> tuple[Picture, Picture]:
    """Return the golden picture (a square cut from the middle of a prepared one) and the whole input it stands for."""
    rows, columns = min(SIDE, height), min(SIDE, width)
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    part = np.ascontiguousarray(picture[top : top + rows, left : left + columns])
    whole = np.full((height, width, 3), pad_value, np.uint8)
    whole[:rows, :columns] = part
    return part, whole


def select(task: str, answers: Answers) -> dict[str, np.ndarray]:
    """Return the part of the reference's answers that is kept."""
    if task != "detect" or "coordinates" in answers:
        return dict(answers)
    (grid,) = answers.values()
    best = grid[0, 4:].max(axis=0)
    count = grid.shape[2]
    spread = np.linspace(0, count - 1, min(SPREAD, count)).astype(np.int64)
    anchors = np.unique(np.concatenate([np.argsort(-best, kind="stable")[:BEST], spread]))
    return {"anchors": anchors, "boxes": grid[0, :4, anchors], "scores": grid[0, 4:, anchors]}


def write(path: Path, part: Picture, width: int, height: int, task: str, answers: Answers, tolerance: Any) -> None:
    """Write the golden file."""
    tensors = {"input": part[None], **select(task, answers)}
    metadata = {
        "schema": SCHEMA,
        "task": task,
        "width": str(width),
        "height": str(height),
        "tolerance": json.dumps(tolerance),
    }
    save(path, tensors, metadata)


_TYPES = {np.dtype(np.uint8): "U8", np.dtype("<i8"): "I64", np.dtype("<f4"): "F32"}


def save(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write arrays in the safetensors format (https://github.com/huggingface/safetensors)."""
    header: dict[str, Any] = {"__metadata__": metadata}
    blocks, offset = [], 0
    for name, array in tensors.items():
        kept = np.ascontiguousarray(array, _kept_type(array.dtype))
        block = kept.tobytes()
        offsets = [offset, offset + len(block)]
        header[name] = {"dtype": _TYPES[kept.dtype], "shape": list(kept.shape), "data_offsets": offsets}
        blocks.append(block)
        offset += len(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blocks))


def _kept_type(dtype: np.dtype) -> np.dtype:
    if dtype == np.uint8:
        return np.dtype(np.uint8)
    return np.dtype("<i8") if np.issubdtype(dtype, np.integer) else np.dtype("<f4")


def tolerances(task: str, precision: Precision) -> dict[str, dict[str, float]]:
    """Return what a runtime may differ by, of a package of this precision."""
    allowed = TOLERANCES[task]
    if precision is Precision.FLOAT32:
        return allowed
    # Rounded weights differ from the reference whatever they are computed in.
    return {**allowed, "f32": allowed["f16"]}
