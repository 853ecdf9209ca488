"""Random weights that can be checked: with those of an initialiser, outputs hardly depend on the input.

A detector would answer 0.00001 everywhere and a classifier 1/classes, whatever is wrong with the conversion. Here
activations keep their size through the layers, and outputs spread as those of a trained network do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

SEED = 0
GAIN = 0.1


def spread_detector(model: Any, pictures: torch.Tensor) -> None:
    """Make the weights of an Ultralytics detector answer to ``pictures`` (``[n, 3, h, w]``, 0 to 1).

    Its normalisations take on the statistics of these pictures, and the last layers are scaled until each class
    score is above 0.25 at one anchor in some hundred.
    """
    head = model.model[-1]
    statistics = [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]
    momenta = [each.momentum for each in statistics]
    for each in statistics:
        each.momentum = None
        # Small enough that the activations are nearly straight: a deep network of random curves blows up every
        # rounding error a thousandfold, which trained ones do not.
        nn.init.constant_(each.weight, GAIN)
    model.train()
    with torch.no_grad():
        for _ in range(2):
            model(pictures)
    for each, momentum in zip(statistics, momenta, strict=True):
        each.momentum = momentum
    model.eval()
    last = [branch[-1] for branch in [*head.cv2, *head.cv3]]
    captured: dict[int, torch.Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda _m, _i, output, key=index: captured.__setitem__(key, output))
        for index, layer in enumerate(last)
    ]
    with torch.no_grad():
        model(pictures)
        for hook in hooks:
            hook.remove()
        for index, layer in enumerate(last):
            is_score = index >= len(head.cv2)
            # One spread for all channels: one that hardly varies would have its rounding errors blown up.
            spread = captured[index].std(dim=(0, 2, 3)).mean().expand(layer.out_channels)
            mean = captured[index].mean(dim=(0, 2, 3)) - layer.bias
            # Logits of scores: −5 on average and 1.2 apart; of distances: 0 and 0.5.
            factor = (1.2 if is_score else 0.5) / spread
            layer.weight.mul_(factor.view(-1, 1, 1, 1))
            layer.bias.copy_((-5.0 if is_score else 0.0) - mean * factor)


def spread_classifier(layer: nn.Linear, inputs: torch.Tensor) -> None:
    """Scale the last layer of a classifier so that its logits of ``inputs`` ``[n, width]`` are 3 apart."""
    with torch.no_grad():
        spread = layer(inputs).std()
        layer.weight.mul_(3.0 / spread)
        layer.bias.mul_(3.0 / spread)
