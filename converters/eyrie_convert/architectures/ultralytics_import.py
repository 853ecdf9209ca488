"""Imports Ultralytics so that it neither needs torchvision, nor installs, downloads or writes anything of its own."""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
from typing import Any

from eyrie_convert.errors import ConversionError

# The release that goes with the torch in requirements-convert.txt; any other makes Ultralytics warn.
TORCHVISION = "0.28.0"


def ultralytics() -> Any:
    """Return ``ultralytics.nn.tasks``. Raises ConversionError if Ultralytics is not installed."""
    quiet = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    # It writes its settings at import, and into the user's home unless told otherwise.
    os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.gettempdir())
    real = importlib.metadata.version

    def version(name: str) -> str:
        # Ultralytics asks for the version of torchvision when it is imported, and for nothing else of it.
        try:
            return real(name)
        except importlib.metadata.PackageNotFoundError:
            if name == "torchvision":
                return TORCHVISION
            raise

    importlib.metadata.version = version
    try:
        from ultralytics.nn import tasks
    except ImportError as error:
        raise ConversionError(
            f"YOLOv8 needs Ultralytics ({error}): pip install 'eyrie-convert[yolo]' (AGPL-3.0)"
        ) from error
    finally:
        importlib.metadata.version = real
    return tasks
