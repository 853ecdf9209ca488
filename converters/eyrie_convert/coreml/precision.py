"""Which operations compute in float16: the rule behind the precisions "float16", "float32" and "mixed"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eyrie_convert.coreml.tools import load_coremltools

# What "mixed" keeps in float32, in any network:
# - softmax and exp: a sum of exponentials over up to thousands of terms, where float16 has 11 bits;
# - norms, their variances and lengths: sums of squares, which overflow float16 from 256 squared on, and
#   divisions by them;
# - topk: so that the order is not decided by rounding.
_DELICATE_OPERATIONS = frozenset(
    {
        "softmax", "exp", "log",
        "layer_norm", "instance_norm", "l2_norm", "reduce_l2_norm", "reduce_sum_square", "reduce_mean",
        "reduce_sum", "square", "sqrt", "rsqrt", "real_div", "topk",
    }
)  # fmt: skip
# And the decoding of YOLO's boxes: pixels up to 640 and more have steps of 0.5 in float16. These are the modules
# (by class) in which it happens, with everything in them ...
_DELICATE_MODULES = frozenset({"DFL", "Fractions"})
# ... and that which decodes besides running layers, which stay in float16.
_DECODING_MODULES = frozenset({"Detect"})


def compute_precision(precision: str) -> Any:
    """Return a precision as ``coremltools.convert`` takes it."""
    ct = load_coremltools()
    if precision == "float32":
        return ct.precision.FLOAT32
    if precision == "float16":
        return ct.precision.FLOAT16
    return ct.transform.FP16ComputePrecision(op_selector=_not_delicate())


def _not_delicate() -> Callable[[Any], bool]:
    from coremltools.converters.mil.mil.scope import ScopeSource

    def select(operation: Any) -> bool:
        # From the class of the outermost module but one to the innermost's, then the PyTorch operation.
        modules = operation.scopes.get(ScopeSource.TORCHSCRIPT_MODULE_TYPE) or []
        decoding = not _DELICATE_MODULES.isdisjoint(modules) or (len(modules) > 1 and modules[-2] in _DECODING_MODULES)
        return operation.op_type not in _DELICATE_OPERATIONS and not decoding

    return select
