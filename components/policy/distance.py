"""How far training moved a policy: the Frobenius norm of the change of its effective weights.

A LoRA layer adds scale * B A to its weight W, so its change is D = s B A - s' B' A', where ' is before.
With b = s B - s' B' and a = A - A',

    D = b A + s' B' a = [b, s' B'] [A; a]        |D|^2 = sum of ([b, s' B']^T [b, s' B']) * ([A; a] [A; a]^T)

elementwise: matrices of twice the rank instead of D, and exactly 0 when nothing changed.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Factors = tuple[Tensor, Tensor]  # scale * B (out, rank) and A (rank, in)


@dataclass(frozen=True)
class EffectiveWeights:
    """What can change in a policy, copied to the processor's memory.

    factors: of each LoRA layer. whole: the other trainable weights (all of them in full fine-tuning).
    """

    factors: Mapping[str, Factors]
    whole: Mapping[str, Tensor]


def effective_weights(model: nn.Module, adapter: str = "default") -> EffectiveWeights:
    """A copy of the weights as they are now; take it before training.

    adapter: the name under which peft knows the one that is trained.
    """
    factors = {name: (left.cpu(), right.cpu().clone()) for name, left, right in _layers(model, adapter)}
    whole = {name: weight.detach().cpu().clone() for name, weight in _whole(model)}
    return EffectiveWeights(factors, whole)


def moved(model: nn.Module, before: EffectiveWeights, adapter: str = "default") -> float:
    """The Frobenius norm over all weights of what changed since `before`; 0.0 exactly when nothing did."""
    squares = [
        low_rank_square((left, right), before.factors[name]) for name, left, right in _layers(model, adapter)
    ]
    squares += [
        float((weight.detach().double() - before.whole[name].to(weight.device).double()).square().sum())
        for name, weight in _whole(model)
    ]
    return math.sqrt(math.fsum(squares))


def low_rank_square(now: Factors, before: Factors) -> float:
    """|B A - B' A'|^2 (Frobenius) of two products of the same shapes, in float64, without making them."""
    (left, right), (old_left, old_right) = (
        (one.double(), other.double()) for one, other in (now, [part.to(now[0].device) for part in before])
    )
    tall = torch.cat([left - old_left, old_left], dim=1)
    wide = torch.cat([right, right - old_right], dim=0)
    return max(0.0, float(((tall.T @ tall) * (wide @ wide.T)).sum()))


def _layers(model: nn.Module, adapter: str) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(name, scale * B, A) of each layer that has this LoRA adapter."""
    for name, module in model.named_modules():
        layer: Any = module
        if adapter in getattr(layer, "lora_A", ()):
            left, right = layer.lora_B[adapter].weight, layer.lora_A[adapter].weight
        elif adapter in getattr(layer, "lora_embedding_A", ()):
            left, right = layer.lora_embedding_B[adapter], layer.lora_embedding_A[adapter]
        else:
            continue
        yield name, left.detach().flatten(1) * layer.scaling[adapter], right.detach().flatten(1)


def _whole(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Trainable weights that are no LoRA factors."""
    return (
        (name, weight)
        for name, weight in model.named_parameters()
        if weight.requires_grad and ".lora_" not in name
    )
