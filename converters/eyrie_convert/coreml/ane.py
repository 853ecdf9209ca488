"""Which operations of a Core ML model fit the Neural Engine, by published rules, and how to make more of them fit.

Apple does not publish what the Neural Engine runs; Core ML decides when it loads a model, and Xcode's performance
report or ``MLComputePlan`` on a device is the last word. The rules here are what is public:

- Apple, "Deploying Transformers on the Apple Neural Engine", machinelearning.apple.com/research/
  neural-engine-transformers (2022), and "Deploying Attention-Based Vision Transformers to Apple Neural Engine" (2024):
  layout, 1×1 convolutions, attention head by head;
- Core ML Tools' guide, "Typed Execution" (apple.github.io/coremltools/docs-guides): the Neural Engine computes in
  float16 only; and "Flexible Input Shapes": it wants fixed shapes;
- Matthijs Hollemans and others, "Everything we actually know about the Apple Neural Engine", github.com/hollance/
  neural-engine, ``unsupported-layers.md``: no recurrent layers, no gather, no dilated convolutions;
- ANEForge, github.com/sbryngelson/ANEForge, ``docs/capabilities.md`` and ``docs/op-catalog.md``: measured by
  operation and chip from M1 to M5. Rank up to 5, axes up to 16,384 through A15, kernels up to 13 wide on M1 in float16,
  which operations are native on every chip; no int32.

Where sources or chips differ, the strictest is taken: fit means fit from the A13 and M1 on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from eyrie_convert.coreml.ane_transformer import clip_for_neural_engine, vit_for_neural_engine
from eyrie_convert.coreml.tools import load_coremltools
from eyrie_convert.coreml.yolo import CoreMLYOLO
from eyrie_convert.errors import ConversionError
from eyrie_convert.mil_reference.package import blocks, enum_name, read_specification

if TYPE_CHECKING:
    from coremltools.models import MLModel

_LARGEST_RANK = 5
_LONGEST_AXIS = 16_384
_WIDEST_KERNEL = 13
_WIDEST_WINDOW = 29
# Native on every chip from the M1 on in ANEForge's catalog, under the limits above.
_FIT = frozenset(
    {
        "conv", "conv_transpose", "linear", "matmul", "einsum",
        "avg_pool", "l2_pool", "max_pool",
        "add", "sub", "mul", "real_div", "floor_div", "maximum", "minimum", "abs", "square", "sqrt", "rsqrt", "inverse",
        "pow", "ceil", "floor", "round", "sign",
        "equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "logical_not", "select",
        "clamped_relu", "clip", "elu", "erf", "exp", "exp2", "gelu", "leaky_relu", "log", "prelu", "relu", "relu6",
        "scaled_tanh", "sigmoid", "sigmoid_hard", "silu", "softmax", "softplus", "softplus_parametric", "softsign",
        "tanh", "threshold", "thresholded_relu",
        "batch_norm", "instance_norm", "l2_norm", "layer_norm",
        "reduce_argmax", "reduce_l1_norm", "reduce_l2_norm", "reduce_log_sum", "reduce_log_sum_exp", "reduce_max",
        "reduce_mean", "reduce_min", "reduce_sum", "reduce_sum_square",
        "cast", "concat", "depth_to_space", "expand_dims", "identity", "pad", "pixel_shuffle", "pixel_unshuffle",
        "reshape", "reverse", "slice_by_index", "slice_by_size", "space_to_depth", "split", "squeeze", "stack",
        "tile", "transpose",
        # In software on the M1, natively from the M2 on; Hollemans saw it run on the Neural Engine before either.
        "upsample_bilinear", "upsample_nearest_neighbor",
    }
)  # fmt: skip
# What is known not to run, and why. Whatever is in neither list is reported as not known to run.
_SORTING = "sorting is rejected on the M1 and takes indices in int32"
_INDEXING = "reading at computed places runs on the CPU or GPU"
_SCATTERING = "there is no hardware for writing at computed places"
_RECURRENT = "recurrent layers are not supported"
_RANDOM = "random numbers are made on the CPU"
_UNFIT = {
    "topk": _SORTING,
    "argsort": _SORTING,
    "gather": _INDEXING,
    "gather_along_axis": _INDEXING,
    "gather_nd": _INDEXING,
    "scatter": _SCATTERING,
    "scatter_along_axis": _SCATTERING,
    "scatter_nd": _SCATTERING,
    "non_maximum_suppression": "suppression runs on the CPU or GPU",
    "non_zero": "the shape of the result depends on the data",
    "one_hot": "there is no hardware for it",
    "shape": "shapes must be fixed",
    "cumsum": "there is no hardware for running sums",
    "reduce_prod": "there is no hardware for products along an axis",
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
    "rnn": _RECURRENT,
    "while_loop": "control flow runs on the CPU",
    "cond": "control flow runs on the CPU",
    "random_normal": _RANDOM,
    "random_uniform": _RANDOM,
    "random_bernoulli": _RANDOM,
    "scaled_dot_product_attention": "the Neural Engine takes it for many heads and long sequences only; write it as "
    "products and a softmax",
    "crop_resize": "there is no hardware for it before the A14",
    "resample": "there is no hardware for it before the A14",
    "band_part": "there is no hardware for it",
}
_POOLS = ("avg_pool", "max_pool", "l2_pool")
# Float16 is what is computed in; these may be read and written too. Booleans are for select.
_GOOD_TYPES = frozenset({"FLOAT16", "INT8", "UINT8", "INT16", "UINT16", "BOOL"})
_ADVICE = {
    "linear": "runs; as a 1x1 convolution on [1, C, 1, S] it would need no change of layout",
    "matmul": "runs; head by head as einsum on [1, C, 1, S] it would need no change of layout",
}
_MOVES = ("transpose", "reshape")


def ane_report(model: MLModel | str | os.PathLike[str]) -> dict[str, Any]:
    """Report which operations of a model or package fit the Neural Engine, for a package's metadata.

    Returns ``{"summary": {"operations", "fit", "unfit", "share", "moves"}, "operations": [...]}``. ``share`` is
    ``fit / operations``; ``moves`` counts the operations that only change the layout (transpose and reshape). Each
    operation has ``name``, ``type``, ``fit``, and a ``reason`` where it is unfit, or ``advice`` where it fits but could
    be faster. Constants are no operations. Of a pipeline, the models in it are reported one after the other.

    This is eligibility by public rules, not placement: Core ML decides that on the device.
    Raises ConversionError if a package cannot be read.
    """
    if isinstance(model, str | os.PathLike):
        specification, _ = read_specification(Path(model))
    else:
        specification = model.get_spec()
    entries = list(_report(specification))
    fit = sum(entry["fit"] for entry in entries)
    summary = {
        "operations": len(entries),
        "fit": fit,
        "unfit": len(entries) - fit,
        "share": round(fit / len(entries), 4) if entries else 0.0,
        "moves": sum(entry["type"] in _MOVES for entry in entries),
    }
    return {"summary": summary, "operations": entries}


def apply_ane_optimizations(
    module_kind: str,
    model: nn.Module,
    *,
    image_size: tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    top_k: int = 5,
) -> nn.Module:
    """Return a module with the answers of ``model``, rewritten for the Neural Engine. ``model`` is not changed.

    - "yolo": an Ultralytics ``DetectionModel``, with ``image_size`` (height, width); image 0…1 to confidences and
      coordinates (:class:`eyrie_convert.coreml.yolo.CoreMLYOLO`).
    - "vit": a ``ViTForImageClassification``, with ``mean`` and ``std`` of pixels 0…1 and ``top_k``; image 0…255 to
      probabilities, top-k scores and top-k indices.
    - "clip": a ``CLIPVisionModelWithProjection``, with ``mean`` and ``std``; image 0…255 to a unit-length embedding.

    Raises ConversionError for another kind, or a network that is not as the kind says.
    """
    if module_kind == "yolo" and image_size is not None:
        return CoreMLYOLO(model, image_size, ane_optimized=True).eval()
    if module_kind in ("vit", "clip") and mean is not None and std is not None:
        try:
            if module_kind == "vit":
                return vit_for_neural_engine(model, mean, std, top_k)
            return clip_for_neural_engine(model, mean, std)
        except AttributeError as error:
            raise ConversionError(
                f"Core ML: {type(model).__name__} is not built as the {module_kind} of transformers 5 is: {error}"
            ) from error
    raise ConversionError(
        f"Core ML: nothing can be done for the Neural Engine with a {module_kind!r} without its size (yolo) or "
        "its mean and standard deviation (vit, clip)"
    )


def _report(specification: Any) -> Iterator[dict[str, Any]]:
    kind = specification.WhichOneof("Type")
    if kind == "pipeline":
        for model in specification.pipeline.models:
            yield from _report(model)
    elif kind == "mlProgram":
        for block in blocks(specification.mlProgram):
            inputs = [value for function in specification.mlProgram.functions.values() for value in function.inputs]
            yield from _report_block(block, {value.name: value.type.tensorType for value in inputs})
    else:
        outputs = ", ".join(output.name for output in specification.description.output)
        reason = "a model of its own that runs on the CPU"
        yield {"name": outputs, "type": kind, "fit": False, "reason": reason}


def _report_block(block: Any, types: dict[str, Any]) -> Iterator[dict[str, Any]]:
    constants: dict[str, Any] = {}
    for operation in block.operations:
        for output in operation.outputs:
            types[output.name] = output.type.tensorType
        if operation.type == "const":
            constants[operation.outputs[0].name] = operation.attributes["val"]
        elif operation.type.startswith("constexpr_"):
            constants[operation.outputs[0].name] = None
        else:
            reason = _unfit(_Operation(operation, types, constants))
            name = operation.outputs[0].name if operation.outputs else operation.type
            entry = {"name": name, "type": operation.type, "fit": reason is None}
            if reason is not None:
                entry["reason"] = reason
            elif operation.type in _ADVICE:
                entry["advice"] = _ADVICE[operation.type]
            yield entry
            for nested in operation.blocks:
                yield from _report_block(nested, types)


class _Operation:
    """What the rules ask of an operation."""

    def __init__(self, operation: Any, types: dict[str, Any], constants: dict[str, Any]) -> None:
        self.kind = operation.type
        self._constants = constants
        self._inputs = {
            name: [binding.name for binding in argument.arguments if binding.WhichOneof("binding") == "name"]
            for name, argument in operation.inputs.items()
        }
        self._types = types
        # What is computed, and constant tensors among it (weights); single numbers, axes and shapes are no data.
        self.data = [output.type.tensorType for output in operation.outputs]
        for name in (name for names in self._inputs.values() for name in names):
            if name in types and (name not in constants or _is_weight(types[name])):
                self.data.append(types[name])

    def shape(self, argument: str) -> list[int]:
        """Return the shape of an argument, -1 where it is not fixed."""
        names = self._inputs.get(argument)
        return _shape(self._types[names[0]]) if names and names[0] in self._types else []

    def integers(self, argument: str) -> list[int]:
        """Return a constant argument's integers, or none."""
        names = self._inputs.get(argument)
        value = self._constants.get(names[0]) if names else None
        return list(value.immediateValue.tensor.ints.values) if value is not None else []


