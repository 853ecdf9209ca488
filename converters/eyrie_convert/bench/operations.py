"""Counts the arithmetic of a model from its graph."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openvino as ov


def count_operations(model: ov.Model) -> int:
    """Return the operations of one run: two for each multiply-add of convolutions, matrix products and attention.

    All else (activations, normalisations, resizing, decode) is left out, so it is a lower bound. Shapes must be
    known: reshape the model first. Raises ValueError if those of a layer are not.
    """
    return 2 * sum(_multiply_adds(operation) for operation in model.get_ordered_ops())


def _multiply_adds(operation: Any) -> int:
    kind = operation.get_type_name()
    if kind in ("Convolution", "GroupConvolution"):
        # Kernels are [out, in, …] and [groups, out of a group, in of a group, …]: the result has all outs.
        kernel = _shape(operation, 1)[1 if kind == "Convolution" else 2 :]
        return prod(_result(operation)) * prod(kernel)
    if kind in ("ConvolutionBackpropData", "GroupConvolutionBackpropData"):
        # [in, out, …] and [groups, in of a group, out of a group, …]: each input spreads over its group's outs.
        kernel = _shape(operation, 1)[1 if kind == "ConvolutionBackpropData" else 2 :]
        return prod(_shape(operation, 0)) * prod(kernel)
    if kind == "MatMul":
        first = _shape(operation, 0)
        transposed = operation.get_attributes().get("transpose_a", False) and len(first) > 1
        return prod(_result(operation)) * first[-2 if transposed else -1]
    if kind == "ScaledDotProductAttention":
        query, key, value = (_shape(operation, index) for index in range(3))
        return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])
    return 0


def _shape(operation: Any, index: int) -> list[int]:
    return _static(operation, operation.input(index).get_partial_shape())


def _result(operation: Any) -> list[int]:
    return _static(operation, operation.output(0).get_partial_shape())


def _static(operation: Any, shape: Any) -> list[int]:
    if shape.is_dynamic:
        raise ValueError(f"the shape {shape} at {operation.get_friendly_name()} is not fixed")
    return [dimension.get_length() for dimension in shape]
