"""What each MIL operation computes, written with PyTorch.

The meanings are those of coremltools/converters/mil/mil/ops/defs. An operation gets its arguments through
:class:`Arguments`, where float16 tensors come widened to float32; the caller rounds the result to the type that
the program states. So an operation in float16 is computed in float32 between roundings of its inputs and its
result, as hardware that accumulates in float32 does, and needs no half-precision kernels of the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor


class UnsupportedError(Exception):
    """An operation, or an option of one, that the reference does not know."""


class Arguments:
    """The arguments of one operation: tensors by name, and constants as Python values."""

    def __init__(self, inputs: dict[str, Any], tensor_of: Callable[[Any], Tensor]) -> None:
        """Take MIL variables by name (lists of them for some), and what answers their values."""
        self._inputs = inputs
        self._tensor_of = tensor_of

    def has(self, name: str) -> bool:
        """Return whether an optional argument is there."""
        return self._inputs.get(name) is not None

    def tensor(self, name: str) -> Tensor:
        """Return a tensor, float16 widened to float32."""
        return _wide(self._tensor_of(self._inputs[name]))

    def maybe_tensor(self, name: str) -> Tensor | None:
        """Return a tensor, or None where the argument is left out."""
        return self.tensor(name) if self.has(name) else None

    def tensors(self, name: str) -> list[Tensor]:
        """Return the tensors of an argument that takes several."""
        return [_wide(self._tensor_of(variable)) for variable in self._inputs[name]]

    def constant(self, name: str, default: Any = None) -> Any:
        """Return a constant as a Python value or list. Raises UnsupportedError if the program computes it."""
        if not self.has(name):
            return default
        value = self._inputs[name].val
        if value is None:
            raise UnsupportedError(f"its {name} is not constant")
        return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _wide(value: Tensor) -> Tensor:
    return value.float() if value.dtype == torch.float16 else value


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Arguments], Tensor]:
    return lambda a: function(a.tensor("x"))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Arguments], Tensor]:
    return lambda a: function(a.tensor("x"), a.tensor("y"))


def _reduction(function: Callable[..., Tensor]) -> Callable[[Arguments], Tensor]:
    def reduce(a: Arguments) -> Tensor:
        x = a.tensor("x")
        axes = a.constant("axes") or list(range(x.ndim))
        return function(x, dim=axes, keepdim=a.constant("keep_dims", False))

    return reduce


def _padding(a: Arguments, size: Sequence[int], kernel: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Return the padding before and behind each spatial axis, first axis first."""
    kind, dilations = a.constant("pad_type", "valid"), a.constant("dilations") or [1] * len(kernel)
    if kind == "valid":
        return [0] * 2 * len(kernel)
    if kind == "custom":
        return a.constant("pad")
    if kind not in ("same", "same_lower"):
        raise UnsupportedError(f"its pad_type is {kind!r}")
    padding = []
    for length, taps, stride, dilation in zip(size, kernel, strides, dilations, strict=True):
        total = max((math.ceil(length / stride) - 1) * stride + dilation * (taps - 1) + 1 - length, 0)
        less, more = total // 2, total - total // 2
        padding += [less, more] if kind == "same" else [more, less]
    return padding


def _pad(x: Tensor, padding: Sequence[int], value: float) -> Tensor:
    # PyTorch lists the last axis first.
    pairs = [padding[index : index + 2] for index in range(0, len(padding), 2)]
    return F.pad(x, [amount for pair in reversed(pairs) for amount in pair], value=value) if any(padding) else x


def _conv(a: Arguments) -> Tensor:
    x, weight = a.tensor("x"), a.tensor("weight")
    convolve = {3: F.conv1d, 4: F.conv2d}.get(x.ndim)
    if convolve is None:
        raise UnsupportedError(f"its input has {x.ndim} axes")
    ones = [1] * (x.ndim - 2)
    strides, dilations = a.constant("strides", ones), a.constant("dilations", ones)
    padding = _padding(a, x.shape[2:], weight.shape[2:], strides)
    groups = a.constant("groups", 1)
    if padding[0::2] == padding[1::2]:  # PyTorch pads by itself, without a copy
        return convolve(x, weight, a.maybe_tensor("bias"), strides, padding[0::2], dilations, groups)
    return convolve(_pad(x, padding, 0), weight, a.maybe_tensor("bias"), strides, 0, dilations, groups)


def _max_pool(a: Arguments) -> Tensor:
    x, kernel = a.tensor("x"), a.constant("kernel_sizes")
    if x.ndim != 4 or a.constant("ceil_mode", False):
        raise UnsupportedError("it pools over other than two axes, or rounds up")
    strides = a.constant("strides", [1] * len(kernel))
    return F.max_pool2d(_pad(x, _padding(a, x.shape[2:], kernel, strides), -math.inf), kernel, strides)


