"""Runs models on pictures on this machine's CPU, in float32 wherever a model does not ask for less."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyrie_convert import pictures
from eyrie_convert.network import Answers, Picture, PictureInput

if TYPE_CHECKING:
    import onnx
    import openvino as ov

Runner = Callable[[Picture], Answers]
"""Runs a model on a picture at the size of its input; output arrays by name, the batch axis first."""


def openvino_runner(model: ov.Model, spec: PictureInput) -> Runner:
    """Return a runner of an OpenVINO model. Quantised layers run in eight bits, the others in float32."""
    import openvino as ov

    # Not left to the default: a CPU that has bfloat16 would use it, and its error be taken for quantisation's.
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [_name(output, index) for index, output in enumerate(compiled.outputs)]

    def run(picture: Picture) -> dict[str, NDArray[Any]]:
        answers = compiled([pictures.as_tensor(picture, spec)])
        return {name: np.array(answers[index]) for index, name in enumerate(names)}

    return run


def _name(output: Any, index: int) -> str:
    return output.get_any_name() if output.get_names() else f"output{index}"


def onnx_runner(model: onnx.ModelProto, spec: PictureInput) -> Runner:
    """Return a runner of an ONNX model through ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    fed = session.get_inputs()[0].name

    def run(picture: Picture) -> dict[str, NDArray[Any]]:
        return dict(zip(names, session.run(names, {fed: pictures.as_tensor(picture, spec)}), strict=True))

    return run
