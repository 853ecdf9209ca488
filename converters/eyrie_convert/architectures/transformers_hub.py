"""Loads vision transformers in the format of Hugging Face: by name, from a directory, or from a ``config.json``."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyrie_convert import package
from eyrie_convert.architectures.random_weights import SEED
from eyrie_convert.download import say
from eyrie_convert.errors import ConversionError, first_line

LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Loaded:
    """A model, and where it is from."""

    model: Any
    name: str
    source: dict[str, Any]
    preprocessor: dict[str, Any]
    random: bool


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's advice, progress bars and retries away from users."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "10")
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "30")
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def load(name: str, class_name: str, config_class: str, aliases: dict[str, str], extra: str) -> Loaded:
    """Load a model of ``transformers.<class_name>``.

    ``name`` is a directory with ``config.json`` and weights, a ``config.json`` alone (random weights), a name in
    ``aliases``, or one on the hub. Weights in safetensors hold no code; others are unpickled with torch's
    restricted unpickler. Raises ConversionError if it cannot be had.
    """
    with _quiet():
        try:
            import transformers
        except ImportError as error:
            raise ConversionError(
                f"{class_name} needs transformers ({error}): pip install 'eyrie-convert[{extra}]'"
            ) from error
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        model_class, configuration = getattr(transformers, class_name), getattr(transformers, config_class)
        path = Path(name)
        if path.is_file():
            return _from_config(path, model_class, configuration)
        if path.is_dir():
            return _from_directory(path, model_class, configuration)
        if len(path.parts) > 2 or path.suffix or name.startswith("."):
            raise ConversionError(f"there is no file or directory {name}")
        return _from_hub(aliases.get(name.lower(), name), name, model_class)


def _from_config(path: Path, model_class: Any, configuration: Any) -> Loaded:
    import torch

    fields = package.read_json(path)
    if path.suffix != ".json" or not isinstance(fields, dict):
        raise ConversionError(f"{path} is neither a config.json nor a directory with one and weights")
    config = _configuration(path, fields, configuration)
    torch.manual_seed(SEED)
    try:
        model = model_class(config)
    except Exception as error:
        raise ConversionError(f"cannot make a model of {path}: {first_line(error)}") from error
    stem = path.parent.name if path.name == "config.json" else path.stem
    source = {"name": path.name, "sha256": package.sha256(path), "origin": None}
    return Loaded(model.eval(), stem or "model", source, _preprocessor(path.parent), random=True)


def _configuration(path: Path, fields: dict[str, Any], configuration: Any) -> Any:
    """Return the configuration, refusing one that is for another kind of model."""
    kind = fields.get("model_type", configuration.model_type)
    # A CLIP model's file has its vision tower's in it.
    nested = fields.get("vision_config") if kind == "clip" else None
    if isinstance(nested, dict) and configuration.model_type != "clip":
        fields = {**nested, "projection_dim": fields.get("projection_dim", nested.get("projection_dim", 512))}
        kind = configuration.model_type
    if configuration.model_type == "clip" and kind != "clip":
        raise ConversionError(
            f"labels need CLIP's text tower, and {path} is the configuration of a {kind} model, which has none: give "
            "the whole model (model_type clip)"
        )
    if kind != configuration.model_type:
        raise ConversionError(
            f"{path} is the configuration of a {kind} model, and {configuration.model_type} is wanted"
        )
    fields = {key: value for key, value in fields.items() if key != "model_type"}
    try:
        made = configuration(**fields)
        _check_configuration(made)
    except Exception as error:
        raise ConversionError(f"cannot use {path}: {first_line(error)}") from error
    return made


def _check_configuration(made: Any) -> None:
    """Raise ValueError for what transformers accepts, and no network or no sense comes of."""
    from transformers.activations import ACT2FN

    if made.model_type == "clip":
        made.vision_config.projection_dim = made.projection_dim
        _check_configuration(made.vision_config)
        _check_text(made.text_config, ACT2FN)
        return
    classes = getattr(made, "num_labels", 2) if made.model_type == "vit" else 2
    least = {"patch_size": 1, "hidden_size": 1, "num_attention_heads": 1, "intermediate_size": 1, "projection_dim": 1}
    for name, lowest in {**least, "image_size": made.patch_size if isinstance(made.patch_size, int) else 1}.items():
        value = getattr(made, name, lowest)
        if not isinstance(value, int) or value < lowest:
            raise ValueError(f"{name} is {value!r}, not a number of at least {lowest}")
    if made.image_size > LARGEST_SIDE:
        raise ValueError(f"image_size is {made.image_size}, and {LARGEST_SIDE} is the most")
    if made.num_channels != 3:
        raise ValueError(f"it takes {made.num_channels} channels; only colour pictures (3) are supported")
    if made.hidden_act not in ACT2FN:
        raise ValueError(f"hidden_act is {made.hidden_act!r}, which is no activation")
    if classes < 2:
        raise ValueError(f"num_labels is {classes}: the probabilities of fewer than two classes say nothing")


def _check_text(made: Any, activations: Any) -> None:
    for name in ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "max_position_embeddings"):
        value = getattr(made, name, 0)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} in text_config is {value!r}, not a number of at least 1")
    if made.hidden_act not in activations:
        raise ValueError(f"hidden_act in text_config is {made.hidden_act!r}, which is no activation")


def _from_directory(path: Path, model_class: Any, configuration: Any) -> Loaded:
    fields = package.read_json(path / "config.json")
    if not isinstance(fields, dict):
        raise ConversionError(f"{path / 'config.json'} is no configuration")
    made = _configuration(path / "config.json", fields, configuration)
    weights = [each for each in (path / "model.safetensors", path / "pytorch_model.bin") if each.is_file()]
    shards = sorted(path.glob("model-*.safetensors"))
    if not weights and not shards:
        raise ConversionError(f"{path} holds no model.safetensors and no pytorch_model.bin")
    # Of a whole CLIP model the library itself takes the vision tower's idea of the projection, which may be another.
    given = {"config": made} if made.model_type != fields.get("model_type", made.model_type) else {}
    model = _load(model_class, str(path), str(path), local_files_only=True, **given)
    digest = package.sha256(weights[0]) if weights else package.sha256(shards[0])
    source = {"name": (weights or shards)[0].name, "sha256": digest, "origin": None}
    return Loaded(model, path.resolve().name, source, _preprocessor(path), random=False)


def _from_hub(repository: str, name: str, model_class: Any) -> Loaded:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    say(f"getting {repository} from the Hugging Face hub, unless it is in its cache")
    try:
        hf_hub_download(repository, "config.json")
        try:
            weights = hf_hub_download(repository, "model.safetensors")
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError:
            weights = hf_hub_download(repository, "pytorch_model.bin")
    except GatedRepoError as error:
        raise ConversionError(f"{repository} needs an account: log in with 'hf auth login' first") from error
    except RepositoryNotFoundError as error:
        raise ConversionError(f"the hub has no model {repository}") from error
    except LocalEntryNotFoundError as error:
        raise ConversionError(
            f"cannot get {name}: the Hugging Face hub cannot be reached, and the model is not in its cache; give a "
            "local directory with config.json and model.safetensors, or a config.json alone for random weights"
        ) from error
    except Exception as error:
        raise ConversionError(f"cannot get {name} from the hub: {first_line(error)}") from error
    model = _load(model_class, repository, name)
    source = {
        "name": repository,
        "sha256": package.sha256(Path(weights)),
        "origin": f"https://huggingface.co/{repository}",
    }
    try:
        preprocessor = _preprocessor(Path(hf_hub_download(repository, "preprocessor_config.json")).parent)
    except Exception:
        preprocessor = {}
    return Loaded(model, repository.split("/")[-1], source, preprocessor, random=False)


def _load(model_class: Any, place: str, name: str, **options: Any) -> Any:
    try:
        model, report = model_class.from_pretrained(place, output_loading_info=True, **options)
    except Exception as error:
        raise ConversionError(f"cannot load {name}: {first_line(error)}") from error
    # Missing weights are made up at random with no more than a log line.
    missing = sorted(key for key in report["missing_keys"] if not key.endswith("position_ids"))
    mismatched = report.get("mismatched_keys") or ()
    if missing or mismatched:
        keys = missing or sorted(str(each[0]) for each in mismatched)
        raise ConversionError(
            f"{name} has no weights for {len(keys)} tensors of {model_class.__name__} ({keys[0]}, …): it is another "
            "kind of model, or damaged"
        )
    return model.eval().float()


TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json")


def tokenizer(name: str, class_name: str, aliases: dict[str, str]) -> Any:
    """Return the tokenizer of a model that ``load`` has loaded: from its directory, beside its ``config.json``, or hub.

    Raises ConversionError if its files are not there: the library would make one that knows no words.
    """
    path = Path(name)
    with _quiet():
        import transformers

        if path.exists():
            directory = path.parent if path.is_file() else path
        else:
            directory = _tokenizer_from_hub(aliases.get(name.lower(), name))
        held = {each for each in TOKENIZER_FILES if directory is not None and (directory / each).is_file()}
        if "tokenizer.json" not in held and not held >= {"vocab.json", "merges.txt"}:
            where = f"beside {path}" if path.is_file() else f"in {name}"
            raise ConversionError(
                f"labels need the model's tokenizer, and there is none {where}: tokenizer.json, or vocab.json and "
                "merges.txt, as published with the model"
            )
        try:
            return getattr(transformers, class_name).from_pretrained(str(directory), local_files_only=True)
        except Exception as error:
            raise ConversionError(f"cannot load the tokenizer in {directory}: {first_line(error)}") from error


def _tokenizer_from_hub(repository: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    directory = unreachable = None
    for name in TOKENIZER_FILES:
        try:
            directory = Path(hf_hub_download(repository, name)).parent
        except LocalEntryNotFoundError as error:
            unreachable = error  # the cache may have the others, which are enough
        except EntryNotFoundError:
            continue
        except Exception as error:
            raise ConversionError(f"cannot get {name} of {repository} from the hub: {first_line(error)}") from error
    if directory is None and unreachable is not None:
        raise ConversionError(
            f"cannot get the tokenizer of {repository}: the Hugging Face hub cannot be reached, and it is not in its "
            "cache"
        ) from unreachable
    return directory


def _preprocessor(directory: Path) -> dict[str, Any]:
    path = directory / "preprocessor_config.json"
    fields = package.read_json(path) if path.is_file() else {}
    return fields if isinstance(fields, dict) else {}


def normalisation(
    preprocessor: dict[str, Any], mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation a channel: the preprocessor's, else the given ones.

    Raises ConversionError if the preprocessor's make no sense.
    """
    if preprocessor.get("do_normalize") is False:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    found = []
    for key, default in (("image_mean", mean), ("image_std", std)):
        values = preprocessor.get(key, default)
        if (
            not isinstance(values, (list, tuple))
            or len(values) != 3
            or not all(isinstance(each, (int, float)) for each in values)
        ):
            raise ConversionError(f"{key} in preprocessor_config.json is {values}, not three numbers")
        found.append(tuple(float(each) for each in values))
    if min(found[1]) <= 0:
        raise ConversionError(f"image_std in preprocessor_config.json is {found[1]}: it is divided by")
    return found[0], found[1]
