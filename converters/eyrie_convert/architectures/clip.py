"""CLIP's vision tower: a picture to a vector of unit length (https://arxiv.org/abs/2103.00020)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eyrie_convert import package
from eyrie_convert.architectures import clip_text, transformers_hub
from eyrie_convert.architectures.picture_modules import Normalise
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import Answers, Architecture, Network, Picture, PictureInput
from eyrie_convert.options import ConversionOptions

# OpenAI's, of the pictures CLIP was trained on.
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
ALIASES = {
    "vit-b/32": "openai/clip-vit-base-patch32",
    "vit-b-32": "openai/clip-vit-base-patch32",
    "vit-b/16": "openai/clip-vit-base-patch16",
    "vit-b-16": "openai/clip-vit-base-patch16",
    "vit-l/14": "openai/clip-vit-large-patch14",
    "vit-l-14": "openai/clip-vit-large-patch14",
    "clip-vit-base-patch32": "openai/clip-vit-base-patch32",
}


class CLIPEmbedding(nn.Module):
    """Bytes as float32 ``[n, 3, side, side]`` to embeddings ``[n, dimension]`` of length 1."""

    def __init__(self, model: Any, mean: Any, std: Any):
        super().__init__()
        self.normalise = Normalise(mean, std)
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Embed."""
        embedding = self.model(pixel_values=self.normalise(images), return_dict=False)[0]
        return embedding / embedding.square().sum(-1, keepdim=True).sqrt()


class CLIP(Architecture):
    """CLIP models of Hugging Face's ``transformers``; the vision tower alone, unless there are labels."""

    family = "clip"

    def load(self, model: str, options: ConversionOptions) -> Network:
        """Load ``ViT-B/32`` and its like, a name on the hub, a directory, or a ``config.json``."""
        if options.labels is None:
            loaded = transformers_hub.load(model, "CLIPVisionModelWithProjection", "CLIPVisionConfig", ALIASES, "clip")
            tower = loaded.model
        else:
            loaded = transformers_hub.load(model, "CLIPModel", "CLIPConfig", ALIASES, "clip")
            tower = clip_text.vision_tower(loaded.model)
        side = tower.config.image_size
        if options.size not in (None, (side, side)):
            raise ConversionError(f"{model} takes {side}x{side} pixels: its position embeddings fix the size")
        mean, std = transformers_hub.normalisation(loaded.preprocessor, MEAN, STD)
        dimension = tower.config.projection_dim
        labels = None
        if options.labels is not None:
            tokenizer = transformers_hub.tokenizer(model, "CLIPTokenizer", ALIASES)
            labels = clip_text.embed_labels(loaded.model, tokenizer, options.labels, options.prompts, mean, std)
        return Network(
            name=loaded.name,
            package_name=package_name("clip", loaded.name),
            family=self.family,
            task="embed",
            make_module=lambda: CLIPEmbedding(tower, mean, std).eval(),
            reference=_Reference(tower, mean, std),
            reference_name=f"PyTorch, {loaded.source['name']}",
            input=PictureInput(
                side, side, "center_crop", "bicubic", embedded=True, dynamic_batch=True, mean=mean, std=std
            ),
            output_names=["embedding"],
            output={
                "kind": "embedding",
                "names": ["embedding"],
                "labels": None,
                "dimension": dimension,
                "normalized": True,
                "top_k": None,
                **({} if labels is None else {"zero_shot": labels.metadata()}),
            },
            source={**loaded.source, "framework": "pytorch", "version": None, "license": "unknown"},
            tools=("torch", "transformers"),
            original=tower,
            random_weights=loaded.random,
            zero_shot=labels,
        )


def package_name(family: str, name: str) -> str:
    """Return the package's name: ``clip-vit-b-32`` for ``clip-vit-base-patch32``."""
    name = package.slug(name)
    for long, short in (("-tiny", "-ti"), ("-small", "-s"), ("-base", "-b"), ("-large", "-l"), ("-huge", "-h")):
        name = name.replace(long, short)
    name = name.replace("patch", "")
    return name if name.startswith(family) else f"{family}-{name}"


class _Reference:
    """The original tower, with the normalisation of its own preprocessor."""

    def __init__(self, tower: Any, mean: Any, std: Any):
        self.tower, self.mean, self.std = tower, np.array(mean), np.array(std)

    def __call__(self, picture: Picture) -> Answers:
        pixels = ((picture / 255 - self.mean) / self.std).transpose(2, 0, 1)[None]
        with torch.no_grad():
            embedding = self.tower(pixel_values=torch.from_numpy(pixels.astype(np.float32))).image_embeds
        return {"embedding": nn.functional.normalize(embedding, dim=-1).numpy()}
