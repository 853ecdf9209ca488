"""What is built into a package before the network: resizing and normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Normalise(nn.Module):
    """``(byte ÷ 255 − mean) ÷ std`` a channel, as one multiplication and one addition."""

    def __init__(self, mean: tuple[float, float, float], std: tuple[float, float, float]):
        super().__init__()
        deviation = torch.tensor(std, dtype=torch.float64).view(1, 3, 1, 1)
        self.register_buffer("factor", (1 / (255 * deviation)).float())
        self.register_buffer("shift", (-torch.tensor(mean, dtype=torch.float64).view(1, 3, 1, 1) / deviation).float())

    def forward(self, images: Tensor) -> Tensor:
        """Normalise bytes given as float32 ``[n, 3, height, width]``."""
        return images * self.factor + self.shift


class Resize(nn.Module):
    """Brings a picture of any size to ``side`` × ``side`` pixels as Pillow does (filtered; ``a`` = −0.5).

    With ``crop`` the largest square in the middle is taken, else the aspect ratio is given up. A picture that has
    the size already passes as it is.
    """

    def __init__(self, side: int, mode: str, crop: bool):
        super().__init__()
        self.side, self.mode, self.crop = side, mode, crop

    def forward(self, images: Tensor) -> Tensor:
        """Resize bytes given as float32 ``[n, 3, height, width]``."""
        if self.crop:
            rows, columns = torch.as_tensor(images.shape[2]), torch.as_tensor(images.shape[3])
            side = torch.minimum(rows, columns)
            top, left = (rows - side) // 2, (columns - side) // 2
            images = images[:, :, top : top + side, left : left + side]
        size = (self.side, self.side)
        return functional.interpolate(images, size=size, mode=self.mode, antialias=True, align_corners=False).clamp(
            0, 255
        )
