"""The measure of what quantisation cost, on answers made up for it."""

import numpy as np
import pytest

from eyrie_convert.errors import ConversionError
from eyrie_convert.quantize import Limits, accuracy_cost, detections, limits_metadata
from eyrie_convert.quantize.detections import intersection_over_union, match

PICTURES = [np.full((8, 8, 3), number, np.uint8) for number in range(40)]


def grid(*objects, classes=3, anchors=12):
    """Return ``[1, 4 + classes, anchors]`` with objects ``(class, score, x, y, width, height)``."""
    found = np.zeros((1, 4 + classes, anchors), np.float32)
    found[0, 2:4] = 1
    for index, (number, score, *box) in enumerate(objects):
        found[0, :4, index] = box
        found[0, 4 + number, index] = score
    return found


def test_suppression_is_within_a_class_and_keeps_the_best():
    result = detections(
        grid(
            (0, 0.6, 50, 50, 20, 20),
            (0, 0.9, 51, 50, 20, 20),  # the same object, better
            (1, 0.5, 50, 50, 20, 20),  # another class
            (0, 0.3, 100, 50, 20, 20),
            (2, 0.25, 200, 50, 20, 20),  # not above the threshold
            (2, np.nan, 10, 10, 5, 5),
            (2, np.inf, 10, 10, 5, 5),
            (2, 0.9, np.nan, 10, 5, 5),
        )[0]
    )
    assert result.classes.tolist() == [0, 1, 0]
    assert result.scores == pytest.approx([0.9, 0.5, 0.3])
    assert result.boxes[0] == pytest.approx([41, 40, 61, 60])


def test_intersection_over_union_of_known_boxes():
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 20, 30]])
    assert intersection_over_union(boxes, boxes) == pytest.approx(np.array([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]]))


def test_matching_takes_each_detection_once():
    first = detections(grid((0, 0.9, 50, 50, 20, 20))[0])
    second = detections(grid((0, 0.9, 50, 50, 20, 20), (0, 0.8, 58, 50, 20, 20))[0])
    assert match(first, second).second.tolist() == [0]
    assert match(first, detections(grid((1, 0.9, 50, 50, 20, 20))[0])).iou.size == 0


def run(*objects, **options):
    return lambda _picture: {"output0": grid(*objects, **options)}


BUS, PERSON = (0, 0.9, 50, 50, 20, 20), (1, 0.8, 100, 50, 20, 40)


def test_equal_detectors_cost_nothing():
    cost = accuracy_cost("detect", run(BUS, PERSON), run(BUS, PERSON), PICTURES, ["bus"])
    assert (cost["recall"], cost["precision"], cost["mean_score_difference"]) == (1, 1, 0)
    assert cost["mean_iou"] == pytest.approx(1)
    assert cost["reference_detections"] == 80
    assert cost["classes"] == {"1": {"reference": 40, "matched": 40}, "bus": {"reference": 40, "matched": 40}}
    Limits().check(cost)
    assert set(limits_metadata(Limits(), "detect")) <= {*cost, "least_detections"}


@pytest.mark.parametrize(
    ("objects", "what"),
    [
        ([BUS], r"recall 0\.500 \(limit 0\.85\)"),
        ([BUS, PERSON, (2, 0.5, 200, 200, 9, 9)], r"precision 0\.667 \(limit 0\.85\)"),
        ([BUS, (1, 0.8, 100, 54, 20, 40)], r"mean_iou 0\.909 \(limit 0\.92\)"),
        ([BUS, (1, 0.6, 100, 50, 20, 40)], r"mean_score_difference 0\.100 \(limit 0\.05\)"),
        ([BUS, (2, 0.8, 100, 50, 20, 40)], r"recall 0\.500 .*precision 0\.500"),
        ([], r"recall 0\.000"),
    ],
)
def test_worse_detectors_are_refused_with_the_figures(objects, what):
    cost = accuracy_cost("detect", run(BUS, PERSON), run(*objects), PICTURES)
    with pytest.raises(ConversionError, match=what) as error:
        Limits().check(cost, "bus-int8")
    text = str(error.value)
    assert "bus-int8" in text
    assert "40 held-out pictures" in text
    assert "float32" in text
    assert "\n" not in text


def test_too_few_detections_are_no_measure():
    cost = accuracy_cost("detect", run(BUS), run(BUS), PICTURES[:20])
    with pytest.raises(ConversionError, match="finds 20 objects on 20 held-out pictures, and 30 are needed"):
        Limits().check(cost)
    Limits(least_detections=20).check(cost)
    nothing = accuracy_cost("detect", run(), run(), PICTURES)
    assert nothing["recall"] is None
    with pytest.raises(ConversionError, match="finds 0 objects"):
        Limits().check(nothing)


def test_answers_that_are_no_numbers_are_refused():
    cost = accuracy_cost("detect", run(BUS), run((0, np.nan, 50, 50, 20, 20)), PICTURES)
    with pytest.raises(ConversionError, match="NaN or infinity on 40 of 40"):
        Limits().check(cost)


def softmax(logits):
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()


def classifier(move=0.0, sharp=8.0, flip=False):
    """Return a runner with one clear class for each picture (or none if not ``sharp``)."""

    def answer(picture):
        rng = np.random.default_rng(int(picture[0, 0, 0]))
        logits = rng.normal(0, 1, 50)
        logits[rng.integers(50)] += sharp
        logits += move * np.random.default_rng(int(picture[0, 0, 0]) + 1000).normal(0, 1, 50)
        return {"probabilities": softmax(-logits if flip else logits)[None].astype(np.float32)}

    return answer


def test_classifiers():
    good = accuracy_cost("classify", classifier(), classifier(0.05), PICTURES)
    assert good["decided"] == 40
    assert good["top1_agreement"] == 1
    assert good["top5_overlap"] > 0.8
    assert 0 < good["mean_probability_difference"] < 0.01
    Limits().check(good)
    with pytest.raises(ConversionError, match=r"top1_agreement 0\.\d+.*logit_cosine"):
        Limits().check(accuracy_cost("classify", classifier(), classifier(5.0), PICTURES))


def test_undecided_classifier_is_judged_by_its_logits():
    """Of classes as good as equal the order says nothing; a model spoilt all the same is found out."""
    good = accuracy_cost("classify", classifier(sharp=0), classifier(0.02, sharp=0), PICTURES)
    assert good["decided"] < 40
    Limits(least_decided=41).check(good)
    with pytest.raises(ConversionError, match="logit_cosine"):
        Limits(least_decided=41).check(
            accuracy_cost("classify", classifier(sharp=0), classifier(sharp=0, flip=True), PICTURES)
        )


def embedder(move):
    def answer(picture):
        value = np.random.default_rng(int(picture[0, 0, 0])).normal(0, 1, 64)
        value += move * np.random.default_rng(int(picture[0, 0, 0]) + 1000).normal(0, 1, 64)
        return {"embedding": (value / np.linalg.norm(value))[None].astype(np.float32)}

    return answer


def test_embedders():
    cost = accuracy_cost("embed", embedder(0), embedder(0.03), PICTURES)
    assert cost["min_cosine"] <= cost["mean_cosine"] < 1
    Limits().check(cost)
    with pytest.raises(ConversionError, match=r"mean_cosine 0\.9\d\d \(limit 0\.99\)"):
        Limits().check(accuracy_cost("embed", embedder(0), embedder(0.3), PICTURES))


def test_no_pictures_is_no_measure():
    with pytest.raises(ConversionError, match="without pictures"):
        accuracy_cost("embed", embedder(0), embedder(0), [])
