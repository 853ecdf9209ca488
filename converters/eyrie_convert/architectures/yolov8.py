"""YOLOv8 and its relatives: Ultralytics detectors with one decoupled head and distribution focal loss."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eyrie_convert import assets, package, pictures
from eyrie_convert.architectures import checkpoints
from eyrie_convert.architectures.random_weights import SEED, spread_detector
from eyrie_convert.architectures.ultralytics_import import ultralytics
from eyrie_convert.architectures.yolo_grid import YOLOGrid
from eyrie_convert.download import fetch_unpinned, say
from eyrie_convert.errors import ConversionError, first_line
from eyrie_convert.fetch import default_cache
from eyrie_convert.network import Answers, Architecture, Network, Picture, PictureInput
from eyrie_convert.options import ConversionOptions

LICENSE = "AGPL-3.0"
SIZE = 640
# The official checkpoints of one release, which is where the pinned yolov8n comes from too.
RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
LARGEST_CHECKPOINT = 400_000_000
OFFICIAL = re.compile(r"yolov8[nsmlx]")
LARGEST_SIDE = 8192
# As in torch.nn.LeakyReLU(0.1, inplace=True).
ACTIVATION = re.compile(r"(?:torch\.)?nn\.(\w+)\([-+\w.=, ]*\)")


class YOLOv8(Architecture):
    """Ultralytics detectors."""

    family = "yolo"

    def load(self, model: str, options: ConversionOptions) -> Network:
        """Load ``yolov8n`` … ``yolov8x``, a ``.pt`` checkpoint, or a ``.yaml`` of layers with random weights."""
        tasks = ultralytics()
        path = Path(model)
        if path.suffix in (".yaml", ".yml") or path.name == "config.json":
            detector, source, random = self._from_layers(tasks, model), {"name": path.stem, "sha256": None}, True
            version = None
        else:
            path = self._resolve(model)
            detector, version = self._from_checkpoint(tasks, path, trust=options.trust_checkpoint)
            source, random = {"name": path.name, "sha256": package.sha256(path)}, False
        head = self._check(detector, model)
        width, height = options.size or (SIZE, SIZE)
        stride = int(max(head.stride))
        _check_size(width, height, stride)
        if random:
            torch.manual_seed(SEED)
            spread_detector(detector, _batch(min(width, height, 320) // stride * stride, stride))
        labels = _labels(detector, head, options.labels, model)
        original = detector.eval().float()
        fused = copy.deepcopy(original).fuse(verbose=False).eval()
        digest = source["sha256"]
        return Network(
            name=path.stem,
            package_name=_package_name(path.stem),
            family=self.family,
            task="detect",
            make_module=lambda: YOLOGrid(fused).eval(),
            reference=_Reference(original),
            reference_name=f"PyTorch, {source['name']}",
            input=PictureInput(
                width, height, "letterbox", "bilinear", embedded=False, stride=stride, dynamic_batch=True
            ),
            output_names=["output0"],
            output=package.yolo_output("output0", labels),
            labels=labels,
            source={
                **source,
                "framework": "pytorch",
                "version": version,
                "license": LICENSE,
                "origin": assets.YOLOV8N.places[0].describe() if digest == assets.YOLOV8N.sha256 else None,
                "overrides": [],
            },
            tools=("torch", "ultralytics-opencv-headless", "ultralytics"),
            original=fused,
            random_weights=random,
            nms=package.nms_defaults(),
        )

    def _resolve(self, model: str) -> Path:
        """Return the checkpoint's file, fetched if ``model`` is the name of an official one."""
        path = Path(model)
        if path.exists() or (path.suffix == ".pt" and len(path.parts) > 1):
            return path
        name = model.removesuffix(".pt")
        if not OFFICIAL.fullmatch(name):
            raise ConversionError(
                f"there is no file {model}, and no checkpoint is known by that name: yolov8n, s, m, l, x are"
            )
        say(f"the weights of YOLOv8 are licensed under {LICENSE} (https://ultralytics.com/license)")
        cache = default_cache()
        if name == "yolov8n":
            return assets.YOLOV8N.obtain(cache)
        return fetch_unpinned(f"{RELEASE}/{name}.pt", cache / "downloads" / f"{name}.pt", LARGEST_CHECKPOINT)

    def _from_layers(self, tasks: Any, model: str) -> Any:
        torch.manual_seed(SEED)
        path = Path(model)
        try:
            layers = package.read_json(path) if path.name == "config.json" else tasks.yaml_model_load(model)
            _check_layers(tasks, layers)
            return tasks.DetectionModel(layers, verbose=False)
        except ConversionError:
            raise
        except Exception as error:
            raise ConversionError(f"cannot make a detector of {model}: {first_line(error)}") from error

    def _from_checkpoint(self, tasks: Any, path: Path, *, trust: bool) -> tuple[Any, str | None]:
        layers = checkpoints.layer_classes("ultralytics.nn.modules", "torch.nn.modules")
        models = [each for each in vars(tasks).values() if isinstance(each, type) and issubclass(each, tasks.BaseModel)]
        held = checkpoints.load(path, [*layers, *models], trust=trust)
        detector = held.get("ema") or held.get("model") if isinstance(held, dict) else None
        if not isinstance(detector, tasks.BaseModel):
            raise ConversionError(f"{path} is a checkpoint, but not one of an Ultralytics model")
        if type(detector) is not tasks.DetectionModel:
            raise ConversionError(
                f"{path} is no detector but a {type(detector).__name__}: only detectors are converted"
            )
        return detector, str(held.get("version") or "") or None

    def _check(self, detector: Any, model: str) -> Any:
        """Return the head, if it is one that the decoding is written for."""
        head = detector.model[-1]
        fits = type(head).__name__ == "Detect" and getattr(head, "reg_max", 1) > 1 and hasattr(head, "dfl")
        if not fits or getattr(head, "one2one_cv2", None) is not None:
            raise ConversionError(
                f"the head of {model} ({type(head).__name__}) is not YOLOv8's: end-to-end and other heads are not "
                "supported; export it with Ultralytics (yolo export format=openvino), which the runtime reads as well"
            )
        if len(head.stride) != len(head.cv2) or not all(stride > 0 for stride in head.stride):
            raise ConversionError(f"the head of {model} has no strides: it was never run")
        channels = int(next(detector.parameters()).shape[1])
        if channels != 3:
            raise ConversionError(f"{model} takes {channels} channels; only colour pictures (3) are supported")
        return head


