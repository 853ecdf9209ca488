"""Networks for the tests of quantisation and of the benchmark, exported as the converters export them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from eyrie_convert.architectures.ultralytics_import import ultralytics
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import PictureInput
from eyrie_convert.pictures import as_tensor, prepare

torch = pytest.importorskip("torch")

from eyrie_convert.architectures.yolo_grid import Decode, YOLOGrid  # noqa: E402 (it needs torch)

MARKS_INPUT = PictureInput(512, 512, "letterbox", "bilinear", embedded=False, stride=8)
YOLO_INPUT = PictureInput(256, 256, "letterbox", "bilinear", embedded=False, stride=32)
TRANSFORMER_INPUT = PictureInput(224, 224, "stretch", "bilinear", embedded=True)
TRANSFORMER_OUTPUTS = {"vit": ["probabilities", "top_k_scores", "top_k_indices"], "clip": ["embedding"]}
COLOURS = np.array([[220, 30, 40], [30, 200, 50], [40, 40, 230]])


def scenes(count: int, width: int = 512, height: int = 384, seed: int = 0) -> list[np.ndarray]:
    """Return pictures of red, green and blue squares that move over a grey gradient, with noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    things = [
        (rng.uniform(0, 1, 2), rng.uniform(-0.5, 0.5, 2), rng.integers(20, 32), number % 3) for number in range(7)
    ]
    found = []
    for number in range(count):
        time = number / max(count - 1, 1)
        picture = np.repeat((60 + columns * 80 / width + rows * 40 / height + 30 * time)[..., None], 3, axis=2)
        for place, speed, size, colour in things:
            x, y = (place + speed * time) % 1 * (width, height)
            picture[np.maximum(abs(columns - x), abs(rows - y)) < size / 2] = COLOURS[colour]
        found.append(np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8))
    return found


class Marks(torch.nn.Module):
    """A detector of red, green and blue squares whose weights were thought out, so that it finds them."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 12, 3, 2, 1)
        self.second = torch.nn.Conv2d(12, 6, 3, 2, 1)
        self.third = torch.nn.Conv2d(6, 6, 3, 2, 1)
        self.boxes, self.scores = torch.nn.Conv2d(6, 64, 1), torch.nn.Conv2d(6, 3, 1)
        self.decode = Decode([8], bins=16)
        with torch.no_grad():
            for layer in (self.first, self.second, self.third, self.boxes, self.scores):
                layer.weight.mul_(0.02)
                layer.bias.zero_()
            for colour in range(3):
                # A colour is what exceeds both others; each layer halves the grid and smooths.
                for place, other in enumerate(each for each in range(3) if each != colour):
                    self.first.weight[2 * colour + place, colour] += 4 / 9
                    self.first.weight[2 * colour + place, other] -= 4 / 9
                    self.second.weight[colour, 2 * colour + place] += 1 / 9
                self.second.bias[colour] = -1.5
                self.third.weight[colour, colour] += torch.tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
                self.scores.weight[colour, colour] += 3.0
            self.scores.bias.fill_(-5.0)
            self.boxes.weight.mul_(0.1)
            bins = torch.arange(16.0)
            self.boxes.bias.copy_((-2 * (bins - 1.6) ** 2).repeat(4))

    def forward(self, x):
        """Run."""
        x = torch.nn.functional.silu(self.first(x))
        x = torch.nn.functional.silu(self.second(x))
        x = torch.nn.functional.silu(self.third(x))
        return self.decode([self.boxes(x)], [self.scores(x)])


def marks() -> torch.nn.Module:
    """Return the detector of coloured squares."""
    torch.manual_seed(0)
    return Marks().eval()


def tasks():
    """Return Ultralytics' networks, or skip."""
    try:
        return ultralytics()
    except ConversionError as error:
        pytest.skip(str(error))


def random_yolo() -> torch.nn.Module:
    """Return YOLOv8n with random weights that give detections, though such as eight bits do not keep.

    As initialised it answers with scores of 1e-5 whatever it sees. So the statistics of its batch normalisations
    are taken from pictures, and the class scores spread until some pass.
    """
    torch.manual_seed(0)
    network = tasks().DetectionModel("yolov8n.yaml", nc=80, verbose=False)
    pictures = [as_tensor(prepare(each, YOLO_INPUT), YOLO_INPUT) for each in scenes(6, seed=5)]
    batch = torch.from_numpy(np.concatenate(pictures))
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
            layer.reset_running_stats()
    head, seen = network.model[-1], []
    with torch.no_grad():
        network.train()(batch)
        network.eval()
        hooks = [each[-1].register_forward_hook(lambda _m, _i, output: seen.append(output)) for each in head.cv3]
        network(batch)
        for hook in hooks:
            hook.remove()
        for sequence, logits in zip(head.cv3, seen, strict=True):
            gain = 1.2 / logits.std((0, 2, 3))
            sequence[-1].weight *= gain.view(-1, 1, 1, 1)
            sequence[-1].bias.copy_((sequence[-1].bias - logits.mean((0, 2, 3))) * gain - 5)
        network.fuse(verbose=False)
    return YOLOGrid(network).eval()


def restored_yolo(path: Path) -> torch.nn.Module:
    """Return the module of a checkpoint with trained weights."""
    tasks()
    from ultralytics import YOLO

    network = YOLO(path).model.eval().float()
    network.fuse(verbose=False)
    return YOLOGrid(network).eval()


def random_transformer(kind: str, **overrides) -> torch.nn.Module:
    """Return a ViT (``vit``) or the vision tower of CLIP (``clip``) with random weights, small unless told."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 192}
    sizes = {**sizes, "patch_size": 32, **overrides}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "vit":
            network = transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=20, **sizes))
        else:
            config = transformers.CLIPVisionConfig(projection_dim=64, **sizes)
            network = transformers.CLIPVisionModelWithProjection(config)
    return Transformer(kind, network).eval()


class Transformer(torch.nn.Module):
    """Resizes and normalises by itself, and answers as the converters' modules do."""

    def __init__(self, kind, network):
        super().__init__()
        self.kind, self.network = kind, network

    def forward(self, x):
        """Run."""
        x = torch.nn.functional.interpolate(x, size=(224, 224), mode="bilinear", align_corners=False)
        x = (x / 255 - 0.5) / 0.5
        if self.kind == "vit":
            probabilities = self.network(pixel_values=x).logits.softmax(1)
            return probabilities, *probabilities.topk(5, dim=1)
        embedding = self.network(pixel_values=x).image_embeds
        return embedding / embedding.norm(dim=1, keepdim=True)


def to_openvino(module, size: int, names: list[str]) -> ov.Model:
    """Export with dynamic height and width."""
    picture = torch.rand(1, 3, size, size)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        model = ov.convert_model(module, example_input=picture, input=[1, 3, -1, -1])
    model.inputs[0].get_tensor().set_names({"images"})
    for output, name in zip(model.outputs, names, strict=True):
        output.get_tensor().set_names({name})
    return model


def to_onnx(module, size: int, names: list[str]):
    """Export to ONNX with dynamic height and width."""
    import onnx

    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.rand(1, 3, size, size),),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["images"],
            output_names=names,
            dynamic_axes={"images": {2: "height", 3: "width"}},
        )
    return onnx.load_model_from_string(file.getvalue())
