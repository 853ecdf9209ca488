"""From a PyTorch module to a Core ML model, and from there to a package on disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from eyrie_convert.coreml.config import CoreMLConverterConfig
from eyrie_convert.coreml.precision import compute_precision
from eyrie_convert.coreml.tools import load_coremltools, without_progress_bars
from eyrie_convert.errors import ConversionError, first_line

if TYPE_CHECKING:
    from coremltools.models import MLModel

IMAGE = "image"


def convert_program(
    module: torch.nn.Module,
    image_size: tuple[int, int],
    config: CoreMLConverterConfig,
    output_names: Sequence[str],
    *,
    scale: float = 1.0,
    color_layout: str = "RGB",
    float32_outputs: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> MLModel:
    """Convert a module that takes a float image ``[1, 3, H, W]`` into an ML program that takes an image.

    ``image_size`` is (height, width). ``scale`` multiplies the pixels (0…255) before the module sees them: 1/255
    for YOLO, 1 for modules that normalise by themselves. ``output_names`` name the module's outputs in order.
    With a target before iOS 16 the outputs are float32; later ones answer float16 where the program computes in
    it, unless ``float32_outputs``, which :func:`add_nms` needs. ``metadata`` may have author, license,
    short_description and version.

    Takes up to three times the module's size in memory. Raises ConversionError if Core ML Tools cannot convert it.
    """
    ct = load_coremltools()
    height, width = image_size
    if min(height, width) < 1:
        raise ConversionError(f"Core ML: an image of {width}x{height} pixels is empty")
    if config.ane_optimized and scale != 1:
        # Inside the module, the multiplication follows the cast to float16 that the Neural Engine needs; as the
        # input's own scale it would come before, in float32.
        module, scale = _Scaled(module, scale), 1.0
    traced = _trace(module.eval(), torch.zeros(1, 3, height, width), len(output_names))
    image = ct.ImageType(
        IMAGE, shape=(1, 3, height, width), scale=scale, color_layout=getattr(ct.colorlayout, color_layout)
    )
    output_type: dict[str, Any] = {"dtype": _float32()} if float32_outputs else {}
    with without_progress_bars(), warnings.catch_warnings():
        _ignore_known_warnings()
        try:
            model = ct.convert(
                traced,
                convert_to="mlprogram",
                inputs=[image],
                outputs=[ct.TensorType(name, **output_type) for name in output_names],
                minimum_deployment_target=getattr(ct.target, config.minimum_deployment_target),
                compute_precision=compute_precision(config.precision),
                compute_units=getattr(ct.ComputeUnit, config.compute_units),
                skip_model_load=True,
            )
        except Exception as error:  # Core ML Tools raises whatever it meets
            # Ends what its frames hold, among it a temporary directory, while the warning of that is ignored.
            traceback.clear_frames(error.__traceback__)
            raise ConversionError(
                f"Core ML Tools cannot convert {type(module).__name__}: {first_line(error)}"
            ) from error
    describe(model, metadata or {})
    return model


def describe(model: MLModel, metadata: Mapping[str, str]) -> None:
    """Write author, license, short_description and version into a model's description."""
    for name, value in metadata.items():
        if name not in ("author", "license", "short_description", "version"):
            raise ConversionError(f"Core ML: a package's description has no {name!r}")
        setattr(model, name, value)


def save_package(model: MLModel, path: Path) -> Path:
    """Write a model as the package ``path`` (``….mlpackage``), in place of one that is there.

    It is written beside ``path`` and renamed, so that no half-written package is left under that name. Returns
    ``path``. Raises ConversionError if it cannot be written.
    """
    if path.suffix != ".mlpackage":
        raise ConversionError(f"{path} cannot be written: the name of a Core ML package ends in .mlpackage")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as directory:
            fresh, old = Path(directory, "new.mlpackage"), Path(directory, "old.mlpackage")
            model.save(str(fresh))
            if path.exists():
                os.replace(path, old)
            try:
                os.replace(fresh, path)
            except OSError:
                if old.exists():
                    os.replace(old, path)
                raise
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror or error}") from error
    except Exception as error:  # what Core ML Tools raises when a copy fails
        raise ConversionError(f"cannot write {path}: {first_line(error)}") from error
    return path


class _Scaled(torch.nn.Module):
    def __init__(self, module: torch.nn.Module, scale: float) -> None:
        super().__init__()
        self.module = module
        self.scale = scale

    def forward(self, image: torch.Tensor) -> Any:
        return self.module(image * self.scale)


def _trace(module: torch.nn.Module, image: torch.Tensor, outputs: int) -> torch.jit.ScriptModule:
    try:
        with torch.no_grad(), warnings.catch_warnings():
            _ignore_known_warnings()
            module(image)  # the first run lays out what depends on the size, such as YOLO's anchors
            answers = module(image)
            count = len(answers) if isinstance(answers, tuple | list) else 1
            if count != outputs:
                raise ConversionError(f"{type(module).__name__} answers {count} outputs, and {outputs} are named")
            return torch.jit.trace(module, image, check_trace=False)
    except ConversionError:
        raise
    except Exception as error:  # whatever the module raises
        raise ConversionError(
            f"PyTorch cannot trace {type(module).__name__} at {image.shape[3]}x{image.shape[2]}: {first_line(error)}"
        ) from error


def _ignore_known_warnings() -> None:
    """Ignore what PyTorch and its users warn of in any trace; the packages are checked by running them."""
    # That sizes become constants (they are meant to), and that a future release will drop tracing.
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=r".*torch\.jit")
    warnings.filterwarnings("ignore", category=FutureWarning, message=".*is_gradient_checkpointing")
    # Core ML Tools leaves a temporary directory to be cleaned up by itself ...
    warnings.filterwarnings("ignore", category=ResourceWarning, message="Implicitly cleaning up")
    # ... and computes constants as float16, where some overflow, before it looks whether they do.
    warnings.filterwarnings("ignore", category=RuntimeWarning, message="overflow encountered in cast")


def _float32() -> type:
    import numpy as np

    return np.float32
