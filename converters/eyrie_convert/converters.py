"""The converters by architecture, and functions for the usual cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyrie_convert.base import Export, ModelConverter
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import Architecture, Network, Runner
from eyrie_convert.options import ConversionOptions, Target
from eyrie_convert.validation import ValidationReport

if TYPE_CHECKING:
    from eyrie_convert.coreml.config import CoreMLConverterConfig


def for_target(
    target: Target,
    architecture: Architecture,
    options: ConversionOptions | None = None,
    coreml: CoreMLConverterConfig | None = None,
) -> ModelConverter:
    """Return the converter of an architecture to a target. ``coreml`` is for that target alone.

    Raises ConversionError if the options do not fit, or what the target needs is not installed.
    """
    try:
        if target is Target.COREML:
            from eyrie_convert.targets.coreml import CoreMLConverter

            return CoreMLConverter(architecture, options, coreml)
        if target is Target.ONNX:
            from eyrie_convert.targets.onnx import ONNXConverter

            return ONNXConverter(architecture, options)
        from eyrie_convert.targets.openvino import OpenVINOConverter

        return OpenVINOConverter(architecture, options)
    except ImportError as error:
        raise ConversionError(
            f"{target.value} packages need a library that is not installed ({error}): pip install "
            f"'eyrie-convert[{target.value}]'"
        ) from error


class ArchitectureConverter(ModelConverter):
    """A converter for one architecture, to whichever target is asked for: it hands on to that target's."""

    def __init__(
        self,
        target: Target | str = Target.OPENVINO,
        options: ConversionOptions | None = None,
        coreml: CoreMLConverterConfig | None = None,
    ):
        self.target = Target.parse(target)
        self.converter = for_target(self.target, self._architecture(), options, coreml)
        super().__init__(self.converter.architecture, self.converter.options)
        self.precision = self.converter.precision

    def _architecture(self) -> Architecture:
        raise NotImplementedError

    def convert(self, model_name_or_path: str | Path, output_dir: str | Path) -> Path:
        """Convert into ``output_dir``/``<name>-<target>``; see :class:`ModelConverter`."""
        return self.converter.convert(model_name_or_path, output_dir)

    def _export(self, network: Network, directory: Path) -> Export:
        return self.converter._export(network, directory)

    def _runner(
        self, directory: Path, network: Network, size: tuple[int, int] | None = None, *, batch: bool = False
    ) -> Runner:
        return self.converter._runner(directory, network, size, batch=batch)

    def _validate_model(self, path: Path) -> ValidationReport:
        return self.converter._validate_model(path)


class YOLOv8Converter(ArchitectureConverter):
    """YOLOv8 n, s, m, l, x, and any Ultralytics detector with the same head."""

    def _architecture(self) -> Architecture:
        return architecture("yolo")


class CLIPConverter(ArchitectureConverter):
    """CLIP's vision tower."""

    def _architecture(self) -> Architecture:
        return architecture("clip")


class ViTConverter(ArchitectureConverter):
    """ViT image classifiers."""

    def _architecture(self) -> Architecture:
        return architecture("vit")


def architecture(family: str) -> Architecture:
    """Return the architecture of a family: yolo, clip, vit.

    Raises ConversionError if PyTorch is not installed.
    """
    loaders: dict[str, Callable[[], Any]] = {"yolo": _yolo, "clip": _clip, "vit": _vit}
    try:
        return loaders[family]()
    except ImportError as error:
        raise ConversionError(
            f"converting {family} needs PyTorch, which is not installed ({error}): pip install "
            f"'eyrie-convert[{family}]'"
        ) from error


def _yolo() -> Architecture:
    from eyrie_convert.architectures.yolov8 import YOLOv8

    return YOLOv8()


def _clip() -> Architecture:
    from eyrie_convert.architectures.clip import CLIP

    return CLIP()


def _vit() -> Architecture:
    from eyrie_convert.architectures.vit import ViT

    return ViT()


def convert_yolo(model_name: str, output_dir: str | Path, target: Target | str = Target.COREML, **options: Any) -> Path:
    """Convert a YOLOv8 detector and return its package's directory. ``options``: ``ConversionOptions``' fields."""
    return YOLOv8Converter(target, ConversionOptions(**options)).convert(model_name, output_dir)


def convert_clip(model_name: str, output_dir: str | Path, target: Target | str = Target.COREML, **options: Any) -> Path:
    """Convert CLIP's vision tower and return its package's directory. ``options``: ``ConversionOptions``' fields."""
    return CLIPConverter(target, ConversionOptions(**options)).convert(model_name, output_dir)


def convert_vit(model_name: str, output_dir: str | Path, target: Target | str = Target.COREML, **options: Any) -> Path:
    """Convert a ViT classifier and return its package's directory. ``options``: ``ConversionOptions``' fields."""
    return ViTConverter(target, ConversionOptions(**options)).convert(model_name, output_dir)
