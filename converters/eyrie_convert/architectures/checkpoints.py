"""Loads PyTorch checkpoints without running what is in them.

A checkpoint is a pickle, and unpickling can call anything. torch's restricted unpickler makes tensors and plain
containers only, and here also the layers of torch and of the framework a checkpoint is for, which are data as long as
they are filled and not constructed. Anything else is named and refused, unless the user trusts the file.
"""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import secrets
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eyrie_convert.download import say
from eyrie_convert.errors import ConversionError, first_line


def layer_classes(*packages: str) -> list[type]:
    """Return the ``nn.Module`` classes that the modules of these packages hold."""
    from torch import nn

    found: set[type] = set()
    for name in packages:
        package = importlib.import_module(name)
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{name}.{info.name}")
            found |= {each for each in vars(module).values() if isinstance(each, type) and issubclass(each, nn.Module)}
    return sorted(found, key=lambda each: (each.__module__, each.__qualname__))


def load(path: Path, allowed: Iterable[type], *, trust: bool) -> Any:
    """Return what the checkpoint holds, on the CPU.

    Raises ConversionError if it is damaged, or holds more than tensors and ``allowed`` and is not trusted.
    """
    import torch

    if not path.is_file():
        raise ConversionError(f"there is no checkpoint {path}")
    called: list[str] = []
    try:
        with torch.serialization.safe_globals(_to_fill(allowed, called)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        foreign = called or _foreign(path, allowed)
        if not foreign:
            raise ConversionError(f"{path} is no PyTorch checkpoint, or is damaged: {first_line(error)}") from error
        if not trust:
            names = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
            raise ConversionError(
                f"{path} holds more than weights ({names}), and loading that runs code from it: if you trust where it "
                "comes from, add --trust-checkpoint"
            ) from error
    except Exception as error:
        raise ConversionError(f"{path} is no PyTorch checkpoint, or is damaged: {first_line(error)}") from error
    say(f"warning: {path} is unpickled in full, as asked: code that is in it runs now")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise ConversionError(f"cannot load {path}: {first_line(error)}") from error


def _to_fill(allowed: Iterable[type], called: list[str]) -> list[tuple[type, str]]:
    """Return what the restricted unpickler is to take for these classes: it can make empty ones and fill them.

    It would also call them, with arguments of the checkpoint's choice, and a constructor may do anything with those
    (that of an Ultralytics model evaluates a string). What it finds by a class's name here is therefore a stand-in,
    whose call is refused and noted in ``called``. The class itself has to be known to it too, under a name that
    nobody can guess.
    """
    found: list[tuple[type, str]] = []
    for each in allowed:
        name = f"{each.__module__}.{each.__qualname__}"
        found += [(_stand_in(each, name, called), name), (each, f"{secrets.token_hex(16)}.{name}")]
    return found


def _stand_in(real: type, name: str, called: list[str]) -> type:
    class Uncallable(type):
        def __call__(cls, *_arguments: Any, **_named: Any) -> Any:
            called.append(f"a call of {name}")
            raise pickle.UnpicklingError(f"it calls {name}")

    return Uncallable(real.__name__, (), {"__new__": lambda _class, *_arguments: real.__new__(real)})


def _foreign(path: Path, allowed: Iterable[type]) -> list[str]:
    """Return what the checkpoint names that the restricted unpickler will not make."""
    import torch

    try:
        with torch.serialization.safe_globals(list(allowed)):
            unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:
        return []
    known = {f"{each.__module__}.{each.__qualname__}" for each in allowed}
    return sorted(set(unsafe) - known)
