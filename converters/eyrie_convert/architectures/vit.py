"""Vision transformers that name what a picture shows (https://arxiv.org/abs/2010.11929)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eyrie_convert import package, pictures
from eyrie_convert.architectures import transformers_hub
from eyrie_convert.architectures.clip import package_name
from eyrie_convert.architectures.picture_modules import Normalise
from eyrie_convert.architectures.random_weights import spread_classifier
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import Answers, Architecture, Network, Picture, PictureInput
from eyrie_convert.options import ConversionOptions

MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
ALIASES = {
    "vit-b/16": "google/vit-base-patch16-224",
    "vit-b-16": "google/vit-base-patch16-224",
    "vit-l/16": "google/vit-large-patch16-224",
    "vit-l-16": "google/vit-large-patch16-224",
    "vit-ti/16": "WinKawaks/vit-tiny-patch16-224",
    "vit-s/16": "WinKawaks/vit-small-patch16-224",
    "vit-base-patch16-224": "google/vit-base-patch16-224",
}
# Of PIL.Image.Resampling, as preprocessor_config.json has them.
RESAMPLING = {2: "bilinear", 3: "bicubic"}


class ViTClassifier(nn.Module):
    """Bytes as float32 ``[n, 3, side, side]`` to probabilities ``[n, classes]`` and the ``k`` best of them."""

    def __init__(self, model: Any, mean: Any, std: Any, k: int):
        super().__init__()
        self.normalise = Normalise(mean, std)
        self.model = model
        self.k = k

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Classify."""
        logits = self.model(pixel_values=self.normalise(images), return_dict=False)[0]
        probabilities = logits.softmax(-1)
        scores, indices = probabilities.topk(self.k, dim=-1)
        return probabilities, scores, indices


class ViT(Architecture):
    """Image classifiers of Hugging Face's ``transformers``."""

    family = "vit"

    def load(self, model: str, options: ConversionOptions) -> Network:
        """Load ``ViT-B/16`` and its like, a name on the hub, a directory, or a ``config.json``."""
        loaded = transformers_hub.load(model, "ViTForImageClassification", "ViTConfig", ALIASES, "vit")
        network, config = loaded.model, loaded.model.config
        side, classes = config.image_size, config.num_labels
        if options.size not in (None, (side, side)):
            raise ConversionError(f"{model} takes {side}x{side} pixels: its position embeddings fix the size")
        labels = options.labels or package.clean_labels([str(config.id2label.get(n, "")) for n in range(classes)])
        if len(labels) != classes:
            raise ConversionError(f"{model} has {classes} classes, but {len(labels)} labels were given")
        k = min(options.top_k, classes)
        mean, std = transformers_hub.normalisation(loaded.preprocessor, MEAN, STD)
        how = RESAMPLING.get(loaded.preprocessor.get("resample", 2), "bilinear")
        spec = PictureInput(side, side, "stretch", how, embedded=True, dynamic_batch=True, mean=mean, std=std)
        if loaded.random:
            _spread(network, spec)
        names = ["probabilities", "top_k_scores", "top_k_indices"]
        return Network(
            name=loaded.name,
            package_name=package_name("vit", loaded.name),
            family=self.family,
            task="classify",
            make_module=lambda: ViTClassifier(network, mean, std, k).eval(),
            reference=_Reference(network, mean, std, k),
            reference_name=f"PyTorch, {loaded.source['name']}",
            input=spec,
            output_names=names,
            output={
                "kind": "probabilities",
                "names": names,
                "labels": labels,
                "dimension": None,
                "normalized": None,
                "top_k": k,
            },
            labels=labels,
            source={**loaded.source, "framework": "pytorch", "version": None, "license": "unknown"},
            tools=("torch", "transformers"),
            original=network,
            random_weights=loaded.random,
        )


def _pixels(picture: Picture, mean: Any, std: Any) -> Tensor:
    return torch.from_numpy(((picture / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32))


def _spread(network: Any, spec: PictureInput) -> None:
    seen: list[Tensor] = []
    hook = network.classifier.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    with torch.no_grad():
        for _, picture in pictures.bundled():
            network(pixel_values=_pixels(pictures.prepare(picture, spec), np.array(spec.mean), np.array(spec.std)))
    hook.remove()
    spread_classifier(network.classifier, torch.cat(seen))


class _Reference:
    """The original network, with the normalisation of its own preprocessor."""

    def __init__(self, network: Any, mean: Any, std: Any, k: int):
        self.network, self.mean, self.std, self.k = network, np.array(mean), np.array(std), k

    def __call__(self, picture: Picture) -> Answers:
        with torch.no_grad():
            probabilities = self.network(pixel_values=_pixels(picture, self.mean, self.std)).logits.softmax(-1)
        order = torch.argsort(probabilities, dim=-1, descending=True, stable=True)[:, : self.k]
        return {
            "probabilities": probabilities.numpy(),
            "top_k_scores": probabilities.gather(1, order).numpy(),
            "top_k_indices": order.numpy(),
        }