def _avg_pool(a: Arguments) -> Tensor:
    x, kernel = a.tensor("x"), a.constant("kernel_sizes")
    if x.ndim != 4 or a.constant("ceil_mode", False):
        raise UnsupportedError("it pools over other than two axes, or rounds up")
    strides = a.constant("strides", [1] * len(kernel))
    padding = _padding(a, x.shape[2:], kernel, strides)
    mean = F.avg_pool2d(_pad(x, padding, 0), kernel, strides)
    if a.constant("exclude_padding_from_average", False):
        mean = mean / F.avg_pool2d(_pad(torch.ones_like(x), padding, 0), kernel, strides)
    return mean


def _upsample_nearest(a: Arguments) -> Tensor:
    factors = [a.constant("scale_factor_height", 1), a.constant("scale_factor_width", 1)]
    if any(factor != int(factor) for factor in factors):
        raise UnsupportedError(f"it scales by {factors}")
    return a.tensor("x").repeat_interleave(int(factors[0]), -2).repeat_interleave(int(factors[1]), -1)


def _upsample_bilinear(a: Arguments) -> Tensor:
    factors = [a.constant("scale_factor_height", 1), a.constant("scale_factor_width", 1)]
    return F.interpolate(
        a.tensor("x"), scale_factor=factors, mode="bilinear", align_corners=a.constant("align_corners", True)
    )


def _matmul(a: Arguments) -> Tensor:
    x, y = a.tensor("x"), a.tensor("y")
    return torch.matmul(
        x.transpose(-1, -2) if a.constant("transpose_x", False) else x,
        y.transpose(-1, -2) if a.constant("transpose_y", False) else y,
    )


def _attention(a: Arguments) -> Tensor:
    return F.scaled_dot_product_attention(
        a.tensor("query"), a.tensor("key"), a.tensor("value"), a.maybe_tensor("attn_mask")
    )


def _layer_norm(a: Arguments) -> Tensor:
    x = a.tensor("x")
    axes = sorted(axis % x.ndim for axis in (a.constant("axes") or range(x.ndim)))
    shape = [length if axis in axes else 1 for axis, length in enumerate(x.shape)]
    centred = x - x.mean(axes, keepdim=True)
    x = centred * torch.rsqrt(centred.square().mean(axes, keepdim=True) + a.constant("epsilon", 1e-5))
    if a.has("gamma"):
        x = x * a.tensor("gamma").reshape(shape)
    if a.has("beta"):
        x = x + a.tensor("beta").reshape(shape)
    return x


def _batch_norm(a: Arguments) -> Tensor:
    return F.batch_norm(
        a.tensor("x"),
        a.tensor("mean"),
        a.tensor("variance"),
        a.maybe_tensor("gamma"),
        a.maybe_tensor("beta"),
        eps=a.constant("epsilon", 1e-5),
    )


def _gelu(a: Arguments) -> Tensor:
    x, mode = a.tensor("x"), a.constant("mode", "EXACT")
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x, approximate={"EXACT": "none", "TANH_APPROXIMATION": "tanh"}[mode])


def _reshape(a: Arguments) -> Tensor:
    x, shape = a.tensor("x"), a.constant("shape")
    # 0 stands for the length of the same axis of the input.
    return x.reshape([x.shape[axis] if length == 0 else length for axis, length in enumerate(shape)])


def _squeeze(a: Arguments) -> Tensor:
    x, axes = a.tensor("x"), a.constant("axes")
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _expand_dims(a: Arguments) -> Tensor:
    x, axes = a.tensor("x"), a.constant("axes")
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _slice_by_index(a: Arguments) -> Tensor:
    x = a.tensor("x")
    no = [False] * x.ndim
    begin, end, strides = a.constant("begin"), a.constant("end"), a.constant("stride", [1] * x.ndim)
    free_begin, free_end = a.constant("begin_mask", no), a.constant("end_mask", no)
    if min(strides) < 1:
        raise UnsupportedError("it steps backwards")
    squeezed = a.constant("squeeze_mask", no)
    ranges: list[slice | int] = []
    for axis in range(x.ndim):
        start = None if free_begin[axis] else begin[axis]
        if squeezed[axis]:
            ranges.append(start or 0)
        else:
            ranges.append(slice(start, None if free_end[axis] else end[axis], strides[axis]))
    return x[tuple(ranges)]


def _slice_by_size(a: Arguments) -> Tensor:
    x = a.tensor("x")
    for axis, (start, length) in enumerate(zip(a.constant("begin"), a.constant("size"), strict=True)):
        x = x.narrow(axis, start, x.shape[axis] - start if length == -1 else length)
    return x


