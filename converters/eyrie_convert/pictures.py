"""Pictures to check conversions on, and how a host brings pictures to a model's input."""

from __future__ import annotations

import warnings
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from eyrie_convert.errors import ConversionError, first_line
from eyrie_convert.network import Picture, PictureInput

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def bundled() -> list[tuple[str, Picture]]:
    """Return the pictures that come with this package, by name: a person, a cat, a cup."""
    folder = files("eyrie_convert") / "data" / "pictures"
    found = []
    for name in ("astronaut.jpg", "chelsea.jpg", "coffee.jpg"):
        with (folder / name).open("rb") as file:
            found.append((name, np.asarray(Image.open(file).convert("RGB"))))
    return found


def read(path: Path) -> Picture:
    """Read a picture file, turned as it says it is to be shown. Raises ConversionError if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:
        raise ConversionError(f"cannot read the picture {path}: {first_line(error)}") from error


def prepare(picture: Picture, spec: PictureInput) -> Picture:
    """Return the picture at the size of the input, resized as the metadata says."""
    width, height = spec.width, spec.height
    image = Image.fromarray(picture)
    how = FILTERS[spec.interpolation]
    if spec.resize == "stretch":
        return np.asarray(image.resize((width, height), how))
    if spec.resize == "center_crop":
        gain = max(width / image.width, height / image.height)
        size = (max(width, round(image.width * gain)), max(height, round(image.height * gain)))
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        return np.asarray(image.resize(size, how).crop((left, top, left + width, top + height)))
    # Letterbox, with Ultralytics' rounding: an odd pixel of padding goes right or to the bottom.
    gain = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * gain)), max(1, round(image.height * gain)))
    canvas = np.full((height, width, 3), spec.pad_value, np.uint8)
    left, top = round((width - size[0]) / 2 - 0.1), round((height - size[1]) / 2 - 0.1)
    canvas[top : top + size[1], left : left + size[0]] = np.asarray(image.resize(size, how))
    return canvas


def as_tensor(picture: Picture, spec: PictureInput) -> np.ndarray:
    """Return what the module is fed: float32 ``[n, 3, height, width]``, of a picture or of ``n`` stacked ones."""
    stack = picture if picture.ndim == 4 else picture[None]
    planes = np.ascontiguousarray(stack.transpose(0, 3, 1, 2), np.float32)
    return planes if spec.embedded else planes / np.float32(255)
