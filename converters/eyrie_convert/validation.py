"""Compares what a package answers with what the original answers: values, not counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eyrie_convert.network import Answers
from eyrie_convert.options import Precision
from eyrie_convert.suppression import greedy, intersection_over_union

# Boxes of anchors below it are no detections, and far-off ones move by pixels in float16.
CONFIDENCE = 0.25
IOU = 0.45


@dataclass
class ValidationReport:
    """How far a package is from its original, and whether that is near enough.

    ``errors`` and ``limits`` have the same keys; an error above its limit fails. ``agreement`` has shares from
    0 to 1 (of equal top-1 classes, of detections found again at IoU ≥ 0.95), and ``least`` the smallest that pass.
    """

    reference: str
    inputs: str
    errors: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)
    least: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    counts: dict[str, list[int]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """What is too far off, one sentence each."""
        found = list(dict.fromkeys(self.problems))
        for what, error in self.errors.items():
            # Written so that NaN fails.
            if not error <= self.limits[what]:
                found.append(f"{what.replace('_', ' ')} is {error:.3g}, allowed {self.limits[what]:.3g}")
        for what, share in self.agreement.items():
            if not share >= self.least[what]:
                found.append(f"{what.replace('_', ' ')} is {share:.3f}, at least {self.least[what]:.3f} is needed")
        return found

    @property
    def passed(self) -> bool:
        """Whether nothing is too far off."""
        return not self.failures

    @property
    def max_abs_error(self) -> float | None:
        """The largest error of values, in the unit of the output; ``None`` where only agreement was measured."""
        return max((error for what, error in self.errors.items() if what.startswith("max")), default=None)

    def worse(self, kind: str, what: str, value: float, limit: float) -> None:
        """Record an error (the largest stays) or an agreement (the smallest stays)."""
        values, bounds = (self.errors, self.limits) if kind == "error" else (self.agreement, self.least)
        bounds[what] = limit
        keep = max if kind == "error" else min
        known = values.get(what)
        values[what] = value if known is None or np.isnan(value) else keep(known, value)

    def found_again(self, what: str, hits: int, total: int, least: float) -> None:
        """Record an agreement as a share of all pictures' detections: of a picture with few, one says little."""
        counts = self.counts.setdefault(what, [0, 0])
        counts[0], counts[1] = counts[0] + hits, counts[1] + total
        self.agreement[what] = counts[0] / counts[1] if counts[1] else 1.0
        self.least[what] = least

    def metadata(self, golden: str | None) -> dict[str, Any]:
        """Return the ``validation`` field of the metadata. Numbers that are none are written as 1e30."""

        def finite(values: dict[str, float]) -> dict[str, float]:
            return {what: float(np.nan_to_num(value, nan=1e30, posinf=1e30)) for what, value in values.items()}

        largest = self.max_abs_error
        return {
            "reference": self.reference,
            "inputs": self.inputs,
            "max_abs_error": None if largest is None else float(np.nan_to_num(largest, nan=1e30, posinf=1e30)),
            "errors": finite(self.errors),
            "limits": finite(self.limits),
            "agreement": finite(self.agreement),
            "passed": self.passed,
            "golden": golden,
            **self.details,
        }


def compare(report: ValidationReport, task: str, got: Answers, expected: Answers, precision: Precision) -> None:
    """Add the differences of one picture's answers to ``report``."""
    for name, wanted in expected.items():
        found = got.get(name)
        if found is None or found.shape != wanted.shape:
            shape = "missing" if found is None else f"of shape {list(found.shape)}"
            report.problems.append(f"the output {name} is {shape}, and {list(wanted.shape)} is expected")
            return
        if not np.isfinite(found).all():
            report.problems.append(f"the output {name} has numbers that are not finite")
            return
    exact = precision is Precision.FLOAT32
    if task == "detect":
        _detections(report, next(iter(got.values())), next(iter(expected.values())), exact=exact)
    elif task == "classify":
        _classes(report, got, expected, exact=exact)
    else:
        _embedding(report, got["embedding"], expected["embedding"], exact=exact)


def relative_rms(got: np.ndarray, expected: np.ndarray) -> float:
    """Return the root mean square of the difference, in that of what is expected."""
    norm = float(np.sqrt(np.square(expected.astype(np.float64)).mean())) or 1.0
    return float(np.sqrt(np.square(got.astype(np.float64) - expected).mean())) / norm


