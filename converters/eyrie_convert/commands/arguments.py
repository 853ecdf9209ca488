"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from eyrie_convert import package
from eyrie_convert.errors import ConversionError, UsageError


def add_common(parser: argparse.ArgumentParser, labels: str = "class names") -> None:
    """Add what every conversion takes; ``labels`` says what those are."""
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path("models"),
        metavar="DIR",
        help="packages are made inside, as NAME-TARGET (models)",
    )
    parser.add_argument(
        "--target", default="openvino", metavar="LIST", help="coreml, openvino, onnx, or several with commas (openvino)"
    )
    parser.add_argument(
        "--precision",
        metavar="P",
        help="float32, float16, int8, and for coreml mixed (float32; coreml: float16)",
    )
    parser.add_argument("--size", metavar="N|WxH", help="of the input in pixels (yolo: 640; others: their own)")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="VIDEO|DIR",
        help="int8: a video or a folder of pictures like those the model will see",
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help=f"{labels}, one a line ('coco': the 80 of COCO)")
    parser.add_argument(
        "--picture",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="compare with PyTorch on this picture too (may be repeated)",
    )
    parser.add_argument(
        "--trust-checkpoint",
        action="store_true",
        help="load a checkpoint that holds more than weights, which runs code that is in it",
    )
    parser.add_argument(
        "--benchmark",
        action="store_true",
        help="measure the packages on this machine, and write it into their metadata",
    )
    coreml = parser.add_argument_group("Core ML")
    coreml.add_argument("--compute-units", default="ALL", metavar="U", help="ALL, CPU_AND_GPU, CPU_ONLY, CPU_AND_NE")
    coreml.add_argument(
        "--deployment-target", default="iOS15", metavar="OS", help="the oldest system that runs it: iOS15, macOS13, …"
    )
    coreml.add_argument(
        "--ane-optimized", action="store_true", help="lay the network out for the Neural Engine, and report on it"
    )


def size_of(text: str | None) -> tuple[int, int] | None:
    """Return (width, height) of ``640`` or ``640x384``. Raises UsageError if it is neither."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", text)
    if not match or int(match[1]) < 1 or int(match[2] or 1) < 1:
        raise UsageError(f"--size '{text}' is neither a number of pixels nor WIDTHxHEIGHT")
    return int(match[1]), int(match[2] or match[1])


def labels_of(path: Path | None) -> list[str] | None:
    """Read class names, one a line. Raises ConversionError if the file cannot be read or has none."""
    if path is None:
        return None
    if str(path) == "coco":
        from eyrie_convert.assets import coco_labels

        return coco_labels()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # some editors begin a text with a mark
        labels = package.clean_labels([line for line in lines if line.strip()])
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ConversionError(f"cannot read the labels {path}: {reason}") from error
    if not labels:
        raise ConversionError(f"the labels {path} are empty")
    return labels
