"""ONNX: ``model.onnx``."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from eyrie_convert import __version__
from eyrie_convert.base import Export, ModelConverter
from eyrie_convert.errors import ConversionError, first_line
from eyrie_convert.network import Network, Runner
from eyrie_convert.options import Precision, Target
from eyrie_convert.quantised import quantise
from eyrie_convert.runners import ONNXRunner, OpenVINORunner

INPUT = "images"
# Resize has had its filter (antialias) since this one.
OPSET = 18


class ONNXConverter(ModelConverter):
    """Writes ONNX packages, whose batch, height and width stay open."""

    target = Target.ONNX
    keeps_size_open = True
    keeps_batch_open = True

    def _export(self, network: Network, directory: Path) -> Export:
        model = to_onnx(network)
        if self.precision is Precision.INT8:
            from eyrie_convert.quantize import quantize_onnx

            self.quantised = quantise(network, self.options.calibration, model, quantize_onnx, ONNXRunner)
            model = self.quantised.model
        elif self.precision is Precision.FLOAT16:
            model = in_float16(model)
        _describe(model, network)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, directory / "model.onnx")
        return Export(["model.onnx"], INPUT, tools=("onnx", "onnxruntime", *network.tools))

    def _runner(
        self, directory: Path, network: Network, size: tuple[int, int] | None = None, *, batch: bool = False
    ) -> Runner:
        path = directory / "model.onnx"
        # Eyrie runs ONNX through OpenVINO, and of quantised models the two do not make quite the same.
        if self.quantised is None:
            return ONNXRunner(path, network.input, network.output_names)
        size = size or (network.input.width, network.input.height)
        return OpenVINORunner(path, network.input, network.output_names, size, batch)


def to_onnx(network: Network) -> onnx.ModelProto:
    """Return the network as an ONNX model with open batch, height and width if it can have them."""
    spec = network.input
    example = torch.zeros(1, 3, spec.height, spec.width)
    buffer = io.BytesIO()
    axes: dict[str, dict[int, str]] = {name: {} for name in (INPUT, *network.output_names)}
    if spec.dynamic_batch:
        axes = {name: {0: "batch"} for name in axes}
    if spec.dynamic and not spec.embedded:
        axes[INPUT] |= {2: "height", 3: "width"}
        axes[network.output_names[0]] |= {2: "anchors"}
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            # The exporter by tracing: the newer one fixes sizes that it can compute.
            torch.onnx.export(
                network.module,
                (example,),
                buffer,
                input_names=[INPUT],
                output_names=network.output_names,
                dynamic_axes=axes,
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:
        raise ConversionError(f"{network.name} cannot be written as ONNX: {first_line(error)}") from error
    finally:
        logging.disable(previous)
    model = onnx.load_model_from_string(buffer.getvalue())
    return with_resize(model, network) if spec.embedded else model


def with_resize(model: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    """Put the resizing of ``architectures.picture_modules.Resize`` before the model."""
    spec = network.input
    if spec.width != spec.height:
        raise ConversionError(f"{network.name} takes {spec.width}x{spec.height} pixels, which is not square")
    inner = f"{INPUT}_resized"
    for node in model.graph.node:
        node.input[:] = [inner if name == INPUT else name for name in node.input]
    nodes, constants, source = [], [], INPUT

    def constant(name: str, values: list[int] | list[float], kind: type) -> str:
        constants.append(numpy_helper.from_array(np.array(values, kind), f"resize/{name}"))
        return f"resize/{name}"

    def node(operator: str, inputs: list[str], outputs: list[str], **attributes: object) -> None:
        name = f"resize/{outputs[0]}"
        nodes.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))

    if spec.resize == "center_crop":
        # The largest square in the middle: from (size − side) ÷ 2 over side pixels.
        node("Shape", [source], ["resize/size"], start=2, end=4)
        node("ReduceMin", ["resize/size"], ["resize/side"], keepdims=1)
        node("Sub", ["resize/size", "resize/side"], ["resize/spare"])
        node("Div", ["resize/spare", constant("two", [2], np.int64)], ["resize/from"])
        node("Add", ["resize/from", "resize/side"], ["resize/to"])
        node("Slice", [source, "resize/from", "resize/to", constant("axes", [2, 3], np.int64)], ["resize/square"])
        source = "resize/square"
    # The number of pictures is the input's.
    node("Shape", [source], ["resize/stack"], start=0, end=2)
    size = "resize/target"
    node("Concat", ["resize/stack", constant("side_by_side", [spec.height, spec.width], np.int64)], [size], axis=0)
    cubic = {"cubic_coeff_a": -0.5} if spec.interpolation == "bicubic" else {}
    node(
        "Resize",
        [source, "", "", size],
        ["resize/picture"],
        mode="cubic" if cubic else "linear",
        antialias=1,
        coordinate_transformation_mode="half_pixel",
        **cubic,
    )
    low, high = constant("low", 0.0, np.float32), constant("high", 255.0, np.float32)
    node("Clip", ["resize/picture", low, high], [inner])
    batch = "batch" if spec.dynamic_batch else 1
    graph = model.graph
    merged = [*nodes, *graph.node]
    del graph.node[:]
    graph.node.extend(merged)
    graph.initializer.extend(constants)
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [batch, 3, "height", "width"]))
    return model


def in_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its weights and arithmetic in float16; inputs and outputs stay float32."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = convert_float_to_float16(model, keep_io_types=True, op_block_list=["Resize", "Range", "Clip"])
    return in_order(converted)


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """Sort the nodes so that each comes after what it reads: the conversion to float16 appends its casts."""
    graph = model.graph
    known = {""} | {each.name for each in graph.input} | {each.name for each in graph.initializer}
    waiting, ordered = list(graph.node), []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        if not ready:
            raise ConversionError(f"the ONNX graph of {graph.name} has a cycle")
        ordered += ready
        known |= {name for node in ready for name in node.output}
        waiting = [node for node in waiting if not known.issuperset(node.output)]
    del graph.node[:]
    graph.node.extend(ordered)
    return model


def _describe(model: onnx.ModelProto, network: Network) -> None:
    """Leave the properties by which other software knows an Ultralytics export, and ours."""
    model.producer_name, model.producer_version = "eyrie-convert", __version__
    properties = {"task": network.task, "imgsz": json.dumps([network.input.height, network.input.width])}
    properties["stride"] = str(network.input.stride)
    if network.labels:
        properties["names"] = json.dumps(dict(enumerate(network.labels)), ensure_ascii=False)
    helper.set_model_props(model, properties)
