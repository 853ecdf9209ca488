"""Core ML Tools, loaded without the remarks that say nothing to the user of a converter."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import types
from collections.abc import Iterator
from unittest import mock

from eyrie_convert.errors import ConversionError

# What Core ML Tools 9 logs on every import or conversion on Linux: that it cannot run models here, that it was
# not tried with these versions of packages (it is, by our tests), that outputs in a tuple are listed one by one,
# and, before it raises an error that says more, that there is one. Anything else it logs is let through.
_KNOWN_REMARKS = (
    "Failed to load _ML",
    "scikit-learn version",
    "Torch version",
    "TensorFlow version",
    "Tuple detected at graph output",
    "ERROR - converting",
)
# Where it draws progress bars: one for the translation, one for each of three rounds of passes, all in a second.
_PROGRESS_BARS = (
    ("coremltools.converters.mil.frontend.torch.ops", "_tqdm"),
    ("coremltools.converters.mil.mil.passes.pass_pipeline", "tqdm"),
)


class _KnownRemarks(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().lstrip().startswith(_KNOWN_REMARKS)


_FILTER = _KnownRemarks()


def load_coremltools() -> types.ModuleType:
    """Return the module ``coremltools``. Raises ConversionError if it is not installed."""
    logging.getLogger("coremltools").addFilter(_FILTER)  # adding it again has no effect
    try:
        return importlib.import_module("coremltools")
    except ImportError as error:
        raise ConversionError(
            f"Core ML packages need coremltools ({error}): pip install 'eyrie-convert[coreml]'"
        ) from error


@contextlib.contextmanager
def without_progress_bars() -> Iterator[None]:
    """Keep Core ML Tools from drawing its progress bars."""
    with contextlib.ExitStack() as stack:
        for module_name, name in _PROGRESS_BARS:
            module = importlib.import_module(module_name)
            if draw := getattr(module, name, None):
                stack.enter_context(mock.patch.object(module, name, functools.partial(draw, disable=True)))
        yield
