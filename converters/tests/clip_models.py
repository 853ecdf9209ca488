"""A small CLIP with a tokenizer of its own, as a user's directory would hold them."""

from __future__ import annotations

import json
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"
VISION = {
    "hidden_size": 96,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 224,
    "patch_size": 32,
}
TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 77,
}
# Some pairs of letters, so that a word is not always as many tokens as it has letters.
MERGES = ("t h", "th e</w>", "p h", "o t", "ph ot", "a r</w>", "o g</w>")


def bytes_to_letters() -> list[str]:
    """Return a printable letter for each byte, as byte-level tokenizers write them (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [each for each in range(256) if each not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    # In the order of the published vocabulary.
    return [letters[byte] for byte in [*printable, *others]]


def write_tokenizer(directory: Path) -> int:
    """Write ``vocab.json`` and ``merges.txt``, and return how many tokens there are."""
    letters = bytes_to_letters()
    tokens = [*letters, *(f"{each}</w>" for each in letters), *("".join(pair.split()) for pair in MERGES), START, END]
    (directory / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (directory / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    return len(tokens)


def write_config(directory: Path, tokens: int, **text: object) -> Path:
    """Write the ``config.json`` of a whole CLIP model, and return its path."""
    ends = {"vocab_size": tokens, "bos_token_id": tokens - 2, "eos_token_id": tokens - 1}
    fields = {
        "model_type": "clip",
        "projection_dim": 48,
        "logit_scale_init_value": 2.5,
        "vision_config": {"model_type": "clip_vision_model", **VISION},
        "text_config": {"model_type": "clip_text_model", **TEXT, **ends, **text},
    }
    path = directory / "config.json"
    path.write_text(json.dumps(fields))
    return path


def write_clip(directory: Path, *, weights: bool = False, **text: object) -> Path:
    """Write configuration and tokenizer, and if asked for also random weights; return ``config.json``."""
    directory.mkdir(parents=True, exist_ok=True)
    path = write_config(directory, write_tokenizer(directory), **text)
    if weights:
        import torch
        import transformers

        torch.manual_seed(1)
        transformers.CLIPModel(transformers.CLIPConfig.from_pretrained(directory)).save_pretrained(directory)
    return path
