"""Reads a Darknet ``.cfg``: sections in order, each with the options that matter at inference.

Every option is either used here, known to matter in training only, or refused: an option that is
silently ignored would be a network that is silently wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyrie_convert.errors import ConversionError

ALIASES = {"network": "net", "conv": "convolutional", "max": "maxpool"}

ACTIVATIONS = ("linear", "leaky", "relu", "logistic", "mish", "swish")

# Options that change nothing at inference, by section.
TRAINING_ONLY = {
    "net": """batch subdivisions time_steps momentum decay angle saturation exposure hue learning_rate
        burn_in max_batches policy steps scales power gamma step scale max_crop min_crop flip mosaic mixup
        cutmix label_smooth_eps optimized_memory workspace_size_limit_mb ema_alpha track loss_scale
        dynamic_minibatch use_cuda_graph letter_box adam b1 b2 eps aspect""",
    "convolutional": "stopbackward learning_rate_scale dontload dontloadscales",
    "maxpool": "stopbackward",
    "route": "stopbackward",
    "upsample": "",
    "shortcut": "",
    "yolo": """jitter ignore_thresh truth_thresh random resize iou_loss iou_normalizer cls_normalizer
        obj_normalizer delta_normalizer max_delta iou_thresh iou_thresh_kind nms_kind beta_nms max max_boxes
        label_smooth_eps objectness_smooth focal_loss counters_per_class show_details""",
}


@dataclass(frozen=True)
class Section:
    """One ``[section]`` of the file, with its options converted and checked."""

    kind: str
    options: dict[str, Any]
    line: int

    def __getitem__(self, option: str) -> Any:
        return self.options[option]


@dataclass(frozen=True)
class Network:
    """A whole network: the size of its input in pixels, and its layers in order."""

    width: int
    height: int
    channels: int
    layers: tuple[Section, ...]


def positive(text: str) -> int:
    """Return an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise ValueError("must be at least 1")
    return value


def natural(text: str) -> int:
    """Return an integer of at least 0."""
    value = int(text)
    if value < 0:
        raise ValueError("must not be negative")
    return value


def finite(text: str) -> float:
    """Return a finite number."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("must be finite")
    return value


def integers(text: str) -> tuple[int, ...]:
    """Return a comma-separated list of integers; a comma at the end is allowed, as in Darknet."""
    return tuple(int(part) for part in text.split(",") if part.strip())


def numbers(text: str) -> tuple[float, ...]:
    """Return a comma-separated list of finite numbers."""
    return tuple(finite(part) for part in text.split(",") if part.strip())


def activation(text: str) -> str:
    """Return the name of an activation that the converter can build."""
    if text not in ACTIVATIONS:
        raise ValueError(f"is not supported (supported: {', '.join(ACTIVATIONS)})")
    return text


def only(*allowed: str) -> Callable[[str], str]:
    """Accept an option that would change the result only at one of these harmless values."""

    def check(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"is not supported (only {' or '.join(allowed)})")
        return text

    return check


REQUIRED = object()

# Option → (conversion, default). A default of None means: derived from the others, or absent.
SCHEMA: dict[str, dict[str, tuple[Callable[[str], Any], Any]]] = {
    "net": {"width": (positive, REQUIRED), "height": (positive, REQUIRED), "channels": (positive, 3)},
    "convolutional": {
        "filters": (positive, 1),
        "size": (positive, 1),
        "stride": (positive, 1),
        "pad": (natural, 0),
        "padding": (natural, 0),
        "groups": (positive, 1),
        "batch_normalize": (natural, 0),
        "activation": (activation, "logistic"),
        "dilation": (only("1"), "1"),
        "binary": (only("0"), "0"),
        "xnor": (only("0"), "0"),
        "flipped": (only("0"), "0"),
        "antialiasing": (only("0"), "0"),
    },
    "maxpool": {
        "size": (positive, None),
        "stride": (positive, 1),
        "padding": (natural, None),
        "maxpool_depth": (only("0"), "0"),
        "antialiasing": (only("0"), "0"),
    },
    "route": {"layers": (integers, REQUIRED), "groups": (positive, 1), "group_id": (natural, 0)},
    "upsample": {"stride": (positive, 2), "scale": (only("1", "1.", "1.0"), "1")},
    "shortcut": {
        "from": (integers, REQUIRED),
        "activation": (activation, "linear"),
        "weights_type": (only("none"), "none"),
    },
    "yolo": {
        "mask": (integers, None),
        "anchors": (numbers, REQUIRED),
        "classes": (positive, 20),
        "num": (positive, 1),
        "scale_x_y": (finite, 1.0),
        "new_coords": (only("0"), "0"),
    },
}


def read_cfg(path: Path) -> Network:
    """Read a network description.

    Raises ConversionError for a file that cannot be read, is malformed, or describes something that
    cannot be converted faithfully; the message names the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ConversionError(f"cannot read the network description {path}: {reason}") from error
    sections = [_checked(path, *raw) for raw in _raw_sections(path, text)]
    if not sections or sections[0].kind != "net":
        raise ConversionError(f"{path}: does not begin with [net]; is it a Darknet .cfg file?")
    if not any(section.kind == "yolo" for section in sections):
        raise ConversionError(f"{path}: has no [yolo] section, so it is not a detector of a supported kind")
    for section in sections[1:]:
        if section.kind == "net":
            raise ConversionError(f"{path}:{section.line}: a second [net]")
    net = sections[0]
    return Network(net["width"], net["height"], net["channels"], tuple(sections[1:]))


