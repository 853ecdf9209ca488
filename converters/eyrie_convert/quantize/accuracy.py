"""What quantisation cost in accuracy, on pictures that it was not calibrated on, and how much is too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyrie_convert.errors import ConversionError
from eyrie_convert.network import Answers, Picture, Runner
from eyrie_convert.quantize.detections import CONFIDENCE, IOU, Detections, detections, match

MATCH_IOU = 0.5
# Two classes closer than this in probability are one: which comes first says nothing.
TIE = 0.05


@dataclass(frozen=True)
class Limits:
    """The most that quantisation may cost; between what was measured where it goes well and where it does not.

    YOLOv8n with trained weights at 640, held-out frames of two videos (43 to 189 detections in each measurement):

    ==========================================  ==========  =========  =========  ================
    what                                        recall      precision  mean IoU   score difference
    ==========================================  ==========  =========  =========  ================
    bfloat16, for comparison                    .93 – 1.00  .98 – 1.0  .993       .004 – .017
    int8, calibrated on the same video or all   .93 – 1.00  .93 – 1.0  .982       .020 – .029
    int8, calibrated on another video           .98         .88 – .96  .984       .024 – .045
    int8, decode of boxes quantised as well     .98         .95        .90 – .91  .019 – .021
    int8, calibrated on noise                   .79 – .88   .77 – .90  .974       .063 – .181
    int8, calibrated on grey                    .51         .45        .915       .204
    ==========================================  ==========  =========  =========  ================

    Most of what is lost or added is at the confidence threshold, so a few detections say nothing, hence
    ``least_detections``. A third video that looks straight down on cars, which the float model itself takes for
    telephones at .25 to .5, gives a precision of .70: the int8 model is surer of them. That is refused, as it
    should be.

    ViT and CLIP with random weights (trained ones have outliers and lose more): the transformer preset gives a
    ``logit_cosine`` of .999, equal best classes and a ``mean_cosine`` of .9998, the ordinary one .96 – .997 and
    .990 – .998.
    """

    recall: float = 0.85
    precision: float = 0.85
    mean_iou: float = 0.92
    mean_score_difference: float = 0.05
    least_detections: int = 30
    top1_agreement: float = 0.9
    logit_cosine: float = 0.98
    least_decided: int = 8
    mean_cosine: float = 0.99
    min_cosine: float = 0.97

    def check(self, cost: dict[str, Any], name: str = "the quantised model") -> None:
        """Raise ConversionError if ``cost``, as ``accuracy_cost`` gives it, is beyond the limits or no measure."""
        if cost["not_finite"]:
            raise ConversionError(f"{name} answers with NaN or infinity on {cost['not_finite']} of {cost['pictures']}")
        if cost["task"] == "detect" and cost["reference_detections"] < self.least_detections:
            raise ConversionError(
                f"cannot tell what quantisation cost {name}: the float model finds "
                f"{cost['reference_detections']} objects on {cost['pictures']} held-out pictures, and "
                f"{self.least_detections} are needed; calibrate on footage that shows more of what the model detects"
            )
        broken = [
            f"{key} {cost[key]:.3f} (limit {limit:g})"
            for key, limit, worse in self._rules(cost)
            if cost[key] is not None and worse(cost[key], limit)
        ]
        if broken:
            raise ConversionError(
                f"quantisation costs {name} too much on {cost['pictures']} held-out pictures: {', '.join(broken)}; "
                "calibrate on more and more varied pictures of the kind it will see, or keep float32 or float16"
            )

    def _rules(self, cost: dict[str, Any]) -> list[tuple[str, float, Any]]:
        def below(value: float, limit: float) -> bool:
            return not value >= limit

        def above(value: float, limit: float) -> bool:
            return not value <= limit

        if cost["task"] == "detect":
            return [
                ("recall", self.recall, below),
                ("precision", self.precision, below),
                ("mean_iou", self.mean_iou, below),
                ("mean_score_difference", self.mean_score_difference, above),
            ]
        if cost["task"] == "classify":
            rules = [("logit_cosine", self.logit_cosine, below)]
            if cost["decided"] >= self.least_decided:
                rules.insert(0, ("top1_agreement", self.top1_agreement, below))
            return rules
        return [("mean_cosine", self.mean_cosine, below), ("min_cosine", self.min_cosine, below)]


def accuracy_cost(
    task: str, reference: Runner, quantised: Runner, pictures: Sequence[Picture], labels: Sequence[str] = ()
) -> dict[str, Any]:
    """Run both models on the pictures and return how the second differs from the first, ready for the metadata.

    - detect: detections after suppression, matched by class and an intersection over union of 0.5. ``recall`` is
      the part of the reference's detections that was found, ``precision`` that of the found ones that the reference
      has, ``mean_iou`` and the score differences are those of matched pairs. ``None`` where there are none.
    - classify: ``top1_agreement`` over the pictures that are ``decided`` (the reference's best two classes differ
      by more than 0.05), ``top5_overlap`` (part of the best five in common), differences of probability, and
      ``logit_cosine``, the mean cosine between centred log probabilities, which also means something where no
      class stands out.
    - embed: ``mean_cosine`` and ``min_cosine``.

    Nothing is judged here: see ``Limits.check``. Raises ConversionError if there are no pictures.
    """
    if not pictures:
        raise ConversionError("cannot tell what quantisation cost without pictures to measure on")
    measure = {"detect": _Detect, "classify": _Classify, "embed": _Embed}[task](labels)
    not_finite = 0
    for picture in pictures:
        first, second = reference(picture), quantised(picture)
        if all(np.isfinite(array).all() for array in second.values()):
            measure.add(first, second)
        else:
            not_finite += 1
    return {"task": task, "pictures": len(pictures), "not_finite": not_finite, **measure.result()}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


class _Detect:
    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._found = self._matched = self._reference = 0
        self._iou: list[float] = []
        self._differences: list[float] = []
        self._classes: dict[str, list[int]] = {}

    def add(self, first: Answers, second: Answers) -> None:
        ours, theirs = _grid_detections(first), _grid_detections(second)
        pairs = match(ours, theirs, MATCH_IOU)
        self._reference += len(ours.scores)
        self._found += len(theirs.scores)
        self._matched += len(pairs.iou)
        self._iou += pairs.iou.tolist()
        self._differences += np.abs(ours.scores[pairs.first] - theirs.scores[pairs.second]).tolist()
        for index, number in enumerate(ours.classes.tolist()):
            name = self._labels[number] if number < len(self._labels) else str(number)
            counts = self._classes.setdefault(name, [0, 0])
            counts[0] += 1
            counts[1] += int(index in pairs.first)

    def result(self) -> dict[str, Any]:
        most = sorted(self._classes.items(), key=lambda item: (-item[1][0], item[0]))
        return {
            "confidence": CONFIDENCE,
            "nms_iou": IOU,
            "match_iou": MATCH_IOU,
            "reference_detections": self._reference,
            "quantised_detections": self._found,
            "matched": self._matched,
            "recall": self._matched / self._reference if self._reference else None,
            "precision": self._matched / self._found if self._found else None,
            "mean_iou": _mean(self._iou),
            "mean_score_difference": _mean(self._differences),
            "max_score_difference": max(self._differences, default=None),
            "classes": {name: {"reference": all_, "matched": found} for name, (all_, found) in most},
        }


def _grid_detections(answers: Answers) -> Detections:
    (grid,) = answers.values()
    return detections(grid[0])


class _Classify:
    def __init__(self, labels: Sequence[str]) -> None:
        self._top1: list[bool] = []
        self._top5: list[float] = []
        self._cosines: list[float] = []
        self._differences: list[float] = []
        self._largest = 0.0

    def add(self, first: Answers, second: Answers) -> None:
        ours, theirs = _only(first, "probabilities"), _only(second, "probabilities")
        order = np.argsort(-ours, kind="stable")
        best = np.argsort(-theirs, kind="stable")
        if ours.size == 1 or ours[order[0]] - ours[order[1]] > TIE:
            self._top1.append(bool(order[0] == best[0]))
        five = min(5, ours.size)
        self._top5.append(len(set(order[:five].tolist()) & set(best[:five].tolist())) / five)
        difference = np.abs(ours - theirs)
        self._differences.append(float(difference.mean()))
        self._largest = max(self._largest, float(difference.max()))
        self._cosines.append(_cosine(*(_centred_log(each) for each in (ours, theirs))))

    def result(self) -> dict[str, Any]:
        return {
            "decided": len(self._top1),
            "top1_agreement": _mean(self._top1),
            "top5_overlap": _mean(self._top5),
            "mean_probability_difference": _mean(self._differences),
            "max_probability_difference": self._largest,
            "logit_cosine": _mean(self._cosines),
        }


def _centred_log(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log(np.clip(probabilities, 1e-12, None))
    return logs - logs.mean()


class _Embed:
    def __init__(self, labels: Sequence[str]) -> None:
        self._cosines: list[float] = []

    def add(self, first: Answers, second: Answers) -> None:
        self._cosines.append(_cosine(_only(first, "embedding"), _only(second, "embedding")))

    def result(self) -> dict[str, Any]:
        return {"mean_cosine": _mean(self._cosines), "min_cosine": min(self._cosines, default=None)}


def _only(answers: Answers, name: str) -> NDArray[np.float64]:
    return np.asarray(answers[name] if name in answers else next(iter(answers.values())), np.float64).ravel()


def _cosine(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    length = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / length) if length > 0 else float(np.array_equal(first, second))


def limits_metadata(limits: Limits, task: str) -> dict[str, Any]:
    """Return the limits that apply to a task, for the metadata."""
    names = {
        "detect": ("recall", "precision", "mean_iou", "mean_score_difference", "least_detections"),
        "classify": ("top1_agreement", "logit_cosine", "least_decided"),
        "embed": ("mean_cosine", "min_cosine"),
    }[task]
    return {name: value for name, value in asdict(limits).items() if name in names}
