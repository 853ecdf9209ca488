"""CLIP's text tower: labels to embeddings, once, when a package is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eyrie_convert import zero_shot
from eyrie_convert.download import say
from eyrie_convert.errors import ConversionError
from eyrie_convert.network import Picture
from eyrie_convert.zero_shot import ZeroShot, shortened

# Texts that go through the tower at once: some hundred megabytes.
TEXTS = 256


def vision_tower(model: Any) -> Any:
    """Return the vision tower with projection of a whole ``CLIPModel``, with the same weights."""
    from transformers import CLIPVisionModelWithProjection

    config = model.config.vision_config
    config.projection_dim = model.config.projection_dim
    tower = CLIPVisionModelWithProjection(config)
    weights = model.state_dict()
    tower.load_state_dict({key: weights[key] for key in tower.state_dict()})
    return tower.eval()


def embed_labels(
    model: Any, tokenizer: Any, labels: Sequence[str], prompts: Sequence[str], mean: Any, std: Any
) -> ZeroShot:
    """Return the labels with the embeddings that the text tower and its projection give for them, in float32.

    Those of several prompts are averaged and brought to length 1 again, as CLIP's authors do. Raises ConversionError
    if a label is longer than the tower reads, or the tokenizer is not the tower's.
    """
    labels, prompts = zero_shot.check_labels(labels), zero_shot.check_prompts(prompts or [zero_shot.PROMPT])
    texts = [_Label(label, prompts, tokenizer, model.config.text_config) for label in labels]
    if len(texts) * len(prompts) > TEXTS:
        say(f"computing the embeddings of {len(texts)} labels with {len(prompts)} prompts each")
    found = []
    with torch.no_grad():
        for group in _groups(texts, len(prompts)):
            ids, mask = _padded(group, tokenizer)
            embeddings = model.text_projection(model.text_model(input_ids=ids, attention_mask=mask).pooler_output)
            each = nn.functional.normalize(embeddings, dim=-1).view(len(group), len(prompts), -1)
            found.append(nn.functional.normalize(each.mean(1), dim=-1))
    embeddings = torch.cat(found).numpy()
    if not np.isfinite(embeddings).all():
        raise ConversionError("the text tower answers with numbers that are not finite: its weights are damaged")
    return ZeroShot(
        labels=labels,
        prompts=prompts,
        embeddings=embeddings,
        logit_scale=float(model.logit_scale.detach().exp()),
        reference=_Reference(model, tokenizer, texts, len(prompts), mean, std),
    )


class _Label:
    """The tokens of a label in each of the prompts."""

    def __init__(self, label: str, prompts: Sequence[str], tokenizer: Any, config: Any):
        self.tokens = []
        for prompt in prompts:
            ids = tokenizer(prompt.replace("{}", label), truncation=False)["input_ids"]
            if len(ids) > config.max_position_embeddings:
                raise ConversionError(
                    f"the label '{shortened(label)}' is too long: {len(ids)} tokens in the prompt "
                    f"'{shortened(prompt)}', and the text tower reads {config.max_position_embeddings}"
                )
            self.tokens.append(ids)
            _check(ids, label, tokenizer.eos_token_id, config)


def _check(ids: list[int], label: str, end: int, config: Any) -> None:
    """Refuse what the tower would answer to, but not with the embedding of this text."""
    if max(ids) >= config.vocab_size or min(ids) < 0:
        raise ConversionError(
            f"the tokenizer does not belong to the model: it gives token {max(ids)}, and the text tower knows "
            f"{config.vocab_size}"
        )
    # The tower's answer is taken at the end of the text: by its number, of old models at the highest number.
    if config.eos_token_id not in (2, end) or (config.eos_token_id == 2 and max(ids) != end):
        raise ConversionError(
            f"the tokenizer does not belong to the model: it ends a text with token {end}, and config.json says "
            f"{config.eos_token_id}"
        )
    if ids.count(end) != 1 or ids[-1] != end:
        raise ConversionError(f"the label '{shortened(label)}' has something in it that the tokenizer does not know")


def _groups(texts: list[_Label], prompts: int) -> list[list[_Label]]:
    step = max(TEXTS // prompts, 1)
    return [texts[start : start + step] for start in range(0, len(texts), step)]


def _padded(group: list[_Label], tokenizer: Any) -> tuple[Tensor, Tensor]:
    """Return the tokens of a group ``[labels × prompts, longest]`` and which of them are text."""
    rows = [ids for label in group for ids in label.tokens]
    longest = max(map(len, rows))
    # Behind the end nothing is looked at.
    filling = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    ids = torch.tensor([row + [filling] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


class _Reference:
    """The untouched ``CLIPModel``, with pictures and texts together, as its users call it."""

    def __init__(self, model: Any, tokenizer: Any, texts: list[_Label], prompts: int, mean: Any, std: Any):
        self.model, self.tokenizer, self.texts, self.prompts = model, tokenizer, texts, prompts
        self.mean, self.std = np.array(mean), np.array(std)

    def __call__(self, pictures: Sequence[Picture]) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels' embeddings ``[L, D]`` and ``logits_per_image`` ``[pictures, L]``."""
        pixels = ((np.stack(pictures) / 255 - self.mean) / self.std).transpose(0, 3, 1, 2)
        pixels = torch.from_numpy(np.ascontiguousarray(pixels, np.float32))
        embeddings, logits = [], []
        for group in _groups(self.texts, self.prompts):
            ids, mask = _padded(group, self.tokenizer)
            with torch.no_grad():
                answer = self.model(input_ids=ids, attention_mask=mask, pixel_values=pixels)
            average = answer.text_embeds.view(len(group), self.prompts, -1).mean(1)
            length = average.norm(dim=-1)
            embeddings.append(average / length[:, None])
            # The cosine with an average is the average of the cosines, over its length.
            logits.append(answer.logits_per_image.view(len(pictures), len(group), self.prompts).mean(2) / length)
        return torch.cat(embeddings).numpy(), torch.cat(logits, 1).numpy()