def _raw_sections(path: Path, text: str) -> Iterator[tuple[str, dict[str, tuple[str, int]], int]]:
    """Yield (kind, {option: (text, line)}, line) for each section."""
    kind: str | None = None
    options: dict[str, tuple[str, int]] = {}
    start = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#")[0].split(";")[0].strip()
        if not line:
            continue
        if line.startswith("["):
            if not line.endswith("]"):
                raise ConversionError(f"{path}:{number}: '{line[:40]}' is no section heading: ']' is missing")
            if kind is not None:
                yield kind, options, start
            kind, options, start = line[1:-1].strip(), {}, number
            continue
        option, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not option or not value:
            raise ConversionError(f"{path}:{number}: '{line[:40]}' is neither a [section] nor option=value")
        if kind is None:
            raise ConversionError(f"{path}:{number}: '{line[:40]}' stands before the first [section]")
        if option in options:
            raise ConversionError(f"{path}:{number}: '{option}' is given twice in [{kind}]")
        options[option] = (value, number)
    if kind is not None:
        yield kind, options, start


def _checked(path: Path, kind: str, raw: dict[str, tuple[str, int]], line: int) -> Section:
    kind = ALIASES.get(kind, kind)
    schema = SCHEMA.get(kind)
    if schema is None:
        supported = ", ".join(f"[{name}]" for name in SCHEMA)
        raise ConversionError(f"{path}:{line}: section [{kind}] is not supported (supported: {supported})")
    options: dict[str, Any] = {}
    for option, (convert, default) in schema.items():
        if option not in raw:
            if default is REQUIRED:
                raise ConversionError(f"{path}:{line}: [{kind}] has no '{option}'")
            options[option] = default
            continue
        value, number = raw[option]
        try:
            options[option] = convert(value)
        except ValueError as error:
            reason = str(error) if str(error).startswith(("must", "is")) else "is not a number"
            raise ConversionError(f"{path}:{number}: {option}={value[:40]} in [{kind}] {reason}") from error
    ignored = TRAINING_ONLY[kind].split()
    for option, (_, number) in raw.items():
        if option not in schema and option not in ignored:
            raise ConversionError(
                f"{path}:{number}: option '{option}' of [{kind}] is not known, so whether the result would be "
                "right is not either; remove it if it only concerns training"
            )
    return Section(kind, options, line)