class _Reference:
    """Ultralytics' own forward pass, unfused: ``[1, 4 + classes, N]``."""

    def __init__(self, detector: Any):
        self.detector = detector

    def __call__(self, picture: Picture) -> Answers:
        pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None])).float() / 255
        with torch.no_grad():
            answer = self.detector(pixels)
        return {"output0": (answer[0] if isinstance(answer, (list, tuple)) else answer).numpy()}


def _check_layers(tasks: Any, layers: Any) -> None:
    """Refuse a description of layers that names anything but layers: Ultralytics calls and evaluates what is in it."""
    sections = [layers.get(each) for each in ("backbone", "head")] if isinstance(layers, dict) else []
    rows = [row for section in sections if isinstance(section, list) for row in section]
    if not rows or not all(isinstance(row, list) and len(row) == 4 for row in rows):
        raise ValueError("it is no list of layers, with a backbone and a head")
    for _, _, name, _ in rows:
        layer = getattr(torch.nn, name[3:], None) if str(name).startswith("nn.") else vars(tasks).get(name)
        is_layer = isinstance(layer, type) and issubclass(layer, torch.nn.Module)
        if not is_layer or issubclass(layer, tasks.BaseModel):
            raise ValueError(f"{name} is no layer")
    activation = layers.get("activation")
    if activation:
        match = ACTIVATION.fullmatch(str(activation))
        if not match or not isinstance(getattr(torch.nn, match[1], None), type):
            raise ValueError(f"the activation {str(activation)[:60]} is none of torch.nn's")


def _check_size(width: int, height: int, stride: int) -> None:
    for what, value in (("width", width), ("height", height)):
        if not 0 < value <= LARGEST_SIDE or value % stride:
            raise ConversionError(
                f"a {what} of {value} pixels does not fit: it must be a multiple of the model's stride {stride}, "
                f"up to {LARGEST_SIDE}"
            )


def _labels(detector: Any, head: Any, wanted: list[str] | None, model: str) -> list[str]:
    if wanted is not None:
        if len(wanted) != head.nc:
            raise ConversionError(f"{model} has {head.nc} classes, but {len(wanted)} labels were given")
        return wanted
    names = getattr(detector, "names", None) or []
    if isinstance(names, (list, tuple)):
        names = dict(enumerate(names))
    # Keys are indices, in any order, and as strings where they came from JSON.
    by_index = {str(index): str(name) for index, name in names.items()} if isinstance(names, dict) else {}
    indices = [str(index) for index in range(head.nc)]
    # Without training there are none, or those of COCO whatever the number of classes is.
    if set(by_index) != set(indices) or [by_index[index] for index in indices] == indices:
        coco = assets.coco_labels()
        return coco if head.nc == len(coco) else [f"class_{index}" for index in indices]
    return package.clean_labels([by_index[index] for index in indices])


def _package_name(stem: str) -> str:
    match = re.fullmatch(r"yolo(v?\d+)([a-z]?)(.*)", stem)
    return f"yolo-{match[1]}{match[2]}{match[3].replace('_', '-')}" if match else f"yolo-{package.slug(stem)}"


def _batch(side: int, stride: int) -> torch.Tensor:
    spec = PictureInput(side, side, "letterbox", "bilinear", embedded=False, stride=stride)
    return torch.from_numpy(
        np.concatenate([pictures.as_tensor(pictures.prepare(each, spec), spec) for _, each in pictures.bundled()])
    )
