"""How a Core ML package is to be made: precision, compute units, oldest system, Neural Engine."""

from __future__ import annotations

import dataclasses
from typing import Any

from eyrie_convert.errors import ConversionError

PRECISIONS = ("float32", "float16", "mixed")
COMPUTE_UNITS = ("ALL", "CPU_AND_GPU", "CPU_ONLY", "CPU_AND_NE")
# Those of Core ML Tools 9 that take ML programs (iOS 15, macOS 12 and later).
DEPLOYMENT_TARGETS = (
    "iOS15", "iOS16", "iOS17", "iOS18", "iOS26",
    "macOS12", "macOS13", "macOS14", "macOS15", "macOS26",
)  # fmt: skip
# MLComputeUnits.cpuAndNeuralEngine came with iOS 16 and macOS 13.
_WITHOUT_CPU_AND_NE = ("iOS15", "macOS12")


@dataclasses.dataclass(frozen=True)
class CoreMLConverterConfig:
    """Settings of a conversion to Core ML. Raises ConversionError for values that cannot be had together.

    - ``precision``: what the program computes in. "float16" is Core ML's own default; "mixed" is float16 but for
      what loses by it (see :mod:`eyrie_convert.coreml.precision`).
    - ``compute_units``: where Core ML may run it. It is chosen when a model is loaded, so it goes into the
      metadata for the runtime, not into the package.
    - ``minimum_deployment_target``: the oldest system that the package runs on.
    - ``ane_optimized``: rewrite the network for the Neural Engine, which needs float16 and compute units that
      include it.
    """

    precision: str = "float16"
    compute_units: str = "ALL"
    minimum_deployment_target: str = "iOS15"
    ane_optimized: bool = False

    def __post_init__(self) -> None:
        _check("precision", self.precision, PRECISIONS)
        _check("compute_units", self.compute_units, COMPUTE_UNITS)
        _check("minimum_deployment_target", self.minimum_deployment_target, DEPLOYMENT_TARGETS)
        if not isinstance(self.ane_optimized, bool):
            raise ConversionError(f"Core ML: ane_optimized is true or false, not {self.ane_optimized!r}")
        if self.ane_optimized and self.precision != "float16":
            raise ConversionError(
                f"Core ML: ane_optimized needs precision float16, not {self.precision}: the Neural Engine computes in "
                "float16 only"
            )
        if self.ane_optimized and self.compute_units in ("CPU_AND_GPU", "CPU_ONLY"):
            raise ConversionError(
                f"Core ML: ane_optimized is of no use with compute units {self.compute_units}, which leave the Neural "
                "Engine out: choose ALL or CPU_AND_NE"
            )
        if self.compute_units == "CPU_AND_NE" and self.minimum_deployment_target in _WITHOUT_CPU_AND_NE:
            raise ConversionError(
                f"Core ML: compute units CPU_AND_NE came with iOS 16 and macOS 13, after "
                f"{self.minimum_deployment_target}: choose ALL, or a later minimum deployment target"
            )

    def metadata(self) -> dict[str, Any]:
        """Return the settings as the section ``coreml`` of a package's metadata has them."""
        return {
            "compute_units": self.compute_units,
            "minimum_deployment_target": self.minimum_deployment_target,
            "ane_optimized": self.ane_optimized,
        }


def _check(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConversionError(f"Core ML: {name} is one of {', '.join(allowed)}, not {value!r}")
