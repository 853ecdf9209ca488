"""Core ML's non-maximum suppression model, as its specification describes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyrie_convert.errors import ConversionError


def run_suppression(model: Any, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a specification of the type nonMaximumSuppression on the features named in it.

    As NonMaximumSuppression.proto in Core ML Tools says: a box's class is the one it is most confident of; boxes
    below the confidence threshold are dropped; the rest are taken by falling confidence, and each drops those
    that overlap it by more than the IoU threshold (with ``perClass``: those of its class only). All
    confidences of a box that is kept are answered. Of equal confidences, the box with the lower index comes first.
    """
    settings = model.nonMaximumSuppression
    if settings.WhichOneof("SuppressionMethod") != "pickTop":
        raise ConversionError("the suppression model names no method (pickTop)")
    confidence = _feature(features, settings.confidenceInputFeatureName, np.float32)
    coordinates = _feature(features, settings.coordinatesInputFeatureName, np.float32)
    if confidence.ndim != 2 or coordinates.shape != (len(confidence), 4):
        raise ConversionError(
            f"the suppression model cannot take confidences {confidence.shape} with coordinates {coordinates.shape}"
        )
    thresholds = {}
    for name in ("iouThreshold", "confidenceThreshold"):
        override = features.get(getattr(settings, f"{name}InputFeatureName"))
        thresholds[name] = float(getattr(settings, name) if override is None else np.asarray(override).reshape(()))
    kept = suppress(
        confidence,
        coordinates,
        thresholds["iouThreshold"],
        thresholds["confidenceThreshold"],
        settings.pickTop.perClass,
    )
    kept = kept[: _most_boxes(model)]
    return {
        settings.confidenceOutputFeatureName: confidence[kept],
        settings.coordinatesOutputFeatureName: coordinates[kept],
    }


def suppress(confidence: np.ndarray, coordinates: np.ndarray, iou: float, least: float, per_class: bool) -> np.ndarray:
    """Return the indices of the boxes that are kept, by falling confidence.

    ``confidence`` is [N, C], ``coordinates`` [N, 4] with centre x, centre y, width and height in any unit.
    """
    score, label = confidence.max(axis=1), confidence.argmax(axis=1)
    candidates = np.flatnonzero(score >= least)
    candidates = candidates[np.argsort(-score[candidates], kind="stable")]
    centre, size = coordinates[candidates, :2].astype(np.float64), coordinates[candidates, 2:].astype(np.float64)
    low, high, area = centre - size / 2, centre + size / 2, size.prod(axis=1)
    label = label[candidates]
    alive = np.ones(len(candidates), dtype=bool)
    for index in range(len(candidates)):
        if not alive[index]:
            continue
        rest = slice(index + 1, None)
        overlap = np.clip(np.minimum(high[index], high[rest]) - np.maximum(low[index], low[rest]), 0, None).prod(axis=1)
        union = area[index] + area[rest] - overlap
        # Written without a division, so that boxes without an area overlap nothing.
        close = overlap > iou * union
        alive[rest] &= ~(close & (label[rest] == label[index])) if per_class else ~close
    return candidates[alive]


def _feature(features: dict[str, np.ndarray], name: str, dtype: type) -> np.ndarray:
    if name not in features:
        raise ConversionError(f"the suppression model's input {name!r} is answered by no model before it")
    if features[name].dtype != dtype:
        raise ConversionError(
            f"the suppression model takes float32, but {name!r} is {features[name].dtype}: Core ML would refuse it"
        )
    return features[name]


def _most_boxes(model: Any) -> int | None:
    # -1 stands for no bound.
    bounds = [
        output.type.multiArrayType.shapeRange.sizeRanges[0].upperBound
        for output in model.description.output
        if output.type.multiArrayType.shapeRange.sizeRanges
    ]
    return min((bound for bound in bounds if bound >= 0), default=None)
