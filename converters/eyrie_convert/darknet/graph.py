"""Builds the OpenVINO model of a Darknet network.

Input ``images``: float32 ``[1, 3, height, width]``, RGB, 0 to 1. Output ``output0``: float32
``[1, 4 + classes, N]``, the layout of Ultralytics' YOLOv8 exports: centre x, centre y, width and height in
pixels of the input, then one score a class (objectness × class probability). N runs over the [yolo]
sections in order, in each over its anchors, then rows, then columns.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import Node, opset1
from openvino import opset13 as ops

from eyrie_convert.darknet.layers import Layer, Plan
from eyrie_convert.darknet.weights import Convolution, Floats

# What Darknet adds to the standard deviation (blas.c, normalize_cpu).
EPSILON = np.float32(1e-6)


def fold(weights: Convolution) -> tuple[Floats, Floats]:
    """Return kernel and bias with the batch normalisation folded in."""
    if weights.scales is None or weights.means is None or weights.variances is None:
        return weights.kernel, weights.biases
    factor = weights.scales.astype(np.float64) / (np.sqrt(weights.variances.astype(np.float64)) + EPSILON)
    kernel = weights.kernel * factor[:, None, None, None]
    bias = weights.biases - weights.means * factor
    return kernel.astype(np.float32), bias.astype(np.float32)


def build_graph(plan: Plan, weights: dict[int, Convolution], name: str) -> ov.Model:
    """Return the model."""
    images = ops.parameter([1, plan.channels, plan.height, plan.width], np.float32, name="images")
    nodes: dict[int, Node] = {-1: images}
    heads: list[Node] = []
    for layer in plan.layers:
        inputs = [nodes[number] for number in layer.inputs]
        node = _BUILDERS[layer.kind](layer, inputs, weights.get(layer.index))
        node.set_friendly_name(f"{layer.index}.{layer.kind}")
        nodes[layer.index] = node
        if layer.kind == "yolo":
            heads.append(_decode(plan, layer, node))
    output = ops.concat(heads, axis=2) if len(heads) > 1 else heads[0]
    result = ops.result(output, name="output0/result")
    model = ov.Model([result], [images], name)
    model.inputs[0].get_tensor().set_names({"images"})
    model.outputs[0].get_tensor().set_names({"output0"})
    return model


def _constant(values: object) -> Node:
    return ops.constant(np.asarray(values, np.float32))


def _activate(node: Node, activation: str) -> Node:
    match activation:
        case "leaky":
            return ops.prelu(node, _constant([0.1]))
        case "relu":
            return ops.relu(node)
        case "logistic":
            return ops.sigmoid(node)
        case "mish":
            return ops.mish(node)
        case "swish":
            return ops.swish(node)
        case _:
            return node


def _convolutional(layer: Layer, inputs: list[Node], weights: Convolution | None) -> Node:
    if weights is None:
        raise KeyError(layer.name)
    kernel, bias = fold(weights)
    section = layer.section
    strides, padding, dilations = [section["stride"]] * 2, [layer.padding[0]] * 2, [1, 1]
    if section["groups"] == 1:
        node = ops.convolution(inputs[0], ops.constant(kernel), strides, padding, padding, dilations)
    else:
        groups = section["groups"]
        grouped = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
        node = ops.group_convolution(inputs[0], ops.constant(grouped), strides, padding, padding, dilations)
    node = ops.add(node, _constant(bias.reshape(1, -1, 1, 1)))
    return _activate(node, section["activation"])


def _maxpool(layer: Layer, inputs: list[Node], _weights: Convolution | None) -> Node:
    stride = layer.section["stride"]
    size = layer.section["size"] or stride
    front, behind = layer.padding
    # The first operator set's max-pool: later ones also give the indices, which nobody asks for.
    return opset1.max_pool(inputs[0], [stride] * 2, [front] * 2, [behind] * 2, [size] * 2, "floor")


def _route(layer: Layer, inputs: list[Node], _weights: Convolution | None) -> Node:
    groups, group = layer.section["groups"], layer.section["group_id"]
    if groups > 1:
        inputs = [ops.split(node, 1, groups).output(group) for node in inputs]
    if len(inputs) == 1:
        # A route of one layer is that layer under another number; the copy gives it a name of its own.
        return ops.reshape(inputs[0], ops.constant([1, *layer.shape]), special_zero=False)
    return ops.concat(inputs, axis=1)


def _upsample(layer: Layer, inputs: list[Node], _weights: Convolution | None) -> Node:
    factor = float(layer.section["stride"])
    return ops.interpolate(
        inputs[0],
        _constant([factor, factor]),
        mode="nearest",
        shape_calculation_mode="scales",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
        axes=ops.constant([2, 3]),
    )


def _shortcut(layer: Layer, inputs: list[Node], _weights: Convolution | None) -> Node:
    total = inputs[0]
    for other in inputs[1:]:
        total = ops.add(total, other)
    return _activate(total, layer.section["activation"])


def _yolo(layer: Layer, inputs: list[Node], _weights: Convolution | None) -> Node:
    """Split the channels of each anchor apart: [1, anchors, 5 + classes, cells]."""
    _, rows, columns = layer.shape
    shape = [1, len(layer.anchors), 5 + layer.section["classes"], rows * columns]
    return ops.reshape(inputs[0], ops.constant(shape), special_zero=False)


def _decode(plan: Plan, layer: Layer, raw: Node) -> Node:
    """Return [1, 4 + classes, anchors × cells] of one head; x and y from Darknet's ``get_yolo_box``."""
    classes, scale = layer.section["classes"], layer.section["scale_x_y"]
    _, rows, columns = layer.shape
    parts = ops.variadic_split(raw, ops.constant(2), ops.constant([2, 2, 1, classes]))
    centre, size, objectness, scores = (parts.output(index) for index in range(4))
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows))).reshape(1, 1, 2, -1)
    offset = ops.multiply(ops.sigmoid(centre), _constant(scale))
    offset = ops.add(offset, _constant(cells - (scale - 1) / 2))
    pixels = np.reshape([plan.width / columns, plan.height / rows], (1, 1, 2, 1))
    centre = ops.multiply(offset, _constant(pixels))
    size = ops.multiply(ops.exp(size), _constant(np.reshape(layer.anchors, (1, -1, 2, 1))))
    scores = ops.multiply(ops.sigmoid(scores), ops.sigmoid(objectness))
    joined = ops.concat([centre, size, scores], axis=2)
    joined = ops.transpose(joined, ops.constant([0, 2, 1, 3]))
    shape = [1, 4 + classes, len(layer.anchors) * rows * columns]
    return ops.reshape(joined, ops.constant(shape), special_zero=False)


_BUILDERS = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "route": _route,
    "upsample": _upsample,
    "shortcut": _shortcut,
    "yolo": _yolo,
}
