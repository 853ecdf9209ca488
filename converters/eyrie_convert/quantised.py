"""INT8 as a step of a conversion: calibrate, quantise, and judge what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyrie_convert.errors import ConversionError
from eyrie_convert.network import Network
from eyrie_convert.validation import ValidationReport


@dataclass
class Quantised:
    """A quantised model, the float one it came from, and the pictures that neither was calibrated on."""

    model: Any
    float_runner: Callable[..., Any]
    calibration: Any


def quantise(
    network: Network,
    path: Path | None,
    model: Any,
    quantiser: Callable[..., Any],
    runner: Callable[..., Any],
) -> Quantised:
    """Quantise ``model`` on the pictures or the video at ``path``.

    Raises ConversionError if there are too few, or NNCF is not installed.
    """
    from eyrie_convert.calibration import Calibration

    if path is None:
        raise ConversionError("int8 needs pictures to calibrate on")
    calibration = Calibration.read(path, network.input)
    float_runner = runner(model, network.input)
    quantised = quantiser(model, network.task, calibration.calibration, network.input)
    return Quantised(quantised, float_runner, calibration)


def validate(network: Network, quantised: Quantised, runner: Callable[..., Any]) -> ValidationReport:
    """Compare with float32 on the held-out pictures. Raises ConversionError if it cost too much."""
    from eyrie_convert.quantize import Limits, accuracy_cost, limits_metadata

    limits = Limits()
    held_out = quantised.calibration.held_out
    cost = accuracy_cost(network.task, quantised.float_runner, runner, held_out, network.labels)
    limits.check(cost, network.name)
    report = ValidationReport(
        reference=f"the same network in float32 ({network.reference_name})",
        inputs=f"{len(held_out)} pictures of {quantised.calibration.source} that it was not calibrated on",
    )
    report.details = {
        "cost": cost,
        "limits": limits_metadata(limits, network.task),
        "calibration": quantised.calibration.describe(),
    }
    return report
