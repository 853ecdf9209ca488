"""Runs models on pictures on this machine's CPU, in float32 wherever a model does not ask for less."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eyrie_convert import pictures
from eyrie_convert.errors import ConversionError, first_line
from eyrie_convert.network import Answers, Picture, PictureInput

if TYPE_CHECKING:
    import onnx
    import openvino as ov


# Of pictures that are inferred at once: a bound lets OpenVINO plan its memory.
LARGEST_BATCH = 8


class OpenVINORunner:
    """Runs a model, an IR or an ONNX file through OpenVINO: at the picture's size, or at one that is given.

    Quantised layers run in eight bits. With ``batch`` it takes up to ``LARGEST_BATCH`` pictures at a time.
    """

    def __init__(
        self,
        model: ov.Model | Path,
        spec: PictureInput,
        names: list[str] | None = None,
        size: tuple[int, int] | None = None,
        batch: bool = False,
    ):
        """``names`` are the outputs to answer, all if not given; ``size`` is a width and a height."""
        import openvino as ov

        self.spec = spec
        self.what = model if isinstance(model, Path) else "the model"
        core = ov.Core()
        try:
            loaded = core.read_model(model) if isinstance(model, Path) else model
            if size is not None and loaded.inputs[0].get_partial_shape().is_dynamic:
                many = ov.Dimension(1, LARGEST_BATCH) if batch else 1
                loaded.reshape([many, 3, size[1], size[0]])
            # Not left to the default: a CPU that has bfloat16 would use it, and its error be taken for the model's.
            self.compiled = core.compile_model(loaded, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            found = [self.compiled.output(name) for name in names] if names else self.compiled.outputs
        except Exception as error:
            raise ConversionError(f"OpenVINO cannot load {self.what}: {first_line(error)}") from error
        self.outputs = dict(zip(names or [_name(*each) for each in enumerate(found)], found, strict=True))

    def __call__(self, picture: Picture) -> Answers:
        """Run one picture, or a stack of them."""
        try:
            answers: Any = self.compiled(pictures.as_tensor(picture, self.spec))
        except Exception as error:
            raise ConversionError(f"OpenVINO cannot run {self.what}: {first_line(error)}") from error
        return {name: np.array(answers[output]) for name, output in self.outputs.items()}


def _name(index: int, output: Any) -> str:
    return output.get_any_name() if output.get_names() else f"output{index}"


class ONNXRunner:
    """Runs a model or a file in ONNX Runtime, at whatever size the picture has."""

    def __init__(self, model: onnx.ModelProto | Path, spec: PictureInput, names: list[str] | None = None):
        """``names`` are the outputs to answer, all if not given."""
        import onnxruntime

        onnxruntime.set_default_logger_severity(4)
        self.spec = spec
        self.what = model if isinstance(model, Path) else "the model"
        source = model if isinstance(model, Path) else model.SerializeToString()
        try:
            self.session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ConversionError(f"ONNX Runtime cannot load {self.what}: {first_line(error)}") from error
        self.names = names or [output.name for output in self.session.get_outputs()]
        self.fed = self.session.get_inputs()[0].name

    def __call__(self, picture: Picture) -> Answers:
        """Run one picture, or a stack of them."""
        try:
            answers = self.session.run(self.names, {self.fed: pictures.as_tensor(picture, self.spec)})
        except Exception as error:
            raise ConversionError(f"ONNX Runtime cannot run {self.what}: {first_line(error)}") from error
        return dict(zip(self.names, answers, strict=True))
