"""ViT and CLIP's vision tower, rewritten for the Neural Engine: the same weights, the same answers.

By the principles of Apple's "Deploying Transformers on the Apple Neural Engine" (machinelearning.apple.com/research/
neural-engine-transformers, 2022) and "Deploying Attention-Based Vision Transformers to Apple Neural Engine"
(machinelearning.apple.com/research/vision-transformers, 2024):

- data lies as ``[1, C, 1, S]`` throughout, channels first and the sequence on the last axis, which the Neural Engine
  stores contiguously; nothing is transposed between layers but the keys;
- every ``Linear`` is a 1×1 convolution;
- attention is computed one head at a time, as two ``einsum`` of the one form that Core ML has an operation for;
- norms run over the channel axis.

Two more changes serve limits that others have measured (see :mod:`eyrie_convert.coreml.ane`): the patches of 14 to
32 pixels are gathered by two strided convolutions with small kernels in place of one with a kernel that is too large,
and the class token is taken with a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from eyrie_convert.errors import ConversionError


class NeuralEngineTransformer(nn.Module):
    """What the two networks share: normalisation, patches, class token, layers; and then a head.

    ``forward`` takes an image ``[1, 3, H, W]``, RGB, 0…255, of the network's own size.
    """

    def __init__(
        self,
        patches: nn.Module,
        class_token: Tensor,
        positions: Tensor,
        first_norm: nn.Module,
        layers: Sequence[nn.Module],
        last_norm: nn.Module,
        head: nn.Module,
    ) -> None:
        super().__init__()
        self.patches = patches
        width = class_token.numel()
        # The class token's place in the sequence is constant, so its position is added here, once.
        columns = positions.detach().reshape(-1, width).transpose(0, 1)[None, :, None]
        self.register_buffer("first", class_token.detach().reshape(1, width, 1, 1) + columns[..., :1])
        self.register_buffer("positions", columns[..., 1:].clone())
        self.first_norm = first_norm
        self.layers = nn.Sequential(*layers)
        self.last_norm = last_norm
        self.head = head

    def forward(self, image: Tensor) -> tuple[Tensor, ...] | Tensor:
        """Return what the head makes of the class token."""
        x = torch.cat([self.first, self.patches(image) + self.positions], 3)
        x = self.layers(self.first_norm(x))
        return self.head(self.last_norm(x[..., :1]))


class Patches(nn.Module):
    """The convolution of patches to channels, with normalisation folded in, as two with small kernels.

    A kernel and stride of ``p = a * b`` is the same as one of ``a``, which only lays each ``a`` × ``a`` pixels
    into channels of their own (weights 0 and 1: exact in any precision), and one of ``b``.
    """

    def __init__(self, projection: nn.Conv2d, mean: Sequence[float], std: Sequence[float]) -> None:
        """``mean`` and ``std`` are of pixels 0…1. Raises ConversionError for patches that are not square."""
        super().__init__()
        size = projection.kernel_size[0]
        if projection.kernel_size != (size, size) or projection.stride != (size, size) or any(projection.padding):
            raise ConversionError(f"Core ML: the patches are {projection.kernel_size}, strided {projection.stride}")
        outer = min((n for n in range(1, size + 1) if size % n == 0), key=lambda n: max(n, size // n))
        inner = size // outer
        channels, width = projection.in_channels, projection.out_channels
        deviation = torch.tensor(std).reshape(1, channels, 1, 1)
        weight = projection.weight.detach() / deviation
        bias = -(weight * torch.tensor(mean).reshape(1, channels, 1, 1)).sum((1, 2, 3))
        if projection.bias is not None:
            bias = bias + projection.bias.detach()
        lay = torch.eye(channels * inner * inner).reshape(-1, channels, inner, inner)
        # [width, channels, (outer y, inner y), (outer x, inner x)] to [width, (channels, inner y, x), outer y, x].
        weight = weight.reshape(width, channels, outer, inner, outer, inner).permute(0, 1, 3, 5, 2, 4)
        self.lay = _convolution(lay, None, inner)
        self.project = _convolution(weight.reshape(width, channels * inner * inner, outer, outer), bias, outer)

    def forward(self, image: Tensor) -> Tensor:
        """Return ``[1, C, 1, number of patches]``."""
        # Scaled apart from the weights, which divided by 255 would fall below the least that float16 holds well.
        return self.project(self.lay(image * (1 / 255))).flatten(2).unsqueeze(2)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channel axis, of which Core ML Tools makes ``layer_norm`` and ``batch_norm``."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        """Take over the weights of a norm over the last axis."""
        super().__init__()
        self.epsilon = norm.eps
        self.register_buffer("weight", norm.weight.detach().clone().reshape(1, -1, 1, 1))
        self.register_buffer("bias", norm.bias.detach().clone().reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``, normalised over axis 1."""
        centred = x - x.mean(1, keepdim=True)
        variance = centred.square().mean(1, keepdim=True)
        return centred * torch.rsqrt(variance + self.epsilon) * self.weight + self.bias


