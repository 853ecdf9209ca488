"""What a conversion is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from eyrie_convert.errors import UsageError


class Target(str, Enum):
    """The format of the model file in a package."""

    COREML = "coreml"
    OPENVINO = "openvino"
    ONNX = "onnx"

    @classmethod
    def parse(cls, text: str) -> Target:
        """Return the target of this name. Raises UsageError if there is none."""
        try:
            return cls(text)
        except ValueError:
            raise UsageError(f"there is no target '{text}': coreml, openvino and onnx are known") from None


class Precision(str, Enum):
    """The number format of the weights."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    MIXED = "mixed"
    INT8 = "int8"

    @classmethod
    def parse(cls, text: str) -> Precision:
        """Return the precision of this name. Raises UsageError if there is none."""
        try:
            return cls(text)
        except ValueError:
            names = ", ".join(each.value for each in cls)
            raise UsageError(f"there is no precision '{text}': {names} are known") from None


SUPPORTED: dict[Target, tuple[Precision, ...]] = {
    Target.COREML: (Precision.FLOAT32, Precision.FLOAT16, Precision.MIXED),
    Target.OPENVINO: (Precision.FLOAT32, Precision.FLOAT16, Precision.INT8),
    Target.ONNX: (Precision.FLOAT32, Precision.FLOAT16, Precision.INT8),
}
# The Neural Engine computes in float16 only; CPUs are given all the digits and choose for themselves.
DEFAULT_PRECISION = {
    Target.COREML: Precision.FLOAT16,
    Target.OPENVINO: Precision.FLOAT32,
    Target.ONNX: Precision.FLOAT32,
}


@dataclass(frozen=True)
class ConversionOptions:
    """How to convert, whatever the architecture and the target.

    ``size`` is the input's (width, height) in pixels; ``None`` takes the architecture's own.
    ``trust_checkpoint`` allows a checkpoint to be unpickled that holds more than weights: that runs whatever
    code is in it. ``calibration`` is a video or a folder of pictures, for INT8. ``labels`` replaces the class
    names that the model brings; for CLIP they are what it is to tell apart, each in all of ``prompts`` (of which
    none is "a photo of a {}."). ``pictures`` are what the result is checked on besides those that come with
    this package.
    """

    precision: Precision | None = None
    size: tuple[int, int] | None = None
    trust_checkpoint: bool = False
    calibration: Path | None = None
    labels: list[str] | None = None
    prompts: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = field(default=())
    top_k: int = 5

    def precision_for(self, target: Target) -> Precision:
        """Return the precision to use. Raises UsageError if the target cannot have it."""
        precision = self.precision or DEFAULT_PRECISION[target]
        if precision not in SUPPORTED[target]:
            names = ", ".join(each.value for each in SUPPORTED[target])
            raise UsageError(f"{target.value} packages cannot be {precision.value}: choose from {names}")
        if precision is Precision.INT8 and self.calibration is None:
            raise UsageError("int8 needs --calibration with a video or a folder of pictures like the real ones")
        return precision

    def with_precision(self, precision: Precision) -> ConversionOptions:
        """Return the same options with this precision."""
        return replace(self, precision=precision)
