"""Which sizes of vision transformers meet the target on this machine."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eyrie_convert.bench.measure import ROUNDS, SECONDS, VIT_MS, Result, benchmark_packages
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import PictureInput
from eyrie_convert.package import METADATA

SIDE, CLASSES = 224, 1000


@dataclass(frozen=True)
class VitSize:
    """A size from the papers; the feed-forward layers are four times as wide as the model."""

    name: str
    width: int
    layers: int
    heads: int
    patch: int


# Ti, S, B and L of "How to train your ViT?" (https://arxiv.org/abs/2106.10270); DeiT (https://arxiv.org/abs/2012.12877)
# has the first three with patches of 16.
VIT_SIZES = (
    VitSize("ViT-Ti/16 (DeiT-tiny)", 192, 12, 3, 16),
    VitSize("ViT-S/32", 384, 12, 6, 32),
    VitSize("ViT-S/16 (DeiT-small)", 384, 12, 6, 16),
    VitSize("ViT-B/32", 768, 12, 12, 32),
    VitSize("ViT-B/16 (DeiT-base)", 768, 12, 12, 16),
    VitSize("ViT-L/16", 1024, 24, 16, 16),
)


def measure_vit_sizes(
    sizes: Sequence[VitSize] = VIT_SIZES,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    int8: bool = True,
    progress: Callable[[str], None] = lambda _line: None,
) -> list[Result]:
    """Build each size with random weights, in float and (with NNCF) in eight bits, and measure them in turns.

    Weights do not change the speed. Raises ConversionError if torch or transformers is not installed.
    """
    import openvino as ov

    with tempfile.TemporaryDirectory(prefix="eyrie-vit-") as folder:
        directories = []
        for index, size in enumerate(sizes):
            progress(f"building {size.name}")
            model = _build(size)
            directories.append(_write(Path(folder) / f"{index}-float32", size.name, "float32", model, ov))
            if int8:
                directories.append(_write(Path(folder) / f"{index}-int8", size.name, "int8", _quantise(model), ov))
        return benchmark_packages(directories, seconds, rounds, progress)


def vit_table(results: Sequence[Result]) -> str:
    """Return a line for each size and arithmetic, fastest first, and whether the target is met."""
    rows = [(result.name, run) for result in results if result.benchmark for run in result.benchmark["runs"]]
    lines = []
    for name, run in sorted(rows, key=lambda row: row[1]["latency_ms"]):
        latency = run["latency_ms"]
        verdict = "met" if latency < VIT_MS else "NOT met"
        detail = f"(least {run['latency_ms_least']:.1f}, floor {run['floor_ms']:.1f})"
        lines.append(f"{name:24} {run['arithmetic']:5} {latency:8.1f} ms {detail:28} under {VIT_MS:g} ms: {verdict}")
    return "\n".join(lines)


def _build(size: VitSize) -> Any:
    try:
        import openvino as ov
        import torch
        import transformers
    except ImportError as error:
        raise ConversionError(
            f"cannot build {size.name}: {error.name} is not installed (pip install 'eyrie-convert[vit]')"
        ) from error

    class Classifier(torch.nn.Module):
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Any) -> Any:
            probabilities = self.network(pixel_values=images / 127.5 - 1, return_dict=False)[0].softmax(-1)
            return (probabilities, *probabilities.topk(5, dim=-1))

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        config = transformers.ViTConfig(
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=4 * size.width,
            patch_size=size.patch,
            image_size=SIDE,
            num_labels=CLASSES,
        )
        module = Classifier(transformers.ViTForImageClassification(config)).eval()
        example = torch.zeros(1, 3, SIDE, SIDE)
        model = ov.convert_model(module, example_input=example, input=[1, 3, SIDE, SIDE])
    model.inputs[0].get_tensor().set_names({"images"})
    return model


def _quantise(model: Any) -> Any:
    from eyrie_convert.quantize import quantize_openvino

    # How well the ranges fit does not change the speed either.
    noise = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    spec = PictureInput(SIDE, SIDE, "stretch", "bilinear", embedded=True, dynamic=False)
    return quantize_openvino(model, "classify", list(noise), spec)


def _write(directory: Path, name: str, precision: str, model: Any, ov: Any) -> Path:
    directory.mkdir()
    ov.save_model(model, directory / "model.xml", compress_to_fp16=False)
    spec = PictureInput(SIDE, SIDE, "stretch", "bilinear", embedded=True, dynamic=False)
    metadata = {
        "name": name,
        "task": "classify",
        "format": "openvino",
        "precision": precision,
        "input": spec.metadata("images"),
        "files": [{"path": "model.xml"}, {"path": "model.bin"}],
    }
    (directory / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    return directory