class Layer(nn.Module):
    """One layer of an encoder that normalises first."""

    def __init__(
        self,
        first: nn.Module,
        attention: nn.Module,
        second: nn.Module,
        widen: nn.Linear,
        act: nn.Module,
        narrow: nn.Linear,
    ) -> None:
        super().__init__()
        self.first, self.attention, self.second = first, attention, second
        self.widen, self.act, self.narrow = _of_linear(widen), act, _of_linear(narrow)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[1, C, 1, S]`` of the same."""
        x = x + self.attention(self.first(x))
        return x + self.narrow(self.act(self.widen(self.second(x))))


class HeadwiseAttention(nn.Module):
    """Self-attention, one head at a time."""

    def __init__(self, query: nn.Linear, key: nn.Linear, value: nn.Linear, out: nn.Linear, heads: int) -> None:
        super().__init__()
        self.width = query.out_features // heads
        self.query = _of_linear(query, self.width**-0.5)  # scales the products with the keys
        self.key, self.value, self.out = _of_linear(key), _of_linear(value), _of_linear(out)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[1, C, 1, S]`` of the same."""
        queries = self.query(x).split(self.width, 1)
        keys = self.key(x).transpose(1, 3).split(self.width, 3)
        values = self.value(x).split(self.width, 1)
        answers = []
        for query, key, value in zip(queries, keys, values, strict=True):
            weights = torch.einsum("bchq,bkhc->bkhq", query, key).softmax(1)
            answers.append(torch.einsum("bkhq,bchk->bchq", weights, value))
        return self.out(torch.cat(answers, 1))


class QuickGELU(nn.Module):
    """CLIP's activation."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x · sigmoid(1.702 x)."""
        return x * torch.sigmoid(1.702 * x)


class ClassHead(nn.Module):
    """Probabilities, and the best of them."""

    def __init__(self, classifier: nn.Linear, top_k: int) -> None:
        super().__init__()
        self.classifier, self.top_k = _of_linear(classifier), top_k

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return probabilities ``[1, K]``, the scores of the best ``[1, k]`` and their indices ``[1, k]``."""
        probabilities = self.classifier(x).softmax(1).flatten(1)
        scores, indices = probabilities.topk(self.top_k, 1)
        return probabilities, scores, indices


class EmbeddingHead(nn.Module):
    """A projection of unit length."""

    def __init__(self, projection: nn.Linear) -> None:
        super().__init__()
        self.projection = _of_linear(projection)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[1, D]``."""
        x = self.projection(x).flatten(1)
        return x / x.norm(dim=1, keepdim=True)


def vit_for_neural_engine(
    model: nn.Module, mean: Sequence[float], std: Sequence[float], top_k: int = 5
) -> NeuralEngineTransformer:
    """Rewrite a ``ViTForImageClassification``: image 0…255 to probabilities, top-k scores and indices.

    ``mean`` and ``std`` are of pixels 0…1, as in the preprocessor's configuration. The model given is not changed.
    Raises ConversionError for an activation that is not known.
    """
    vit, config = model.vit, model.config
    if not isinstance(model.classifier, nn.Linear) or not 1 <= top_k <= model.classifier.out_features:
        raise ConversionError(f"Core ML: the ViT has no {top_k} classes to choose from")
    layers = [
        Layer(
            ChannelNorm(layer.layernorm_before),
            HeadwiseAttention(
                layer.attention.q_proj,
                layer.attention.k_proj,
                layer.attention.v_proj,
                layer.attention.o_proj,
                config.num_attention_heads,
            ),
            ChannelNorm(layer.layernorm_after),
            layer.mlp.fc1,
            _activation(config.hidden_act),
            layer.mlp.fc2,
        )
        for layer in vit.layers
    ]
    return NeuralEngineTransformer(
        Patches(vit.embeddings.patch_embeddings.projection, mean, std),
        vit.embeddings.cls_token,
        vit.embeddings.position_embeddings,
        nn.Identity(),
        layers,
        ChannelNorm(vit.layernorm),
        ClassHead(model.classifier, top_k),
    ).eval()


def clip_for_neural_engine(model: nn.Module, mean: Sequence[float], std: Sequence[float]) -> NeuralEngineTransformer:
    """Rewrite a ``CLIPVisionModelWithProjection``: image 0…255 to an embedding of unit length.

    As :func:`vit_for_neural_engine` otherwise.
    """
    vision, config = model.vision_model, model.config
    layers = [
        Layer(
            ChannelNorm(layer.layer_norm1),
            HeadwiseAttention(
                layer.self_attn.q_proj,
                layer.self_attn.k_proj,
                layer.self_attn.v_proj,
                layer.self_attn.out_proj,
                config.num_attention_heads,
            ),
            ChannelNorm(layer.layer_norm2),
            layer.mlp.fc1,
            _activation(config.hidden_act),
            layer.mlp.fc2,
        )
        for layer in vision.encoder.layers
    ]
    return NeuralEngineTransformer(
        Patches(vision.embeddings.patch_embedding, mean, std),
        vision.embeddings.class_embedding,
        vision.embeddings.position_embedding.weight,
        ChannelNorm(vision.pre_layrnorm),
        layers,
        ChannelNorm(vision.post_layernorm),
        EmbeddingHead(model.visual_projection),
    ).eval()


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "quick_gelu": QuickGELU,
    "gelu_new": lambda: nn.GELU(approximate="tanh"),
    "gelu_pytorch_tanh": lambda: nn.GELU(approximate="tanh"),
    "relu": nn.ReLU,
    "silu": nn.SiLU,
}


def _activation(name: object) -> nn.Module:
    if name not in _ACTIVATIONS:
        raise ConversionError(f"Core ML: the activation {name!r} is not known: {', '.join(_ACTIVATIONS)} are")
    return _ACTIVATIONS[name]()


def _of_linear(linear: nn.Linear, factor: float = 1.0) -> nn.Conv2d:
    weight = linear.weight.detach()[:, :, None, None] * factor
    return _convolution(weight, None if linear.bias is None else linear.bias.detach() * factor, 1)


def _convolution(weight: Tensor, bias: Tensor | None, stride: int) -> nn.Conv2d:
    width, channels, *kernel = weight.shape
    convolution = nn.Conv2d(channels, width, kernel, stride, bias=bias is not None).requires_grad_(False)
    convolution.weight.copy_(weight)
    if bias is not None:
        convolution.bias.copy_(bias)
    return convolution
