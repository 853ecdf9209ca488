"""Small networks with random weights, and the Core ML packages made of them, for the tests of Core ML."""

import atexit
import functools
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from eyrie_convert.architectures.ultralytics_import import ultralytics
from eyrie_convert.coreml.config import CoreMLConverterConfig
from eyrie_convert.coreml.convert import convert_program, save_package
from eyrie_convert.coreml.nms import RAW_OUTPUTS, add_nms
from eyrie_convert.coreml.yolo import CoreMLYOLO

_DIRECTORY = tempfile.TemporaryDirectory(prefix="eyrie-coreml-tests-")
atexit.register(_DIRECTORY.cleanup)
YOLO_SIZE = (160, 224)  # not square, so that swapped axes show
YOLO_CLASSES = 6
LABELS = [f"thing {index}" for index in range(YOLO_CLASSES)]
IMAGE_SIZE = 64
MEAN, STD = (0.48, 0.45, 0.40), (0.26, 0.27, 0.28)
VIT_OUTPUTS = ("probabilities", "top_k_scores", "top_k_indices")


def picture(height, width, seed=0):
    """Return a picture with shapes of all sizes and channels that differ, uint8 RGB."""
    rng = np.random.default_rng(seed)
    levels = [
        np.kron(rng.normal(size=(height // step + 1, width // step + 1, 3)), np.ones((step, step, 1)))[:height, :width]
        for step in (4, 8, 16, 32)
    ]
    pixels = 110 + 40 * sum(levels) + np.array([40, 0, -50])
    return pixels.clip(0, 255).astype(np.uint8)


def tensor(pixels):
    """Return a picture as a float tensor [1, 3, H, W], 0…255."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float()


@functools.cache
def detection_model():
    """Return YOLOv8n with random weights, set so that it detects (as made, no score passes 1e-4)."""
    DetectionModel = ultralytics().DetectionModel  # noqa: N806

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        model = DetectionModel("yolov8n.yaml", nc=YOLO_CLASSES, verbose=False)
    images = torch.cat([tensor(picture(*YOLO_SIZE, seed)) / 255 for seed in range(4)])
    head = model.model[-1]
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        model.train()
        model(images)
        model.eval()
        for box, score in zip(head.cv2, head.cv3, strict=True):
            box[-1].weight *= 0.8
            box[-1].bias += -0.5 * torch.arange(head.reg_max).repeat(4)
            score[-1].bias.zero_()
        # The logits of all levels together: a spread of 1, and one in a hundred above 0.
        logits = model(images)[1]["scores"]
        factor = 1 / logits.std()
        for score in head.cv3:
            score[-1].weight *= factor
            score[-1].bias += -(logits * factor).quantile(0.99)
    return model.requires_grad_(False)


@functools.cache
def yolo(ane_optimized=False):
    """Return the detector as it is converted."""
    return CoreMLYOLO(detection_model(), YOLO_SIZE, ane_optimized=ane_optimized).eval()


class ViT(torch.nn.Module):
    """A stand-in for the module that the ViT converter makes."""

    def __init__(self, model, top_k=5):
        super().__init__()
        self.model, self.top_k = model, top_k
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1))

    def forward(self, image):
        """Return probabilities, and the best with their indices."""
        probabilities = self.model((image / 255 - self.mean) / self.std).logits.softmax(-1)
        return probabilities, *probabilities.topk(self.top_k)


class CLIP(torch.nn.Module):
    """A stand-in for the module that the CLIP converter makes."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1))

    def forward(self, image):
        """Return an embedding of unit length."""
        embedding = self.model((image / 255 - self.mean) / self.std).image_embeds
        return embedding / embedding.norm(dim=-1, keepdim=True)


def randomize(model):
    """Give a network weights at random, of a spread that makes its answers differ."""
    # As they start, these networks answer nearly the same for every picture.
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.2 if parameter.ndim < 2 else 1.2 / parameter[0].numel() ** 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
            if "norm" in name and name.endswith("weight"):
                parameter += 1
    return model.eval().requires_grad_(False)


@functools.cache
def vit_model():
    """Return a small ViT of Hugging Face's with random weights."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128, image_size=IMAGE_SIZE,
        patch_size=16, num_labels=50,
    )  # fmt: skip
    return randomize(ViTForImageClassification(config))


@functools.cache
def clip_model():
    """Return a small CLIP vision tower of Hugging Face's with random weights."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128, image_size=IMAGE_SIZE,
        patch_size=32, projection_dim=32,
    )  # fmt: skip
    return randomize(CLIPVisionModelWithProjection(config))


def module(kind):
    """Return the module of a kind as it is converted without the Neural Engine in mind, its size and outputs."""
    if kind == "yolo":
        return yolo(), YOLO_SIZE, RAW_OUTPUTS, 1 / 255
    if kind == "vit":
        return ViT(vit_model()), (IMAGE_SIZE, IMAGE_SIZE), VIT_OUTPUTS, 1.0
    return CLIP(clip_model()), (IMAGE_SIZE, IMAGE_SIZE), ("embedding",), 1.0


@functools.cache
def model(kind, precision="float32", target="iOS15"):
    """Return a converted model."""
    network, size, outputs, scale = module(kind)
    config = CoreMLConverterConfig(precision=precision, minimum_deployment_target=target)
    return convert_program(network, size, config, outputs, scale=scale, float32_outputs=kind == "yolo")


@functools.cache
def package(kind, precision="float32", target="iOS15"):
    """Return the path of a package; of the kind "pipeline", the detector with suppression."""
    path = Path(_DIRECTORY.name, f"{kind}-{precision}-{target}.mlpackage")
    if kind == "pipeline":
        return save_package(add_nms(model("yolo", precision, target), LABELS), path)
    return save_package(model(kind, precision, target), path)
