"""Labels that a CLIP package can tell apart: their embeddings lie beside the model, computed when it is converted.

The probability of a label is ``softmax(logit_scale × cosine)`` of the picture's embedding with those of all labels
(https://arxiv.org/abs/2103.00020). The file is in the safetensors format: ``text_embeddings`` float32 ``[L, D]``, one
row of length 1 a label.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eyrie_convert import golden, package
from eyrie_convert.errors import ConversionError, UsageError, reason_of
from eyrie_convert.network import Picture
from eyrie_convert.options import Precision
from eyrie_convert.validation import ValidationReport, same_best

NAME = "text_embeddings.safetensors"
SCHEMA = "eyrie.text_embeddings/1"
TENSOR = "text_embeddings"
PROMPT = "a photo of a {}."
MOST_LABELS = 10_000
# Two labels closer than this in probability are one: which comes first says nothing of an eight-bit model.
TIE = 0.05
# What quantisation may cost: of the pictures where one label stands out, so many keep it.
LEAST_AGREEMENT, LEAST_DECIDED = 0.9, 8


@dataclass(frozen=True)
class ZeroShot:
    """Labels, what the text tower makes of them, and the original to compare with.

    ``reference`` gives for some pictures what the untouched model answers: the labels' embeddings ``[L, D]`` and
    logits ``[pictures, L]``.
    """

    labels: list[str]
    prompts: list[str]
    embeddings: np.ndarray
    logit_scale: float
    reference: Callable[[Sequence[Picture]], tuple[np.ndarray, np.ndarray]]

    def metadata(self) -> dict[str, Any]:
        """Return the ``zero_shot`` field of the metadata's ``output``."""
        return {
            "labels": self.labels,
            "embeddings": NAME,
            "logit_scale": self.logit_scale,
            "prompts": self.prompts,
        }

    def write(self, directory: Path) -> str:
        """Write the embeddings into a package, and return the file's name."""
        golden.save(directory / NAME, {TENSOR: self.embeddings}, {"schema": SCHEMA})
        return NAME


def read_labels(path: Path) -> list[str]:
    """Read labels, one a line; blank lines and those that begin with ``#`` are none.

    Raises ConversionError if the file cannot be read, or what ``check`` raises.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # some editors begin a text with a mark
    except OSError as error:
        raise ConversionError(f"cannot read the labels {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConversionError(f"cannot read the labels {path}: it is no text in UTF-8") from error
    labels = [package.printable(line) for line in lines if not line.lstrip().startswith("#")]
    try:
        return check_labels([label for label in labels if label])
    except ConversionError as error:
        raise ConversionError(f"cannot use the labels {path}: {error}") from error


def check_labels(labels: Sequence[str]) -> list[str]:
    """Return the labels, without what cannot be printed. Raises ConversionError if there are none, or two alike."""
    cleaned = [package.printable(label) for label in labels]
    if not cleaned:
        raise ConversionError("there are no labels")
    if len(cleaned) > MOST_LABELS:
        raise ConversionError(f"there are {len(cleaned)} labels, and {MOST_LABELS} are the most")
    seen: set[str] = set()
    for label in cleaned:
        if not label:
            raise ConversionError("a label is empty")
        if label in seen:
            raise ConversionError(f"'{shortened(label)}' is there twice: the probability would be split")
        seen.add(label)
    return cleaned


def check_prompts(prompts: Sequence[str]) -> list[str]:
    """Return the prompts, without what cannot be printed. Raises UsageError if one has no place for a label."""
    cleaned = [package.printable(prompt) for prompt in prompts]
    for prompt in cleaned:
        if "{}" not in prompt:
            raise UsageError(f"the prompt '{shortened(prompt)}' has no {{}}, which is where the label goes")
    return cleaned


def shortened(text: str) -> str:
    """Return a text as it can stand in a line."""
    return text if len(text) <= 60 else text[:57] + "…"


def read(path: Path) -> np.ndarray:
    """Read the embeddings of a package. Raises ConversionError if the file is not whole, or another one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConversionError(f"cannot read {path}: {reason_of(error)}") from error
    try:
        length = int.from_bytes(content[:8], "little")
        header, block = json.loads(content[8 : 8 + length]), content[8 + length :]
        schema, tensor = header["__metadata__"]["schema"], header[TENSOR]
        rows, columns = tensor["shape"]
        if (schema, tensor["dtype"], tensor["data_offsets"]) != (SCHEMA, "F32", [0, len(block)]):
            raise ValueError("it is damaged, or of another kind")
        return np.frombuffer(block, "<f4").reshape(rows, columns)
    except (ValueError, KeyError, TypeError) as error:
        raise ConversionError(f"{path} does not hold the embeddings of labels, or not all of it") from error


def validate(
    report: ValidationReport,
    directory: Path,
    zero_shot: ZeroShot,
    embeddings: Sequence[np.ndarray],
    pictures: Sequence[Picture],
    precision: Precision,
) -> None:
    """Compare what package and file say together with the original: ``embeddings`` are the package's, of ``pictures``.

    Raises ConversionError if the file cannot be read.
    """
    stated = zero_shot.metadata()
    if (directory / package.METADATA).is_file():
        stated = package.read_json(directory / package.METADATA).get("output", {}).get("zero_shot") or {}
    texts = read(directory / NAME)
    if stated.get("labels") != zero_shot.labels or texts.shape != zero_shot.embeddings.shape:
        report.problems.append("the labels are not those that the embeddings were made of")
        return
    # Of every row, so that two that were changed for one another show, however alike they are.
    expected_texts, logits = zero_shot.reference(pictures)
    difference = np.abs(texts.astype(np.float64) - expected_texts).max()
    report.worse("error", "text_embedding", float(difference), 1e-4 * float(np.abs(expected_texts).max()))
    lengths = np.linalg.norm(texts.astype(np.float64), axis=1)
    report.worse("error", "text_length_minus_1", float(np.abs(lengths - 1).max()), 1e-5)
    scale = float(stated.get("logit_scale", math.nan))
    report.worse("error", "logit_scale_ratio_minus_1", abs(scale / zero_shot.logit_scale - 1), 1e-5)
    found = softmax(scale * np.concatenate(embeddings).astype(np.float64) @ texts.T.astype(np.float64))
    expected = softmax(logits.astype(np.float64))
    if precision is Precision.INT8:
        _cost(report, found, expected)
        return
    limit = 1e-4 if precision is Precision.FLOAT32 else 0.02
    report.worse("error", "max_zero_shot_probability", float(np.abs(found - expected).max()), limit)
    for row, wanted in zip(found, expected, strict=True):
        report.worse("agreement", "zero_shot_top_1", same_best(row, wanted, 1, 2 * limit), 1.0)


def _cost(report: ValidationReport, found: np.ndarray, expected: np.ndarray) -> None:
    """Record what eight bits change. A scale of 100 makes much of little, so that only the best label is judged."""
    best = np.sort(expected, axis=1)
    decided = best[:, -1] - best[:, -2] > TIE if expected.shape[1] > 1 else np.ones(len(expected), bool)
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    cost = report.details.setdefault("cost", {})
    cost["zero_shot_decided"] = int(decided.sum())
    cost["zero_shot_top1_agreement"] = float(same[decided].mean()) if decided.any() else None
    cost["zero_shot_mean_probability_difference"] = float(np.abs(found - expected).mean())
    if decided.sum() >= LEAST_DECIDED:
        report.worse("agreement", "zero_shot_top_1", float(same[decided].mean()), LEAST_AGREEMENT)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of each row."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
