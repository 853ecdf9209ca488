"""What an architecture hands to a target: a network in PyTorch, its untouched original, and what they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

    from eyrie_convert.options import ConversionOptions
    from eyrie_convert.zero_shot import ZeroShot

Picture = NDArray[np.uint8]
"""Height × width × 3 bytes, RGB."""
Answers = dict[str, NDArray[Any]]
"""Output arrays by name, batch axis first."""
Runner = Callable[[Picture], Answers]
"""Runs a model on a picture of its input's size; one with an open batch also on several, stacked on a first axis."""


@dataclass(frozen=True)
class PictureInput:
    """How the host prepares a picture, and what the network's module does by itself.

    ``resize`` and ``interpolation`` bring a picture to ``width`` × ``height`` pixels. With ``embedded``
    the module takes bytes (0…255, as floats) and normalises inside; else it takes bytes × ``1/255``.
    ``stride``: width and height are multiples of it. ``dynamic``: the model also runs at other sizes.
    ``dynamic_batch``: the module takes any number of pictures at once.
    """

    width: int
    height: int
    resize: str
    interpolation: str
    embedded: bool
    stride: int = 1
    dynamic: bool = True
    dynamic_batch: bool = False
    pad_value: int = 114
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def metadata(self, name: str) -> dict[str, Any]:
        """Return the ``input`` field of the metadata. ``scale`` is a factor: 1 leaves bytes as they are."""
        return {
            "name": name,
            "width": self.width,
            "height": self.height,
            "channel_order": "rgb",
            "layout": "nchw",
            "element_type": "f32",
            "resize": self.resize,
            "interpolation": self.interpolation,
            "pad_value": self.pad_value,
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
            "scale": 1.0 if self.embedded else 1 / 255,
            "embedded_preprocessing": self.embedded,
            "dynamic_spatial": self.dynamic,
            "dynamic_batch": self.dynamic_batch,
            "stride": self.stride,
        }


@dataclass
class Network:
    """One network, ready to be written in any format.

    The module takes float32 ``[n, 3, height, width]`` (n is 1 unless ``input.dynamic_batch``) and returns the tensors
    of ``output_names`` in order; for a detector its decoding is in the submodule ``decode``, which quantisation leaves
    alone. ``reference`` runs the original on one picture as its framework does, with its own preprocessing: what is
    converted is compared with it.
    ``original`` is the framework's model, for targets that need more than the module. ``openvino`` makes the
    OpenVINO model where that needs no PyTorch. ``zero_shot`` has the labels of a CLIP model. ``name`` is for people and
    events, ``package_name`` begins the name of the directory.
    """

    name: str
    package_name: str
    family: str
    task: str
    make_module: Callable[[], nn.Module]
    reference: Runner
    reference_name: str
    input: PictureInput
    output_names: list[str]
    output: dict[str, Any]
    source: dict[str, Any]
    labels: list[str] = field(default_factory=list)
    original: Any = None
    openvino: Callable[[], Any] | None = None
    random_weights: bool = False
    nms: dict[str, Any] | None = None
    tools: tuple[str, ...] = ()
    zero_shot: ZeroShot | None = None

    @cached_property
    def module(self) -> nn.Module:
        """The network in PyTorch, laid out for export."""
        return self.make_module()


class Architecture(ABC):
    """Loads one kind of network."""

    family: str
    """The name of the command and of the packages."""

    @abstractmethod
    def load(self, model: str, options: ConversionOptions) -> Network:
        """Load by name, from a checkpoint or from a ``config.json`` (then with random weights).

        Raises ConversionError if it cannot be had or is of another kind.
        """
