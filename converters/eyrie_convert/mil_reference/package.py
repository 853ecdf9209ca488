"""Reads the parts of an ``.mlpackage``: the manifest, the specification and, checked, the places of weights."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from eyrie_convert.coreml.tools import load_coremltools
from eyrie_convert.errors import ConversionError

WEIGHTS = "@model_path/weights/"
# Of a weight in the file: a mark, its type, its size and its place in bytes, then reserved bytes up to 64
# (MILBlob/Blob/StorageFormat.hpp in Core ML Tools).
_ENTRY = struct.Struct("<IIQQ")
_ENTRY_SIZE = 64
_MARK = 0xDEADBEEF
# Type in the program: (its number in the weight file, bytes an element) (MILBlob/Blob/BlobDataType.hpp).
_TYPES = {
    "FLOAT16": (1, 2),
    "FLOAT32": (2, 4),
    "UINT8": (3, 1),
    "INT8": (4, 1),
    "INT16": (6, 2),
    "UINT16": (7, 2),
    "INT32": (14, 4),
    "UINT32": (15, 4),
}


def read_specification(package: Path) -> tuple[Any, Path]:
    """Return the specification (``Model_pb2.Model``) in a package, and the folder of its weights.

    Raises ConversionError if the package is none, or damaged.
    """
    model = _root_model(package)
    specification = load_coremltools().proto.Model_pb2.Model()
    try:
        specification.ParseFromString(model.read_bytes())
    except OSError as error:
        raise ConversionError(f"cannot read {model}: {error.strerror}") from error
    except Exception as error:  # DecodeError's place differs between releases of protobuf
        raise ConversionError(f"{model} is damaged: it is no Core ML specification") from error
    if specification.WhichOneof("Type") is None:
        raise ConversionError(f"{model} is damaged: it holds no model")
    return specification, model.parent / "weights"


def _root_model(package: Path) -> Path:
    manifest = package / "Manifest.json"
    try:
        entries = json.loads(manifest.read_bytes())
        path = entries["itemInfoEntries"][entries["rootModelIdentifier"]]["path"]
        relative = PurePosixPath(path)
    except OSError as error:
        raise ConversionError(f"{package} is no Core ML package: cannot read {manifest}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConversionError(f"{manifest} is damaged: it names no model") from error
    if relative.is_absolute() or ".." in relative.parts:
        raise ConversionError(f"{manifest} names a model outside of the package: {path!r}")
    return package / "Data" / relative


def enum_name(enum: Any, number: int) -> str:
    """Return the name of a number in a specification's enumeration, or the number where it has none."""
    try:
        return enum.Name(number)
    except ValueError:
        return str(number)


def blocks(program: Any) -> Iterator[Any]:
    """Return the outermost blocks of an ML program (``MIL_pb2.Program``)."""
    for function in program.functions.values():
        yield from function.block_specializations.values()


def operations(block: Any) -> Iterator[Any]:
    """Return the operations of a block and of those nested in it, in order."""
    for operation in block.operations:
        yield operation
        for nested in operation.blocks:
            yield from operations(nested)


def check_weights(program: Any, folder: Path) -> None:
    """Check that every weight a program names lies whole in its file, with the type and size it is read as.

    The reader in Core ML Tools checks less: a short file would give it garbage or an unclear error.
    Raises ConversionError.
    """
    files: dict[str, tuple[Path, BinaryIO, int]] = {}
    try:
        for block in blocks(program):
            for operation in operations(block):
                for value in _values(operation):
                    if value.WhichOneof("value") == "blobFileValue":
                        name = value.blobFileValue.fileName
                        if name not in files:
                            files[name] = _open(folder, name)
                        _check(operation, value, *files[name])
    finally:
        for _, file, _ in files.values():
            file.close()


def _values(operation: Any) -> Iterator[Any]:
    yield from operation.attributes.values()
    for argument in operation.inputs.values():
        for binding in argument.arguments:
            if binding.WhichOneof("binding") == "value":
                yield binding.value


def _open(folder: Path, name: str) -> tuple[Path, BinaryIO, int]:
    leaf = name.removeprefix(WEIGHTS)
    if not name.startswith(WEIGHTS) or not leaf or "/" in leaf or leaf == "..":
        raise ConversionError(f"the program in {folder.parent} names a weight file outside of the package: {name!r}")
    path = folder / leaf
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConversionError(f"cannot read the weights {path}: {error.strerror}") from error
    return path, file, file.seek(0, 2)


def _check(operation: Any, value: Any, path: Path, file: BinaryIO, length: int) -> None:
    weight = operation.outputs[0].name if operation.outputs else operation.type
    proto = load_coremltools().proto.MIL_pb2
    tensor = value.type.tensorType
    kind = enum_name(proto.DataType, tensor.dataType)
    if kind not in _TYPES:
        raise ConversionError(f"{path}: the weight {weight!r} has the type {kind}, which the reference cannot read")
    number, size = _TYPES[kind]
    expected = math.prod(dimension.constant.size for dimension in tensor.dimensions) * size
    offset = value.blobFileValue.offset
    if offset + _ENTRY_SIZE > length:
        raise ConversionError(f"{path} is truncated: the weight {weight!r} lies past its end ({length} bytes)")
    file.seek(offset)
    mark, stored_number, stored_size, start = _ENTRY.unpack(file.read(_ENTRY.size))
    if mark != _MARK or stored_number != number or stored_size != expected:
        raise ConversionError(f"{path} is damaged: no weight {weight!r} ({kind}, {expected} bytes) at byte {offset}")
    if start + expected > length:
        raise ConversionError(
            f"{path} is truncated: the weight {weight!r} ends at byte {start + expected}, the file at {length}"
        )
