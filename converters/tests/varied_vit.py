"""A ViT whose answers differ from crop to crop, for comparing runtimes: a random body, and a last layer fitted to it.

With random weights alone the best class changes too (13 classes over 200 crops), but now and then by 0.0003, which
any difference of arithmetic turns round. Here the first directions in which the body's features of natural crops
differ are scaled to one spread, their clusters found, and each class is the nearness to a cluster:

    python -m tests.varied_vit DIR [--size Ti/16] [--crops FOLDER]     # in converters/
    eyrie-convert vit DIR --target openvino,onnx
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from eyrie_convert import pictures

# Width, layers, heads, patch.
SIZES = {"small": (96, 2, 3, 32), "Ti/16": (192, 12, 3, 16), "S/32": (384, 12, 6, 32), "B/16": (768, 12, 12, 16)}
SIDE, CLASSES, DIRECTIONS, CROPS = 224, 8, 4, 120
# Of the logits: a crop in the middle of its cluster has a probability near 0.9.
SHARPNESS = 2.0


def natural_crops(count: int, seed: int = 0) -> list[np.ndarray]:
    """Return parts of the bundled pictures, of random place, size and shape, as RGB bytes (not resized)."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        picture = pictures.bundled()[index % 3][1]
        least = min(picture.shape[:2])
        width = int(least * rng.uniform(0.15, 0.6))
        height = int(min(width * rng.uniform(0.7, 1.4), least))
        top, left = rng.integers(picture.shape[0] - height), rng.integers(picture.shape[1] - width)
        found.append(np.ascontiguousarray(picture[top : top + height, left : left + width]))
    return found


def write_vit(
    directory: Path,
    size: str = "small",
    crops: list[np.ndarray] | None = None,
    seed: int = 0,
    sharpness: float = SHARPNESS,
) -> Path:
    """Write ``config.json``, ``preprocessor_config.json`` and ``model.safetensors``, alike for the same arguments.

    ``crops`` are what the last layer is fitted to (natural ones if not given): a hundred or more, like those that the
    model will see.
    """
    import torch
    import transformers

    width, layers, heads, patch = SIZES[size]
    torch.manual_seed(seed)
    config = transformers.ViTConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=(2 if size == "small" else 4) * width,
        patch_size=patch,
        image_size=SIDE,
        num_labels=CLASSES,
        id2label={index: f"cluster {index}" for index in range(CLASSES)},
    )
    network = transformers.ViTForImageClassification(config).eval()
    features = _features(network, natural_crops(CROPS) if crops is None else crops)
    with torch.no_grad():
        weight, bias = _fitted(features, sharpness)
        network.classifier.weight.copy_(torch.from_numpy(weight))
        network.classifier.bias.copy_(torch.from_numpy(bias))
    directory.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(directory)
    how = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2, "size": {"height": SIDE, "width": SIDE}}
    (directory / "preprocessor_config.json").write_text(json.dumps(how))
    return directory


def _features(network, crops: list[np.ndarray]) -> np.ndarray:
    """Return what comes to the last layer, in float64 ``[crops, width]``."""
    import torch

    found = []
    for crop in crops:
        resized = np.asarray(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        pixels = ((resized / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None].astype(np.float32)
        with torch.no_grad():
            found.append(network.vit(pixel_values=torch.from_numpy(pixels)).last_hidden_state[0, 0].double().numpy())
    return np.stack(found)


def _fitted(features: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias of the last layer: logits are ``sharpness × (x·c − |c|² ÷ 2)`` for the clusters' centres.

    That is the squared distance to each centre but for what all have in common.
    """
    mean = features.mean(0)
    _, spread, directions = np.linalg.svd(features - mean, full_matrices=False)
    scaled = directions[:DIRECTIONS] * (np.sqrt(len(features)) / spread[:DIRECTIONS, None])
    centres = _centres((features - mean) @ scaled.T)
    weight = sharpness * centres @ scaled
    return weight, -weight @ mean - sharpness * np.square(centres).sum(1) / 2


def _centres(points: np.ndarray) -> np.ndarray:
    """Return the centres of ``CLASSES`` clusters: k-means, begun with points that lie far apart."""
    centres = points[:1]
    while len(centres) < CLASSES:
        distance = np.square(points[:, None] - centres).sum(2).min(1)
        centres = np.concatenate([centres, points[[distance.argmax()]]])
    for _ in range(30):
        nearest = np.square(points[:, None] - centres).sum(2).argmin(1)
        centres = np.stack([points[nearest == index].mean(0) for index in range(CLASSES)])
    return centres


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--crops", type=Path, help="a folder of pictures to fit to")
    arguments = parser.parse_args()
    files = [] if arguments.crops is None else sorted(each for each in arguments.crops.iterdir() if each.is_file())
    print(write_vit(arguments.directory, arguments.size, [pictures.read(each) for each in files] or None))


if __name__ == "__main__":
    main()
