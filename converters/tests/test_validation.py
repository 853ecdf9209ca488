"""How packages are compared with their originals."""

import numpy as np
import pytest

from eyrie_convert.options import Precision
from eyrie_convert.validation import ValidationReport, compare


def grid(scores):
    """Return the answer of a detector with one class: boxes that lie apart, of these scores."""
    centres = 100.0 * (1 + np.arange(len(scores)))
    sizes = np.full(len(scores), 50.0)
    return {"output0": np.stack([centres, centres, sizes, sizes, scores]).astype(np.float32)[None]}


def report_of(precision, *pairs):
    report = ValidationReport("a", "b")
    for got, expected in pairs:
        compare(report, "detect", got, expected, precision)
    return report


def test_detections_are_counted_over_all_pictures():
    many, few = grid([0.9] * 40), grid([0.5, 0.28])
    lost = grid([0.5, 0.23])
    report = report_of(Precision.FLOAT16, (many, many), (lost, few))
    assert report.agreement["detections_iou_095"] == pytest.approx(82 / 83)
    assert not any("detections" in each for each in report.failures)
    alone = report_of(Precision.FLOAT16, (lost, few))
    assert any("detections iou 095 is 0.667" in each for each in alone.failures)


def test_one_detection_lost_among_many_fails_in_float32():
    many, few = grid([0.9] * 40), grid([0.5, 0.28])
    report = report_of(Precision.FLOAT32, (many, many), (grid([0.5, 0.23]), few))
    assert any("detections iou 095" in each for each in report.failures)


def test_the_same_problem_is_said_once():
    bad = {"output0": np.full((1, 5, 2), np.nan, np.float32)}
    report = report_of(Precision.FLOAT32, (bad, grid([0.5, 0.3])), (bad, grid([0.5, 0.3])))
    assert report.failures == ["the output output0 has numbers that are not finite"]