def _split(a: Arguments) -> tuple[Tensor, ...]:
    x, axis, sizes = a.tensor("x"), a.constant("axis"), a.constant("split_sizes")
    return x.split(sizes or x.shape[axis] // a.constant("num_splits"), axis)


def _concat(a: Arguments) -> Tensor:
    if a.constant("interleave", False):
        raise UnsupportedError("it interleaves")
    return torch.cat(a.tensors("values"), a.constant("axis"))


def _topk(a: Arguments) -> tuple[Tensor, ...]:
    axis, k = a.constant("axis", -1), a.constant("k", 1)
    # Sorted stably, so that of equal values the one with the lower index comes first.
    values, indices = a.tensor("x").sort(dim=axis, descending=not a.constant("ascending", False), stable=True)
    return values.narrow(axis, 0, k), indices.narrow(axis, 0, k)


def _gather(a: Arguments) -> Tensor:
    if a.constant("batch_dims", 0):
        raise UnsupportedError("its batch_dims are not 0")
    x, indices = a.tensor("x"), a.tensor("indices").long()
    axis = a.constant("axis", 0) % x.ndim
    length = x.shape[axis]
    taken = x.index_select(axis, torch.where(indices < 0, indices + length, indices).reshape(-1))
    return taken.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def _constant_pad(a: Arguments) -> Tensor:
    if a.constant("mode", "constant") != "constant":
        raise UnsupportedError(f"its mode is {a.constant('mode')!r}")
    return _pad(a.tensor("x"), a.constant("pad"), a.constant("constant_val", 0.0))


OPERATIONS: dict[str, Callable[[Arguments], Tensor | tuple[Tensor, ...]]] = {
    # Elementwise
    "add": _binary(torch.add),
    "sub": _binary(torch.sub),
    "mul": _binary(torch.mul),
    "real_div": _binary(torch.div),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "pow": _binary(torch.pow),
    "exp": _unary(torch.exp),
    "sqrt": _unary(torch.sqrt),
    "rsqrt": lambda a: torch.rsqrt(a.tensor("x") + a.constant("epsilon", 1e-12)),
    "square": _unary(torch.square),
    "abs": _unary(torch.abs),
    "erf": _unary(torch.erf),
    "clip": lambda a: a.tensor("x").clamp(a.constant("alpha"), a.constant("beta")),
    "cast": lambda a: a.tensor("x"),  # the caller rounds to the type that the program states
    # Activations
    "relu": _unary(torch.relu),
    "leaky_relu": lambda a: F.leaky_relu(a.tensor("x"), a.constant("alpha")),
    "sigmoid": _unary(torch.sigmoid),
    "silu": _unary(F.silu),
    "tanh": _unary(torch.tanh),
    "gelu": _gelu,
    "softmax": lambda a: a.tensor("x").softmax(a.constant("axis", -1)),
    # Sums of products
    "conv": _conv,
    "linear": lambda a: F.linear(a.tensor("x"), a.tensor("weight"), a.maybe_tensor("bias")),
    "matmul": _matmul,
    "einsum": lambda a: torch.einsum(a.constant("equation"), a.tensors("values")),
    "scaled_dot_product_attention": _attention,
    # Norms and reductions
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
    "reduce_mean": _reduction(torch.mean),
    "reduce_sum": _reduction(torch.sum),
    "reduce_max": _reduction(torch.amax),
    "reduce_sum_square": _reduction(lambda x, dim, keepdim: x.square().sum(dim, keepdim=keepdim)),
    "reduce_l2_norm": _reduction(lambda x, dim, keepdim: x.square().sum(dim, keepdim=keepdim).sqrt()),
    # Pooling and scaling
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "upsample_nearest_neighbor": _upsample_nearest,
    "upsample_bilinear": _upsample_bilinear,
    # Shapes
    "reshape": _reshape,
    "transpose": lambda a: a.tensor("x").permute(a.constant("perm")),
    "squeeze": _squeeze,
    "expand_dims": _expand_dims,
    "slice_by_index": _slice_by_index,
    "slice_by_size": _slice_by_size,
    "split": _split,
    "concat": _concat,
    "stack": lambda a: torch.stack(a.tensors("values"), a.constant("axis")),
    "tile": lambda a: a.tensor("x").repeat(a.constant("reps")),
    "pad": _constant_pad,
    "identity": lambda a: a.tensor("x"),
    # Choice
    "greater_equal": _binary(torch.ge),
    "select": lambda a: torch.where(a.tensor("cond"), a.tensor("a"), a.tensor("b")),
    "topk": _topk,
    "gather": _gather,
}