def _detections(report: ValidationReport, got: np.ndarray, expected: np.ndarray, *, exact: bool) -> None:
    difference = np.abs(got.astype(np.float64) - expected)[0]
    counted = expected[0, 4:].max(axis=0) > CONFIDENCE
    boxes, scores = difference[:4], difference[4:]
    if exact:
        # Relative to the range of the output: boxes reach from 0 to the size of the input.
        report.worse("error", "max_box_px", float(boxes.max()), 1e-4 * float(np.abs(expected[0, :4]).max()))
        report.worse("error", "max_score", float(scores.max()), 1e-4)
    else:
        report.worse("error", "max_box_px", float(boxes[:, counted].max(initial=0.0)), 1.0)
        report.worse("error", "max_anchor_score", float(scores.max()), 0.05)
    # Of all scores together: some wrong weights move no single score far, but all of them a little.
    report.worse("error", "scores_rms_ratio", relative_rms(got[0, 4:], expected[0, 4:]), 1e-4 if exact else 0.02)
    found, wanted = suppress(got[0]), suppress(expected[0])
    hits, total, apart = matched(found, wanted, margin=1e-4 if exact else 0.02)
    if not exact:
        report.worse("error", "max_score", apart, 0.02)
    # In float16, which of two boxes that score alike survives may change.
    report.found_again("detections_iou_095", hits, total, 1.0 if exact else 0.95)


def _classes(report: ValidationReport, got: Answers, expected: Answers, *, exact: bool) -> None:
    found, wanted = got["probabilities"].astype(np.float64), expected["probabilities"].astype(np.float64)
    limit = 1e-4 * float(wanted.max()) if exact else 5e-3
    report.worse("error", "max_probability", float(np.abs(found - wanted).max()), limit)
    report.worse("error", "probabilities_rms_ratio", relative_rms(found, wanted), 1e-3 if exact else 0.02)
    report.worse("error", "sum_of_probabilities", float(np.abs(found.sum(-1) - 1).max()), 1e-4 if exact else 5e-3)
    for k in (1, 5):
        if wanted.shape[1] >= k:
            report.worse("agreement", f"top_{k}", same_best(found[0], wanted[0], k, 2 * limit), 1.0)
    # The built-in top-k, against the probabilities that the same package gives.
    indices, scores = got["top_k_indices"].astype(np.int64), got["top_k_scores"].astype(np.float64)
    inside = (indices >= 0) & (indices < found.shape[1])
    sound = bool(inside.all()) and len(set(indices[0].tolist())) == indices.shape[1]
    apart = np.abs(np.take_along_axis(found, indices, 1) - scores).max() if sound else np.inf
    report.worse("error", "top_k_scores", float(apart), 1e-6 if exact else 2e-3)
    k = indices.shape[1]
    best = np.sort(found[0])[::-1][:k]
    report.worse("error", "top_k_order", float(np.abs(scores[0] - best).max()), 1e-6 if exact else 2e-3)


def same_best(found: np.ndarray, wanted: np.ndarray, k: int, margin: float) -> float:
    """Return 1 if the ``k`` best classes are the same; those that tie within ``margin`` may change places."""
    least = np.sort(wanted)[-k]
    chosen = np.argsort(-found, kind="stable")[:k]
    return float(all(wanted[index] >= least - margin for index in chosen))


def _embedding(report: ValidationReport, got: np.ndarray, expected: np.ndarray, *, exact: bool) -> None:
    difference = np.abs(got.astype(np.float64) - expected)
    limit = 1e-4 * float(np.abs(expected).max()) if exact else 5e-3
    report.worse("error", "max_element", float(difference.max()), limit)
    report.worse("error", "embedding_rms_ratio", relative_rms(got, expected), 1e-4 if exact else 0.01)
    length = np.abs(np.linalg.norm(got.astype(np.float64), axis=-1) - 1).max()
    report.worse("error", "length_minus_1", float(length), 1e-5 if exact else 2e-3)


def suppress(grid: np.ndarray) -> np.ndarray:
    """Return the detections of ``[4 + classes, N]``: rows of left, top, right, bottom, score, class; best first."""
    scores, classes = grid[4:].max(axis=0), grid[4:].argmax(axis=0)
    chosen = np.flatnonzero(scores > CONFIDENCE)
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    centre, size = grid[:2, chosen].T, grid[2:4, chosen].T
    columns = [centre - size / 2, centre + size / 2, scores[chosen, None], classes[chosen, None]]
    rows = np.concatenate(columns, axis=1).astype(np.float64)
    return rows[greedy(rows[:, :4], rows[:, 5], IOU)]


def matched(got: np.ndarray, expected: np.ndarray, margin: float) -> tuple[int, int, float]:
    """Return how well two sets of detections agree: hits, of how many, and the largest difference of two scores.

    Hits are the detections of either side that the other has, of the same class, at IoU ≥ 0.95. What is within
    ``margin`` of the confidence threshold may be missing on the other side.
    """
    total = hits = 0
    apart = 0.0
    for these, those in ((expected, got), (got, expected)):
        for row in these:
            same = those[those[:, 5] == row[5]]
            overlaps = intersection_over_union(row[None, :4], same[:, :4])[0] if len(same) else np.zeros(1)
            hit = overlaps.max() >= 0.95
            if hit:
                apart = max(apart, abs(float(same[overlaps.argmax(), 4] - row[4])))
            elif row[4] <= CONFIDENCE + margin:
                continue
            total, hits = total + 1, hits + int(hit)
    return hits, total, apart
