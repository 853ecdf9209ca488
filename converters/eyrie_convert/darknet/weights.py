"""Reads Darknet ``.weights``: a header, then the numbers of each convolution in the order of the layers.

Header: three little-endian int32 (major, minor, revision), then the number of pictures seen in training,
uint64 from version 0.2 on and uint32 before. All numbers after it are little-endian float32. A convolution
with batch normalisation stores biases, scales, means and variances, then its kernel; one without stores
biases, then its kernel.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eyrie_convert.darknet.layers import Layer, Plan
from eyrie_convert.errors import ConversionError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """The numbers of one convolution, as stored."""

    kernel: Floats  # filters, input channels of a group, size, size
    biases: Floats
    scales: Floats | None = None
    means: Floats | None = None
    variances: Floats | None = None


def read_weights(path: Path, plan: Plan) -> dict[int, Convolution]:
    """Read the weights of every convolution, by layer number.

    Raises ConversionError if the file cannot be read, does not hold exactly the numbers that the
    network needs, or holds numbers that are not finite.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConversionError(f"cannot read the weights {path}: {error.strerror}") from error
    numbers = _numbers(path, data)
    needed = sum(_count(layer) for layer in plan.layers)
    if len(numbers) != needed:
        reason = "too short" if len(numbers) < needed else "too long"
        raise ConversionError(
            f"the weights {path} are {reason}: the network takes {needed} numbers, the file has {len(numbers)}; "
            "they belong to another .cfg, or the download was cut short"
        )
    result: dict[int, Convolution] = {}
    position = 0
    for layer in plan.layers:
        if layer.kind == "convolutional":
            result[layer.index] = _convolution(layer, numbers[position : position + _count(layer)])
            position += _count(layer)
            _check(path, layer, result[layer.index])
    return result


def _numbers(path: Path, data: bytes) -> Floats:
    if len(data) < 12:
        raise ConversionError(f"{path} is no Darknet weights file: it has {len(data)} bytes, not even a header")
    major, minor, _ = struct.unpack_from("<iii", data)
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise ConversionError(f"{path} is no Darknet weights file: its header says version {major}.{minor}")
    header = 20 if major * 10 + minor >= 2 else 16
    if len(data) < header or (len(data) - header) % 4:
        raise ConversionError(f"{path} is no whole Darknet weights file: {len(data)} bytes do not end on a number")
    return np.frombuffer(data, "<f4", offset=header)


def _kernel_shape(layer: Layer) -> tuple[int, int, int, int]:
    section = layer.section
    return (section["filters"], layer.input_shape[0] // section["groups"], section["size"], section["size"])


def _count(layer: Layer) -> int:
    if layer.kind != "convolutional":
        return 0
    filters, channels, height, width = _kernel_shape(layer)
    return filters * (4 if layer.section["batch_normalize"] else 1) + filters * channels * height * width


def _convolution(layer: Layer, numbers: Floats) -> Convolution:
    filters = layer.section["filters"]
    vectors = 4 if layer.section["batch_normalize"] else 1
    kernel = numbers[filters * vectors :].reshape(_kernel_shape(layer))
    return Convolution(kernel, *numbers[: filters * vectors].reshape(vectors, filters))


def _check(path: Path, layer: Layer, weights: Convolution) -> None:
    stored = (weights.kernel, weights.biases, weights.scales, weights.means, weights.variances)
    if not all(np.isfinite(array).all() for array in stored if array is not None):
        raise ConversionError(f"the weights {path} hold numbers that are not finite, in {layer.name}")
    if weights.variances is not None and (weights.variances < 0).any():
        raise ConversionError(
            f"the weights {path} hold a negative variance, in {layer.name}: they belong to another .cfg"
        )
