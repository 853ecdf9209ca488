"""Writes model packages: a directory with the model's files and ``conversion_metadata.json``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from eyrie_convert import __version__
from eyrie_convert.errors import ConversionError, reason_of

SCHEMA = "eyrie.model/1"
METADATA = "conversion_metadata.json"
# Libraries have no words for a full disk (OpenVINO: "iostream error"); with less left, that was it.
LEAST_FREE = 1 << 16


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sha256(file)


def _sha256(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def tools(*distributions: str) -> dict[str, str]:
    """Return the versions of what took part in a conversion."""
    found = {"eyrie_convert": __version__, "python": platform.python_version()}
    for name in distributions:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@contextlib.contextmanager
def new_package(directory: Path) -> Iterator[Path]:
    """Give a directory to write a package into, which becomes ``directory`` when all is done.

    If anything is raised inside, nothing is left and an older package there stays. Refuses to replace
    a directory that is not empty and holds no package.
    """
    try:
        # A link stays one: what it leads to is replaced.
        directory = Path(directory).resolve()
        _check_place(directory)
        directory.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except (OSError, RuntimeError) as error:  # the latter of links in a circle
        raise ConversionError(f"cannot write the package {directory}: {reason_of(error)}") from error
    package, old = work / "new", work / "old"
    try:
        package.mkdir()
        yield package
        if directory.exists():
            directory.rename(old)
        package.rename(directory)
    except BaseException as error:
        # Whatever ends it, be it a signal: the older package goes back to its place.
        if old.exists() and not directory.exists():
            old.rename(directory)
        if isinstance(error, Exception) and shutil.disk_usage(work).free < LEAST_FREE:
            raise ConversionError(f"cannot write the package {directory}: the disk is full") from error
        if isinstance(error, OSError):
            raise ConversionError(f"cannot write the package {directory}: {reason_of(error)}") from error
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_place(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise ConversionError(f"cannot write the package {directory}: there is a file of that name")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / METADATA).is_file():
        raise ConversionError(
            f"cannot write the package {directory}: the directory is not empty and holds no model package; "
            "choose another"
        )


def write_metadata(package: Path, files: list[str], fields: dict[str, Any]) -> None:
    """Write the metadata of a package: ``fields``, and what every package has."""
    metadata = {
        "schema": SCHEMA,
        **fields,
        "files": [{"path": name, "sha256": sha256(package / name)} for name in files],
        "created_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    save_metadata(package, metadata)


def save_metadata(package: Path, metadata: dict[str, Any]) -> None:
    """Write the metadata of a package as they are, in the place of what is there, if that succeeds."""
    text = json.dumps(metadata, indent=2, ensure_ascii=False, allow_nan=False)
    partial = package / f".{METADATA}.partial"
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(package / METADATA)


def yolo_output(name: str, labels: list[str]) -> dict[str, Any]:
    """Return the ``output`` field of a detector that answers ``[1, 4 + classes, N]``."""
    return {
        "kind": "yolo_grid",
        "names": [name],
        "labels": labels,
        "layout": "features_first",
        "objectness": False,
        "dimension": None,
        "normalized": None,
        "top_k": None,
    }


def nms_defaults() -> dict[str, Any]:
    """Return the ``nms`` field of a detector that leaves suppression to the runtime."""
    return {"embedded": False, "confidence": 0.25, "iou": 0.45, "class_agnostic": False, "max_detections": 300}


def clean_labels(labels: list[str]) -> list[str]:
    """Return class names that can be printed anywhere: what a model brings comes to terminals and events.

    Control characters and halves of surrogate pairs become spaces; what is empty then is named by its index.
    """
    return [label or f"class_{index}" for index, label in enumerate(map(printable, labels))]


def printable(text: str) -> str:
    """Return a text with spaces for control characters and halves of surrogate pairs, and none around it."""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def slug(text: str) -> str:
    """Return a name made of lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "model"


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises ConversionError if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConversionError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConversionError(f"{path} is no JSON: {error}") from error
