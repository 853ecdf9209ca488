"""Finds the parts of a model that stay in float: what is in front of its first layer and behind its last.

In front is preparation of the picture (resize, normalisation), which a layer's own input range does not follow.
Behind is what turns a detector's grids into boxes and scores, which eight bits spoil: one step of a box
coordinate over 640 pixels is 2.5 pixels; or a softmax, a normalisation of length, a sort.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx
    import openvino as ov

DECODE = re.compile(r"(^|[./])decode([./]|$)")
_CONVOLUTIONS = frozenset({"Convolution", "GroupConvolution", "ConvolutionBackpropData", "Conv", "ConvTranspose"})
_PRODUCTS = frozenset({"MatMul", "Gemm", "ScaledDotProductAttention"})
# What quantises a layer's input belongs to the layer.
_QUANTIZERS = frozenset({"FakeQuantize", "QuantizeLinear"})


@dataclass(frozen=True)
class _Node:
    name: str
    kind: str
    inputs: tuple[str, ...]  # names of the nodes that its inputs come from
    kernel: Callable[[], np.ndarray | None]  # of a convolution, if it is a constant


def decode_openvino(model: ov.Model, task: str) -> list[str]:
    """Return the friendly names of the operations behind the last layers, and of all of a module named ``decode``."""
    return _decode(_openvino(model), task, [output.get_node().get_friendly_name() for output in model.outputs])


def preparation_openvino(model: ov.Model) -> list[str]:
    """Return the friendly names of the operations between the input and the first layer."""
    return _preparation(_openvino(model))


def decode_onnx(model: onnx.ModelProto, task: str) -> list[str]:
    """Return the names of the nodes behind the last layers, and of all of a module named ``decode``."""
    graph, producers = _onnx(model)
    return _decode(graph, task, [producers[each.name] for each in model.graph.output if each.name in producers])


def preparation_onnx(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes between the input and the first layer."""
    return _preparation(_onnx(model)[0])


def _decode(graph: dict[str, _Node], task: str, outputs: Iterable[str]) -> list[str]:
    found: set[str] = set()
    stack = list(outputs)
    while stack:
        node = graph[stack.pop()]
        if node.name in found or _is_layer(node, task) or node.kind in ("Constant", "Parameter"):
            continue
        found.add(node.name)
        # The shape of a grid tells its size, not its values: what computes the grid is no part of the decode.
        if node.kind not in ("ShapeOf", "Shape"):
            stack += node.inputs
    found -= {name for name in found if _is_bias(graph, graph[name], task)}
    found |= {name for name, node in graph.items() if DECODE.search(name) and node.kind not in ("Constant", "Result")}
    return sorted(found - {name for name in found if graph[name].kind == "Result"})


def _is_layer(node: _Node, task: str) -> bool:
    if node.kind in _PRODUCTS:
        return task != "detect"
    if node.kind not in _CONVOLUTIONS:
        return False
    # A detector may weigh its distribution of distances with a convolution by 0, 1, 2, …: that is decode.
    kernel = node.kernel()
    return kernel is None or not np.array_equal(kernel.ravel(), np.arange(kernel.size))


def _is_bias(graph: dict[str, _Node], node: _Node, task: str) -> bool:
    """Tell whether this adds its bias to a last layer, to which it belongs."""
    others = [graph[name] for name in node.inputs]
    layers = [other for other in others if _is_layer(other, task)]
    return node.kind == "Add" and len(layers) == 1 and all(o in layers or o.kind == "Constant" for o in others)


def _preparation(graph: dict[str, _Node]) -> list[str]:
    found: list[str] = []
    reached = {name for name, node in graph.items() if node.kind == "Parameter"}
    for node in graph.values():  # in topological order
        if node.name in reached or not reached.intersection(node.inputs):
            continue
        if node.kind in _CONVOLUTIONS | _PRODUCTS | _QUANTIZERS or node.kind == "Result":
            continue
        reached.add(node.name)
        found.append(node.name)
    return found


def _openvino(model: ov.Model) -> dict[str, _Node]:
    graph = {}
    for operation in model.get_ordered_ops():
        name = operation.get_friendly_name()
        sources = [value.get_source_output().get_node() for value in operation.inputs()]
        kind = operation.get_type_name()
        graph[name] = _Node(name, kind, tuple(each.get_friendly_name() for each in sources), _constant(sources))
    return graph


def _constant(sources: list[Any]) -> Callable[[], np.ndarray | None]:
    def read() -> np.ndarray | None:
        kernel = sources[1] if len(sources) > 1 else None
        # Compressed weights and quantised ones have conversions behind the constant.
        while kernel is not None and kernel.get_type_name() in ("Convert", "FakeQuantize", "Multiply", "Subtract"):
            kernel = kernel.input_value(0).get_node()
        return kernel.get_data() if kernel is not None and kernel.get_type_name() == "Constant" else None

    return read


def _onnx(model: onnx.ModelProto) -> tuple[dict[str, _Node], dict[str, str]]:
    """Return the graph and the producer of each value. Every node must have its own name."""
    from onnx import numpy_helper

    constants = {each.name: each for each in model.graph.initializer}
    producers: dict[str, str] = {}
    graph: dict[str, _Node] = {}
    for name in constants:
        producers[name] = f"value {name}"
        graph[producers[name]] = _Node(producers[name], "Constant", (), lambda: None)
    for value in model.graph.input:
        if value.name not in constants:
            producers[value.name] = f"value {value.name}"
            graph[producers[value.name]] = _Node(producers[value.name], "Parameter", (), lambda: None)
    for node in model.graph.node:

        def kernel(names: list[str] = list(node.input)) -> np.ndarray | None:  # noqa: B006
            found = constants.get(names[1]) if len(names) > 1 else None
            return None if found is None else numpy_helper.to_array(found)

        inputs = tuple(producers[each] for each in node.input if each in producers)
        graph[node.name] = _Node(node.name, node.op_type, inputs, kernel)
        producers.update((each, node.name) for each in node.output)
    return graph, producers
