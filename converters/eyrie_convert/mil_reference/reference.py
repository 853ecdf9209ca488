"""The interpreter: features in, features out, through a program or a pipeline of models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyrie_convert.coreml.tools import load_coremltools
from eyrie_convert.errors import ConversionError, first_line
from eyrie_convert.mil_reference.operations import OPERATIONS, Arguments, UnsupportedError
from eyrie_convert.mil_reference.package import check_weights, enum_name, read_specification
from eyrie_convert.mil_reference.suppression import run_suppression

_DTYPES = {
    "fp16": torch.float16,
    "fp32": torch.float32,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "uint16": torch.uint16,
    "int32": torch.int32,
    "int64": torch.int64,
    "bool": torch.bool,
}


class MILReference:
    """A Core ML package, ready to run.

    ``inputs`` and ``outputs`` are the names of the features that its description lists. Features are numpy arrays:

    - an image input takes uint8 RGB, ``[H, W, 3]`` or ``[3, H, W]``, with or without a leading 1, of exactly the
      description's size. It reaches the program as Core ML would hand it over: float, 0…255, in the order of
      colours that the description states. (A scale or bias is part of an ML program, and so is executed.)
    - an array input takes an array of its shape and type;
    - the thresholds of a suppression model may be left out.

    Not for use by several threads at once.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read a package. Raises ConversionError, in one line, if it is damaged or has what is not known here."""
        self.path = Path(path)
        specification, weights = read_specification(self.path)
        self._description = specification.description
        self.inputs = [feature.name for feature in self._description.input]
        self.outputs = [feature.name for feature in self._description.output]
        models = [specification]
        if specification.WhichOneof("Type") == "pipeline":
            models = list(specification.pipeline.models)
            self._check_images(models)
        self._stages = [self._stage(model, weights) for model in models]

    def run(self, features: dict[str, np.ndarray], *, intermediate: bool = False) -> dict[str, np.ndarray]:
        """Return the outputs for inputs, both by name; with ``intermediate`` also what one model hands to the next.

        Raises ConversionError if an input is missing, unknown or of another shape or type, or if an operation fails.
        """
        for name in features.keys() - set(self.inputs):
            raise ConversionError(f"{self.path} has no input {name!r}; it has {', '.join(self.inputs)}")
        values = {}
        for feature in self._description.input:
            if feature.name in features:
                values[feature.name] = _accept(feature, np.asarray(features[feature.name]))
            elif not feature.type.isOptional and feature.type.WhichOneof("Type") != "doubleType":
                raise ConversionError(f"{self.path} needs the input {feature.name!r}")
        for stage in self._stages:
            values.update(stage(values))
        missing = [name for name in self.outputs if name not in values]
        if missing:
            raise ConversionError(f"{self.path} is damaged: no model in it answers its output {missing[0]!r}")
        if intermediate:
            return {name: value for name, value in values.items() if name not in self.inputs}
        return {name: values[name] for name in self.outputs}

    def _stage(self, model: Any, weights: Path) -> Any:
        kind = model.WhichOneof("Type")
        if kind == "mlProgram":
            return _Program(self.path, model, weights).run
        if kind == "nonMaximumSuppression":
            return lambda values: run_suppression(model, values)
        raise ConversionError(f"{self.path} holds a model of the type {kind}, which the reference cannot run")

    def _check_images(self, models: list[Any]) -> None:
        # Core ML may follow either description, so a package where they differ is wrong whichever it follows.
        stated = {feature.name: feature.type.imageType for feature in self._description.input}
        for model in models:
            for feature in model.description.input:
                image = feature.type.WhichOneof("Type") == "imageType"
                if image and feature.name in stated and feature.type.imageType != stated[feature.name]:
                    raise ConversionError(
                        f"{self.path} describes the image {feature.name!r} in one way for the pipeline and in another "
                        "for the model in it"
                    )


def _accept(feature: Any, value: np.ndarray) -> np.ndarray:
    """Return an input as the first model is handed it. Raises ConversionError if it does not fit."""
    kind = feature.type.WhichOneof("Type")
    if kind == "imageType":
        return _accept_image(feature, value)
    if kind == "doubleType":
        if value.size != 1:
            raise ConversionError(f"the input {feature.name!r} takes one number, not an array {value.shape}")
        return value.astype(np.float64).reshape(())
    if kind != "multiArrayType":
        raise ConversionError(f"the input {feature.name!r} is of the type {kind}, which the reference cannot take")
    array = feature.type.multiArrayType
    if list(value.shape) != list(array.shape) or value.dtype != _array_type(array):
        raise ConversionError(
            f"the input {feature.name!r} takes {_array_type(array)} {list(array.shape)}, "
            f"not {value.dtype} {list(value.shape)}"
        )
    return value


def _accept_image(feature: Any, value: np.ndarray) -> np.ndarray:
    image = feature.type.imageType
    height, width = image.height, image.width
    shape = value.shape[1:] if value.ndim == 4 and value.shape[0] == 1 else value.shape
    if value.dtype != np.uint8 or shape not in ((height, width, 3), (3, height, width)):
        raise ConversionError(
            f"the image {feature.name!r} takes uint8 [{height}, {width}, 3], not {value.dtype} {list(value.shape)}"
        )
    planes = value.reshape(shape)
    if shape == (height, width, 3):
        planes = planes.transpose(2, 0, 1)
    order = enum_name(load_coremltools().proto.FeatureTypes_pb2.ImageFeatureType.ColorSpace, image.colorSpace)
    if order == "BGR":
        planes = planes[::-1]
    elif order != "RGB":
        raise ConversionError(
            f"the image {feature.name!r} has the colour space {order}, which the reference cannot make"
        )
    return np.ascontiguousarray(planes[None], dtype=np.float32)


def _array_type(array: Any) -> np.dtype:
    kinds = load_coremltools().proto.FeatureTypes_pb2.ArrayFeatureType.ArrayDataType
    name = enum_name(kinds, array.dataType)
    codes = {"FLOAT16": "f2", "FLOAT32": "f4", "DOUBLE": "f8", "INT32": "i4", "INT8": "i1"}
    if name not in codes:
        raise ConversionError(f"a feature's arrays are of the type {name}, which the reference cannot make")
    return np.dtype(codes[name])


class _Program:
    """An ML program: its main function, its constants, and when each of its values is needed last."""

    def __init__(self, path: Path, model: Any, weights: Path) -> None:
        self._path = path
        self._description = model.description
        load_coremltools()
        from coremltools.converters.mil.frontend.milproto.load import load

        check_weights(model.mlProgram, weights)
        try:
            program = load(model, model.specificationVersion, str(weights))
            self._function = program.functions["main"]
        except Exception as error:  # the loader raises whatever it meets
            raise ConversionError(f"{path} is damaged: its ML program cannot be read: {first_line(error)}") from error
        self._operations = [operation for operation in self._function.operations if operation.op_type != "const"]
        for operation in self._operations:
            if operation.op_type not in OPERATIONS:
                raise ConversionError(
                    f"{path} uses the operation {operation.op_type!r} ({operation.name}), which the reference "
                    "interpreter does not know"
                )
        self._constants: dict[Any, Tensor] = {}
        self._last_use = {
            variable: index
            for index, operation in enumerate(self._operations)
            for variable in _variables(operation.inputs.values())
        }

    @torch.inference_mode()
    def run(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the program's outputs as its description types them."""
        values: dict[Any, Tensor] = {}
        for name, variable in self._function.inputs.items():
            value = torch.from_numpy(features[name]).to(_dtype(variable))
            self._check_shape(name, variable, value)
            values[variable] = value
        outputs = list(self._function.outputs)
        for index, operation in enumerate(self._operations):
            for variable, value in zip(operation.outputs, self._execute(operation, values), strict=False):
                values[variable] = value
            for variable in _variables(operation.inputs.values()):
                if self._last_use[variable] == index and variable not in outputs:
                    values.pop(variable, None)
        results = {variable.name: self._value(variable, values).numpy() for variable in outputs}
        for feature in self._description.output:
            if feature.name not in results:
                raise ConversionError(f"{self._path} is damaged: its program has no output {feature.name!r}")
            stated, computed = _array_type(feature.type.multiArrayType), results[feature.name].dtype
            if stated != computed:
                raise ConversionError(
                    f"{self._path} is damaged: it states {feature.name!r} as {stated}, its program answers {computed}"
                )
        return results

    def _execute(self, operation: Any, values: dict[Any, Tensor]) -> list[Tensor]:
        what = f"the operation {operation.op_type!r} ({operation.name}) of {self._path}"
        try:
            answers = OPERATIONS[operation.op_type](
                Arguments(operation.inputs, lambda variable: self._value(variable, values))
            )
        except UnsupportedError as error:
            raise ConversionError(f"{what} is not known to the reference interpreter: {error}") from error
        except Exception as error:  # whatever PyTorch raises on arguments that do not fit
            raise ConversionError(f"{what} cannot be executed: {first_line(error)}") from error
        answers = answers if isinstance(answers, tuple) else (answers,)
        results = []
        for variable, answer in zip(operation.outputs, answers, strict=False):
            self._check_shape(variable.name, variable, answer)
            results.append(answer.to(_dtype(variable)))
        return results

    def _value(self, variable: Any, values: dict[Any, Tensor]) -> Tensor:
        if variable in values:
            return values[variable]
        if variable not in self._constants:
            # Copied, since PyTorch warns of arrays it must not write to.
            self._constants[variable] = torch.tensor(np.asarray(variable.val), dtype=_dtype(variable))
        return self._constants[variable]

    def _check_shape(self, name: str, variable: Any, value: Tensor) -> None:
        stated = tuple(variable.shape)
        if any(not isinstance(length, int | np.integer) for length in stated):
            raise ConversionError(f"{self._path}: the shape of {name!r} is not fixed, which the reference needs")
        if tuple(value.shape) != stated:
            raise ConversionError(
                f"{self._path} is damaged: {name!r} is stated as {list(stated)} and is {list(value.shape)}"
            )


def _variables(arguments: Any) -> list[Any]:
    variables = []
    for argument in arguments:
        variables += [
            item for item in (argument if isinstance(argument, list | tuple) else [argument]) if item is not None
        ]
    return variables


def _dtype(variable: Any) -> torch.dtype:
    from coremltools.converters.mil.mil.types import builtin_to_string

    name = builtin_to_string(variable.dtype)
    if name not in _DTYPES:
        raise ConversionError(f"{variable.name!r} has the type {name}, which the reference cannot compute in")
    return _DTYPES[name]
