"""Works out every layer's shape and inputs: the plan that weights are read by and graphs are built from.

Darknet's own rules (its ``parser.c``): layers are numbered from 0 after ``[net]``; a convolution with
``pad=1`` pads by half its size; a max-pool pads by size-1, half of it (rounded down) in front; negative
numbers in ``route`` and ``shortcut`` count back from the layer itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from eyrie_convert.darknet.cfg import Network, Section
from eyrie_convert.errors import ConversionError

Shape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Layer:
    """One layer: its section, its shapes, and where its input comes from (-1 is the picture)."""

    index: int
    section: Section
    inputs: tuple[int, ...]
    input_shape: Shape
    shape: Shape
    padding: tuple[int, int] = (0, 0)  # in front, behind; the same for both axes
    anchors: tuple[tuple[float, float], ...] = ()  # width, height in pixels of the network's input

    @property
    def kind(self) -> str:
        """Return the kind of the section."""
        return self.section.kind

    @property
    def name(self) -> str:
        """Return how messages name the layer."""
        return f"layer {self.index} [{self.kind}], line {self.section.line}"


@dataclass(frozen=True)
class Plan:
    """The layers of a network, the overrides that were applied, and what follows from them."""

    width: int
    height: int
    channels: int
    layers: tuple[Layer, ...]
    overrides: tuple[str, ...] = field(default=())

    @property
    def heads(self) -> tuple[Layer, ...]:
        """Return the [yolo] layers."""
        return tuple(layer for layer in self.layers if layer.kind == "yolo")

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return self.heads[0].section["classes"]

    @property
    def stride(self) -> int:
        """Return the coarsest grid cell in pixels: width and height are multiples of it."""
        return max(self.width // head.shape[2] for head in self.heads)


class _Planner:
    def __init__(self, path: Path, network: Network, masks: dict[int, tuple[int, ...]]) -> None:
        self.path = path
        self.network = network
        self.masks = masks
        self.layers: list[Layer] = []
        self.overrides: list[str] = []
        self.heads = 0

    def fail(self, section: Section, reason: str) -> ConversionError:
        return ConversionError(f"{self.path}:{section.line}: layer {len(self.layers)} [{section.kind}] {reason}")

    def shape_of(self, index: int) -> Shape:
        if index == -1:
            return (self.network.channels, self.network.height, self.network.width)
        return self.layers[index].shape

    def resolve(self, section: Section, references: tuple[int, ...]) -> tuple[int, ...]:
        """Return absolute layer numbers for the references in a route or shortcut."""
        here = len(self.layers)
        if not references:
            raise self.fail(section, "names no layer")
        absolute = tuple(here + number if number < 0 else number for number in references)
        for given, number in zip(references, absolute, strict=True):
            if not 0 <= number < here:
                raise self.fail(section, f"refers to layer {given}, but only layers 0 to {here - 1} come before it")
        return absolute

    def add(self, section: Section) -> None:
        previous = len(self.layers) - 1
        plan = getattr(self, f"_{section.kind}")
        layer = plan(section, previous, self.shape_of(previous))
        if min(layer.shape) < 1:
            raise self.fail(section, f"would have the empty shape {layer.shape}: the network's input is too small")
        self.layers.append(layer)

    def _convolutional(self, section: Section, previous: int, shape: Shape) -> Layer:
        channels, height, width = shape
        groups, size = section["groups"], section["size"]
        if channels % groups or section["filters"] % groups:
            raise self.fail(section, f"cannot split {channels} channels into {groups} groups")
        padding = size // 2 if section["pad"] else section["padding"]
        out = [(extent + 2 * padding - size) // section["stride"] + 1 for extent in (height, width)]
        return Layer(len(self.layers), section, (previous,), shape, (section["filters"], *out), (padding, padding))

    def _maxpool(self, section: Section, previous: int, shape: Shape) -> Layer:
        channels, height, width = shape
        stride = section["stride"]
        size = section["size"] or stride
        padding = size - 1 if section["padding"] is None else section["padding"]
        out = [(extent + padding - size) // stride + 1 for extent in (height, width)]
        around = (padding // 2, padding - padding // 2)
        return Layer(len(self.layers), section, (previous,), shape, (channels, *out), around)

    def _route(self, section: Section, _previous: int, _shape: Shape) -> Layer:
        inputs = self.resolve(section, section["layers"])
        shapes = [self.shape_of(number) for number in inputs]
        if len({shape[1:] for shape in shapes}) > 1:
            raise self.fail(section, f"joins layers of different sizes: {shapes}")
        groups, group = section["groups"], section["group_id"]
        if any(shape[0] % groups for shape in shapes) or group >= groups:
            raise self.fail(
                section, f"cannot take group {group} of {groups} from {[shape[0] for shape in shapes]} channels"
            )
        channels = sum(shape[0] // groups for shape in shapes)
        return Layer(len(self.layers), section, inputs, shapes[0], (channels, *shapes[0][1:]))

    def _upsample(self, section: Section, previous: int, shape: Shape) -> Layer:
        channels, height, width = shape
        factor = section["stride"]
        return Layer(len(self.layers), section, (previous,), shape, (channels, height * factor, width * factor))

    def _shortcut(self, section: Section, previous: int, shape: Shape) -> Layer:
        others = self.resolve(section, section["from"])
        for other in others:
            if self.shape_of(other) != shape:
                raise self.fail(section, f"adds layers of different shapes: {shape} and {self.shape_of(other)}")
        return Layer(len(self.layers), section, (previous, *others), shape, shape)

    def _yolo(self, section: Section, previous: int, shape: Shape) -> Layer:
        number, classes = section["num"], section["classes"]
        if len(section["anchors"]) != 2 * number:
            raise self.fail(
                section, f"has num={number} but {len(section['anchors'])} numbers in anchors, not {2 * number}"
            )
        mask = tuple(range(number)) if section["mask"] is None else section["mask"]
        if self.heads in self.masks:
            given = self.masks[self.heads]
            if len(given) != len(mask):
                raise self.fail(section, f"has {len(mask)} anchors in its mask, the override {given} has {len(given)}")
            if given != mask:
                self.overrides.append(
                    f"mask of [yolo] {self.heads}: {','.join(map(str, mask))} -> {','.join(map(str, given))}"
                )
            mask = given
        self.heads += 1
        if not mask or any(not 0 <= index < number for index in mask):
            raise self.fail(section, f"has mask {mask}, but there are anchors 0 to {number - 1} only")
        if shape[0] != len(mask) * (5 + classes):
            raise self.fail(section, f"needs {len(mask)} × (5 + {classes}) channels before it, but gets {shape[0]}")
        pairs = list(zip(section["anchors"][::2], section["anchors"][1::2], strict=True))
        anchors = tuple(pairs[index] for index in mask)
        return Layer(len(self.layers), section, (previous,), shape, shape, anchors=anchors)


def plan_network(path: Path, network: Network, masks: dict[int, tuple[int, ...]] | None = None) -> Plan:
    """Work out every layer's shape and inputs.

    ``masks`` replaces the anchor mask of a [yolo] section, by its number from 0, where a cfg does not
    fit its weights; what was replaced is in ``overrides`` of the result. ``path`` is for messages.
    Raises ConversionError for a network that does not fit together.
    """
    planner = _Planner(path, network, masks or {})
    for section in network.layers:
        planner.add(section)
    for head in masks or {}:
        if not 0 <= head < planner.heads:
            raise ConversionError(f"{path}: there is no [yolo] {head} to override, only 0 to {planner.heads - 1}")
    plan = Plan(network.width, network.height, network.channels, tuple(planner.layers), tuple(planner.overrides))
    if len({head.section["classes"] for head in plan.heads}) > 1:
        raise ConversionError(f"{path}: the [yolo] sections disagree on the number of classes")
    return plan
