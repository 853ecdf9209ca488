"""The same networks in plain numpy: slow, unfolded, and written to be obviously right.

The converter compares its model with this one, so nothing is shared with ``graph.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyrie_convert.darknet.layers import Layer, Plan
from eyrie_convert.darknet.weights import Convolution

Array = NDArray[np.float64]


def forward(plan: Plan, weights: dict[int, Convolution], picture: NDArray[np.float32]) -> Array:
    """Run one picture ``[3, height, width]`` (RGB, 0 to 1) and return ``[4 + classes, N]``."""
    outputs: dict[int, Array] = {-1: picture.astype(np.float64)}
    boxes: list[Array] = []
    for layer in plan.layers:
        inputs = [outputs[number] for number in layer.inputs]
        match layer.kind:
            case "convolutional":
                output = _convolutional(layer, inputs[0], weights[layer.index])
            case "maxpool":
                output = _maxpool(layer, inputs[0])
            case "route":
                groups, group = layer.section["groups"], layer.section["group_id"]
                output = np.concatenate([np.split(part, groups)[group] for part in inputs])
            case "upsample":
                factor = layer.section["stride"]
                output = inputs[0].repeat(factor, axis=1).repeat(factor, axis=2)
            case "shortcut":
                output = _activate(sum(inputs[1:], inputs[0]), layer.section["activation"])
            case "yolo":
                output = inputs[0]
                boxes.append(_boxes(plan, layer, output))
            case other:
                raise NotImplementedError(other)
        outputs[layer.index] = output
    return np.concatenate(boxes, axis=1)


def _sigmoid(value: Array) -> Array:
    return 1 / (1 + np.exp(-value))


def _activate(value: Array, activation: str) -> Array:
    match activation:
        case "linear":
            return value
        case "leaky":
            return np.where(value > 0, value, 0.1 * value)
        case "relu":
            return np.maximum(value, 0)
        case "logistic":
            return _sigmoid(value)
        case "mish":
            return value * np.tanh(np.logaddexp(0, value))
        case "swish":
            return value * _sigmoid(value)
        case other:
            raise NotImplementedError(other)


def _windows(layer: Layer, value: Array, size: int, stride: int, fill: float) -> list[list[Array]]:
    """Return the input seen through each position of a size × size window, as in ``[y][x]``."""
    front, behind = layer.padding
    padded = np.pad(value, ((0, 0), (front, behind), (front, behind)), constant_values=fill)
    _, rows, columns = layer.shape
    return [
        [
            padded[:, y : y + rows * stride : stride, x : x + columns * stride : stride][:, :rows, :columns]
            for x in range(size)
        ]
        for y in range(size)
    ]


def _convolutional(layer: Layer, value: Array, weights: Convolution) -> Array:
    size, groups = layer.section["size"], layer.section["groups"]
    windows = _windows(layer, value, size, layer.section["stride"], 0.0)
    output = np.zeros(layer.shape)
    filters, channels = layer.shape[0] // groups, layer.input_shape[0] // groups
    for group in range(groups):
        into = slice(group * filters, (group + 1) * filters)
        taken = slice(group * channels, (group + 1) * channels)
        for y in range(size):
            for x in range(size):
                kernel = weights.kernel[into, :, y, x].astype(np.float64)
                output[into] += np.tensordot(kernel, windows[y][x][taken], axes=1)
    if weights.scales is not None and weights.means is not None and weights.variances is not None:
        output -= weights.means[:, None, None]
        output /= np.sqrt(weights.variances[:, None, None], dtype=np.float64) + 1e-6
        output *= weights.scales[:, None, None]
    output += weights.biases[:, None, None]
    return _activate(output, layer.section["activation"])


def _maxpool(layer: Layer, value: Array) -> Array:
    stride = layer.section["stride"]
    size = layer.section["size"] or stride
    windows = _windows(layer, value, size, stride, -np.inf)
    return np.max([window for row in windows for window in row], axis=0)


def _boxes(plan: Plan, layer: Layer, value: Array) -> Array:
    classes, scale = layer.section["classes"], layer.section["scale_x_y"]
    _, rows, columns = value.shape
    result = np.empty((4 + classes, len(layer.anchors), rows, columns))
    for number, (width, height) in enumerate(layer.anchors):
        x, y, w, h, objectness, *scores = value[number * (5 + classes) : (number + 1) * (5 + classes)]
        for row in range(rows):
            for column in range(columns):
                centre_x = column + _sigmoid(x[row, column]) * scale - (scale - 1) / 2
                centre_y = row + _sigmoid(y[row, column]) * scale - (scale - 1) / 2
                result[0, number, row, column] = centre_x / columns * plan.width
                result[1, number, row, column] = centre_y / rows * plan.height
        result[2, number] = width * np.exp(w)
        result[3, number] = height * np.exp(h)
        result[4:, number] = _sigmoid(objectness) * _sigmoid(np.array(scores))
    return result.reshape(4 + classes, -1)
