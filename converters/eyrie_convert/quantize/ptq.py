"""Post-training quantisation to eight bits with NNCF."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import random
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eyrie_convert import pictures as picture_tools
from eyrie_convert.errors import ConversionError, first_line
from eyrie_convert.network import Picture, PictureInput
from eyrie_convert.quantize import graph

if TYPE_CHECKING:
    import onnx
    import openvino as ov

SEED = 0
# The oldest ONNX operator set with what NNCF writes: quantisation by channel.
ONNX_OPSET = 13


def quantize_openvino(model: ov.Model, task: str, pictures: Sequence[Picture], spec: PictureInput) -> ov.Model:
    """Return the model with convolutions and matrix products in eight bits; ``model`` itself stays as it is.

    ``task`` is detect, classify or embed; ``pictures`` have the size of the input. What is in front of the
    first layer and behind the last stays in float, and so does every Sigmoid. Dynamic height and width stay
    dynamic: only the ranges are measured at the size of ``spec``.

    The same model and pictures give the same weights. Raises ConversionError if NNCF fails on the model or
    quantises nothing, or quantises what has to stay in float.
    """
    decode = graph.decode_openvino(model, task)
    kept = [*graph.preparation_openvino(model), *decode]
    kinds = {operation.get_type_name() for operation in model.get_ordered_ops()}
    name = model.inputs[0].get_any_name() if model.inputs[0].get_names() else 0
    result = _quantize(model.clone(), task, pictures, spec, name, kept, {"Sigmoid"} & kinds)
    after = result.get_ordered_ops()
    if not any(operation.get_type_name() == "FakeQuantize" for operation in after):
        raise ConversionError("nothing in the model could be quantised: it has no convolution or matrix product left")
    tail = set(graph.decode_openvino(result, task))
    _check_decode(
        operation.get_friendly_name()
        for operation in after
        if operation.get_type_name() == "FakeQuantize" and operation.get_friendly_name() in tail
    )
    if model.inputs[0].partial_shape != result.inputs[0].partial_shape:
        raise ConversionError(
            f"quantisation changed the input's shape from {model.inputs[0].partial_shape} to "
            f"{result.inputs[0].partial_shape}"
        )
    return result


def quantize_onnx(
    model: onnx.ModelProto, task: str, pictures: Sequence[Picture], spec: PictureInput
) -> onnx.ModelProto:
    """Do as ``quantize_openvino`` for an ONNX model; writes QuantizeLinear and DequantizeLinear around layers.

    Measure the result through OpenVINO, which is what runs it, not through ONNX Runtime alone: they can differ.
    """
    import onnx

    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if version < ONNX_OPSET:
        raise ConversionError(f"cannot quantise an ONNX model of operator set {version}: {ONNX_OPSET} is needed")
    named = onnx.ModelProto()
    named.CopyFrom(model)
    _name_nodes(named)
    kept = [*graph.preparation_onnx(named), *graph.decode_onnx(named, task)]
    kinds = {node.op_type for node in named.graph.node}
    result = _quantize(named, task, pictures, spec, named.graph.input[0].name, kept, {"Sigmoid"} & kinds)
    _unsigned_activations(result)
    quantized = {node.name for node in result.graph.node if node.op_type == "QuantizeLinear"}
    if not quantized:
        raise ConversionError("nothing in the model could be quantised: it has no convolution or matrix product left")
    _name_nodes(result)
    _check_decode(sorted(quantized.intersection(graph.decode_onnx(result, task))))
    return result


def _unsigned_activations(model: onnx.ModelProto) -> None:
    """Make activations unsigned, with the same values.

    NNCF writes them signed, and what OpenVINO 2026.4 makes of a signed QuantizeLinear in front of a Concat is
    wrong on a CPU with AVX-512: YOLOv8n then finds nothing at all. ONNX Runtime is indifferent.
    """
    from onnx import numpy_helper

    constants = {each.name: each for each in model.graph.initializer}
    for node in model.graph.node:
        point = constants.get(node.input[2]) if node.op_type == "QuantizeLinear" and len(node.input) > 2 else None
        if point is not None and (values := numpy_helper.to_array(point)).dtype == np.int8:
            unsigned = (values.astype(np.int16) + 128).astype(np.uint8)
            point.CopyFrom(numpy_helper.from_array(unsigned, point.name))
    del model.graph.value_info[:]  # it has the old types


def _check_decode(quantized: Any) -> None:
    names = list(quantized)
    if names:
        raise ConversionError(f"quantisation reached what has to stay in float: {names[0]} ({len(names)} such)")


def _name_nodes(model: onnx.ModelProto) -> None:
    """Give every node its own name: NNCF knows nodes by name, and exporters need not give any."""
    seen: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}.{index}"
        seen.add(node.name)


def _quantize(
    model: Any,
    task: str,
    pictures: Sequence[Picture],
    spec: PictureInput,
    input_name: Any,
    kept: list[str],
    kinds: set[str],
) -> Any:
    if not pictures:
        raise ConversionError("cannot quantise without pictures to calibrate on")
    for picture in pictures:
        if picture.shape != (spec.height, spec.width, 3):
            raise ConversionError(f"a picture to calibrate on is {picture.shape}, not {(spec.height, spec.width, 3)}")
    with _quiet_nncf() as nncf, _seeded():
        try:
            return nncf.quantize(
                model,
                nncf.Dataset(pictures, lambda picture: {input_name: picture_tools.as_tensor(picture, spec)}),
                # Asymmetric activations suit SiLU, which is hardly negative; transformers have their own.
                preset=nncf.QuantizationPreset.MIXED if task == "detect" else None,
                model_type=None if task == "detect" else nncf.ModelType.TRANSFORMER,
                subset_size=len(pictures),
                ignored_scope=nncf.IgnoredScope(names=kept, types=sorted(kinds), validate=False),
            )
        except Exception as error:
            raise ConversionError(f"NNCF cannot quantise the model: {first_line(error)}") from error


@contextlib.contextmanager
def _quiet_nncf() -> Iterator[Any]:
    """Give NNCF without its log, its progress bars and its telemetry."""
    os.environ.setdefault("NNCF_CI", "1")  # its switch for telemetry, looked at when it is imported
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import nncf
        except ImportError as error:
            raise ConversionError(
                "int8 needs NNCF, which is not installed: pip install 'eyrie-convert[quantize]'"
            ) from error
        logger = logging.getLogger("nncf")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield nncf
        finally:
            logger.setLevel(level)


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    states = random.getstate(), np.random.get_state()
    random.seed(SEED)
    np.random.seed(SEED)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