def _is_weight(tensor: Any) -> bool:
    return tensor.rank > 0 and _type(tensor).startswith("FLOAT")


def _type(tensor: Any) -> str:
    return enum_name(load_coremltools().proto.MIL_pb2.DataType, tensor.dataType)


def _shape(tensor: Any) -> list[int]:
    return [
        dimension.constant.size if dimension.WhichOneof("dimension") == "constant" else -1
        for dimension in tensor.dimensions
    ]


def _unfit(operation: _Operation) -> str | None:
    """Return why an operation does not fit, or None."""
    if operation.kind in _UNFIT:
        return _UNFIT[operation.kind]
    if operation.kind not in _FIT:
        return "the operation is not known to run"
    for tensor in operation.data:
        shape = _shape(tensor)
        if _type(tensor) not in _GOOD_TYPES:
            return f"{_type(tensor).lower()}: the Neural Engine computes in float16"
        if -1 in shape:
            return "its shape is not fixed"
        if len(shape) > _LARGEST_RANK:
            return f"it has {len(shape)} axes, and {_LARGEST_RANK} are the most"
        if max(shape, default=0) > _LONGEST_AXIS:
            return f"an axis is {max(shape)} long, and {_LONGEST_AXIS} is the most"
    if operation.kind in ("conv", "conv_transpose"):
        return _unfit_convolution(operation)
    if operation.kind in _POOLS and max(operation.integers("kernel_sizes"), default=0) > _WIDEST_WINDOW:
        return f"its window is wider than {_WIDEST_WINDOW}"
    return None


def _unfit_convolution(operation: _Operation) -> str | None:
    if len(operation.shape("x")) != 4:
        return f"it is no convolution over two axes (its input has {len(operation.shape('x'))} axes)"
    kernel = max(operation.shape("weight")[2:], default=0)
    if kernel > _WIDEST_KERNEL:
        return f"its kernel is {kernel} wide, and {_WIDEST_KERNEL} is the most in float16 on the M1"
    if max(operation.integers("dilations"), default=1) > 1:
        return "dilated convolutions are not known to run"
    return None
