"""A YOLOv8 detector as Core ML's suppression model wants it: confidences and fractional boxes, size fixed."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from eyrie_convert.errors import ConversionError


class CoreMLYOLO(nn.Module):
    """An Ultralytics ``DetectionModel`` (the head of YOLOv8, not end to end), fused, for one image size.

    ``forward`` takes an image ``[1, 3, H, W]``, RGB, 0…1, and answers confidences ``[N, C]`` and coordinates
    ``[N, 4]``: centre x, centre y, width and height as fractions of the image. The model given is not changed.

    With ``ane_optimized`` the boxes are decoded by :class:`NeuralEngineBoxes`; the answers are the same.
    """

    def __init__(self, model: nn.Module, image_size: tuple[int, int], *, ane_optimized: bool = False) -> None:
        """``image_size`` is (height, width). Raises ConversionError for another head, or a size it cannot take."""
        super().__init__()
        layers = getattr(model, "model", None)
        head = layers[-1] if isinstance(layers, nn.Sequential) and len(layers) else model
        if type(head).__name__ != "Detect" or getattr(head, "end2end", False):
            raise ConversionError(
                f"Core ML: the detector ends in {type(head).__name__}, and only YOLOv8's Detect can be converted"
            )
        if ane_optimized and head.reg_max < 2:
            raise ConversionError("Core ML: the detector's boxes are no distributions, as YOLOv8's are")
        height, width = image_size
        stride = int(head.stride.max())
        if min(image_size) < stride or height % stride or width % stride:
            raise ConversionError(
                f"Core ML: {width}x{height} is no multiple of the detector's stride of {stride} pixels"
            )
        self.network = copy.deepcopy(model).eval().float().fuse(verbose=False)
        head = self.network.model[-1]
        head.export, head.format, head.dynamic = True, "coreml", False
        self.ane_optimized = ane_optimized
        if ane_optimized:
            self.network.model[-1] = _with_place_of(NeuralEngineHead(head, image_size), head)
        self.fractions = Fractions(image_size)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return confidences and coordinates."""
        if self.ane_optimized:
            return self.network(image)
        return self.fractions(self.network(image))


class Fractions(nn.Module):
    """Turns Ultralytics' answer ``[1, 4 + C, N]``, boxes in pixels, into confidences and coordinates."""

    def __init__(self, image_size: tuple[int, int]) -> None:
        """``image_size`` is (height, width)."""
        super().__init__()
        height, width = image_size
        size = torch.tensor([width, height, width, height], dtype=torch.float32)
        self.register_buffer("size", size, persistent=False)

    def forward(self, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Return confidences ``[N, C]`` and coordinates ``[N, 4]``."""
        rows = prediction[0].transpose(0, 1)
        return rows[:, 4:], rows[:, :4] / self.size


class NeuralEngineHead(nn.Module):
    """YOLOv8's head with nothing between its convolutions and its answers that the Neural Engine refuses.

    Each level is decoded where it lies, as ``[1, channels, h, w]``, so that no axis is as long as the number of
    anchors (33,600 at 1280 pixels, where the Neural Engine takes 16,384) until the answers are laid end to end.
    """

    def __init__(self, head: nn.Module, image_size: tuple[int, int]) -> None:
        """Take over the layers of an Ultralytics ``Detect``."""
        super().__init__()
        self.cv2, self.cv3 = head.cv2, head.cv3
        self.boxes = nn.ModuleList(NeuralEngineBoxes(head.reg_max, int(stride), image_size) for stride in head.stride)

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return confidences ``[N, C]`` and coordinates ``[N, 4]`` of feature maps."""
        scores, coordinates = [], []
        for feature, box, score, decode in zip(features, self.cv2, self.cv3, self.boxes, strict=True):
            scores.append(score(feature).sigmoid().flatten(2))
            coordinates.append(decode(box(feature)).flatten(2))
        return tuple(torch.cat(values, 2)[0].transpose(0, 1) for values in (scores, coordinates))


class NeuralEngineBoxes(nn.Module):
    """Decodes one level's boxes in channels: distances as a softmax and a 1×1 convolution, anchors as constants.

    The convolution's weights are the bins' distances as fractions of the image, so that nothing exceeds what
    float16 holds well, and no pixels need dividing at the end.
    """

    def __init__(self, bins: int, stride: int, image_size: tuple[int, int]) -> None:
        """``bins`` are those of a side's distribution (Ultralytics' ``reg_max``)."""
        super().__init__()
        height, width = image_size
        self.bins = bins
        across = torch.arange(bins, dtype=torch.float32) * stride / width
        down = torch.arange(bins, dtype=torch.float32) * stride / height
        self.register_buffer("across", across.reshape(1, bins, 1, 1), persistent=False)
        self.register_buffer("down", down.reshape(1, bins, 1, 1), persistent=False)
        columns = (torch.arange(width // stride) + 0.5) * stride / width
        rows = (torch.arange(height // stride) + 0.5) * stride / height
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        self.register_buffer("x", x[None, None], persistent=False)
        self.register_buffer("y", y[None, None], persistent=False)

    def forward(self, distributions: Tensor) -> Tensor:
        """Return ``[1, 4, h, w]`` (centre x, centre y, width, height) of ``[1, 4 * bins, h, w]``."""
        sides = [side.softmax(1) for side in distributions.split(self.bins, 1)]
        left, top, right, bottom = (
            nn.functional.conv2d(side, weight)
            for side, weight in zip(sides, (self.across, self.down, self.across, self.down), strict=True)
        )
        return torch.cat([self.x + (right - left) * 0.5, self.y + (bottom - top) * 0.5, left + right, top + bottom], 1)


def _with_place_of(module: nn.Module, layer: nn.Module) -> nn.Module:
    # Ultralytics' network asks each layer for its index, for where its inputs come from and for its type.
    module.i, module.f, module.type = layer.i, layer.f, layer.type
    return module
