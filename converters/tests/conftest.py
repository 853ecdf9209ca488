"""Small Darknet networks with random weights, written to files as Darknet would."""

import json
import os
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from eyrie_convert.darknet.cfg import read_cfg
from eyrie_convert.darknet.layers import plan_network

# Every kind of section, and every option that changes the result: odd sizes through strided pooling, a pool
# with stride 1, grouped convolutions and routes, all activations, two heads with masks and scale_x_y.
EVERYTHING = """\
[net]
batch=1
width=64
height=96          # not square, so that swapped axes show
channels=3
learning_rate=0.001
[convolutional]    # 0: 8 x 96 x 64
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky
[maxpool]          # 1: 8 x 48 x 32
size=2
stride=2
[convolutional]    # 2: 12 x 48 x 32
batch_normalize=1
filters=12
size=3
pad=1
groups=2
activation=mish
[route]            # 3: 6 x 48 x 32, the second half of 2
layers=-1
groups=2
group_id=1
[convolutional]    # 4: 6 x 48 x 32
filters=6
size=1
activation=swish
[shortcut]         # 5
from=-2
activation=relu
[maxpool]          # 6: 6 x 48 x 32, padded behind only
size=2
stride=1
[maxpool]          # 7: padded all round, as in spatial pyramid pooling
size=5
stride=1
[route]            # 8: 12 x 48 x 32
layers=-1,-2
[conv]             # 9: 16 x 23 x 15, an odd size
filters=16
size=5
stride=2
padding=1
activation=logistic
[max]              # 10: 16 x 12 x 8
size=2
stride=2
[convolutional]    # 11
filters=24
size=1
activation=linear
[yolo]             # 12
mask=1,2
anchors=10,14, 23,27, 37,58
classes=7
num=3
scale_x_y=1.05
jitter=.3
[route]            # 13
layers=10
[upsample]         # 14: 16 x 24 x 16
stride=2
[convolutional]    # 15
filters=12
size=3
stride=1
pad=1
activation=linear
[yolo]             # 16
mask=0
anchors=10,14, 23,27, 37,58
classes=7
num=3
"""


def write_weights(path, plan, rng, version=(0, 2, 5)):
    """Write random weights for a plan, in the order Darknet stores them."""
    seen = struct.pack("<Q" if version[0] * 10 + version[1] >= 2 else "<I", 1234)
    arrays = []
    for layer in plan.layers:
        if layer.kind != "convolutional":
            continue
        filters, size = layer.section["filters"], layer.section["size"]
        channels = layer.input_shape[0] // layer.section["groups"]
        arrays.append(rng.normal(0, 1.5, filters))
        if layer.section["batch_normalize"]:
            arrays += [rng.uniform(0.5, 1.5, filters), rng.normal(0, 0.3, filters), rng.uniform(0.1, 2, filters)]
        arrays.append(rng.normal(0, 1.5 / np.sqrt(channels * size * size), filters * channels * size * size))
    numbers = np.concatenate(arrays).astype("<f4")
    path.write_bytes(struct.pack("<iii", *version) + seen + numbers.tobytes())


@pytest.fixture
def tiny(tmp_path):
    """Return the paths of a .cfg with everything in it and of weights that fit it."""
    cfg, weights = tmp_path / "tiny.cfg", tmp_path / "tiny.weights"
    cfg.write_text(EVERYTHING)
    write_weights(weights, plan_network(cfg, read_cfg(cfg)), np.random.default_rng(7))
    return cfg, weights


SHARED = Path(os.environ.get("EYRIE_SHARED") or Path(__file__).parents[3] / "shared")


@pytest.fixture
def shared():
    """Return the folder of real footage and models, or skip."""
    if not (SHARED / "models").is_dir():
        pytest.skip("needs the project's shared material, which is not here")
    return SHARED


class Conversions:
    """Small networks of each family and what they were converted to, each made once."""

    def __init__(self, directory):
        self.directory = directory
        self.networks = {}
        self.packages = {}

    def config(self, family):
        """Return the path of a small configuration, as a user would give it."""
        if family == "yolo":
            return "yolov8n.yaml"
        layers = {
            "hidden_size": 96,
            "intermediate_size": 192,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "image_size": 224,
            "patch_size": 32,
        }
        fields = {
            "clip": {"model_type": "clip_vision_model", "projection_dim": 512, **layers},
            "vit": {"model_type": "vit", "num_labels": 1000, **layers},
        }[family]
        path = self.directory / f"{family}.json"
        path.write_text(json.dumps(fields))
        return str(path)

    def converter(self, family, target, precision="float32"):
        """Return a converter whose network is loaded."""
        from eyrie_convert.converters import architecture, for_target
        from eyrie_convert.options import ConversionOptions, Precision, Target

        size = (320, 320) if family == "yolo" else None
        options = ConversionOptions(precision=Precision(precision), size=size)
        loader = architecture(family)
        if family not in self.networks:
            self.networks[family] = loader.load(self.config(family), options)
        converter = for_target(Target(target), loader, options)
        converter.network = self.networks[family]
        return converter

    def package(self, family, target, precision="float32"):
        """Return the directory of the package."""
        key = (family, target, precision)
        if key not in self.packages:
            converter = self.converter(*key)
            self.packages[key] = converter.convert_network(converter.network, self.directory / "models")
        return self.packages[key]


@pytest.fixture(scope="session")
def conversions(tmp_path_factory):
    """Return the small networks and their packages."""
    return Conversions(tmp_path_factory.mktemp("conversions"))


@pytest.fixture(scope="session")
def eyrie():
    """Return the built command, or skip."""
    root = Path(__file__).parents[2]
    places = [root / ".build" / "release", root / ".build-release-tests" / "release", root / ".build" / "debug"]
    built = [place / "eyrie" for place in places if (place / "eyrie").is_file()]
    if named := os.environ.get("EYRIE_BINARY"):
        built = [Path(named)]
    if not built:
        pytest.skip("needs the built command: make build")
    # The one that was built last: an older one may not know today's packages.
    newest = max(built, key=lambda path: path.stat().st_mtime)

    def run(*arguments):
        return subprocess.run([newest, *map(str, arguments)], capture_output=True, text=True, check=False)

    return run
