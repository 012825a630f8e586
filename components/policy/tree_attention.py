"""The ancestor mask of packed prefix trees, in the form that a model's attention takes.

On a CPU, and on a GPU for rows of up to `DENSE_TOKENS`, it is a dense 4-D mask, which transformers hands to the
attention as it is. Longer rows on a GPU get FlexAttention's block mask, which skips blocks that no token may see.
**The FlexAttention path was written without a GPU at hand: its mask is tested against the dense one on a CPU, its
compiled kernel has never been run.**
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from components.policy.architecture import attends_to_all

DENSE_TOKENS = 4096  # a boolean mask of 16 MiB
ATTENTION = "tree"  # our name among transformers' attention functions
DENSE_ATTENTION = ("sdpa", "eager")


def supports_trees(model: Any) -> bool:
    """Whether each layer attends to all that came before, by position ids and by the mask it is given.

    Not so for sliding windows and recurrent layers, which go by the order of the row, or ALiBi.
    """
    base = _unwrapped(model)
    config = base.config.get_text_config()
    rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_theta", None)
    return bool(
        attends_to_all(base)
        and rotary
        and not base._is_stateful
        and base.config._attn_implementation in (*DENSE_ATTENTION, "flex_attention", ATTENTION)
    )


def prepare_for_trees(model: Any) -> None:
    """Let a model on a GPU take block masks too; its other rows are computed as before (sdpa).

    Once for the whole training, since gradient checkpointing computes a layer again during the backward pass.
    """
    base = _unwrapped(model)
    takes_flex = base._supports_flex_attn and base.config._attn_implementation == "sdpa"
    if base.device.type == "cuda" and takes_flex:
        use_tree_attention(base)


def use_tree_attention(model: Any) -> None:
    """Have transformers call `tree_attention_forward` in this model."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(ATTENTION, tree_attention_forward)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    model.set_attn_implementation(ATTENTION)


def tree_mask(model: Any, ends: Tensor) -> Any:
    """Of (rows, tokens) `ends` (see `PackedRow`): a mask (rows, 1, tokens, tokens) for `attention_mask`."""
    base = _unwrapped(model)
    implementation = base.config._attn_implementation
    blocks = implementation == ATTENTION and ends.shape[1] > DENSE_TOKENS
    if blocks or implementation == "flex_attention":
        return block_mask(ends)
    allowed = dense_mask(ends)
    if implementation != "eager":
        return allowed
    # eager attention adds its mask to the scores
    dtype = base.dtype
    return torch.zeros(allowed.shape, dtype=dtype, device=ends.device).masked_fill_(
        ~allowed, torch.finfo(dtype).min
    )


def dense_mask(ends: Tensor) -> Tensor:
    """(rows, 1, tokens, tokens) booleans: [r, 0, q, k] says whether q attends to k, its ancestor or itself."""
    place = torch.arange(ends.shape[1], device=ends.device)
    key_before, query_inside = place[None, :] <= place[:, None], place[:, None] < ends[:, None, :]
    return (key_before & query_inside)[:, None]


def ancestor_rule(ends: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """FlexAttention's `mask_mod` of the same mask."""

    def attends(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (query < ends[row, key])

    return attends


def block_mask(ends: Tensor) -> Any:
    """FlexAttention's block mask (never run on a GPU, see above)."""
    from torch.nn.attention.flex_attention import create_block_mask

    rows, tokens = ends.shape
    return create_block_mask(ancestor_rule(ends), rows, None, tokens, tokens, device=str(ends.device))


def tree_attention_forward(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **named: Any
) -> tuple[Tensor, Tensor | None]:
    """transformers' attention function: FlexAttention where the mask is a block mask, else sdpa."""
    from transformers.integrations.flex_attention import flex_attention_forward
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    dense = attention_mask is None or isinstance(attention_mask, Tensor)
    forward: Any = sdpa_attention_forward if dense else flex_attention_forward
    output: tuple[Tensor, Tensor | None] = forward(module, query, key, value, attention_mask, **named)
    return output


def _unwrapped(model: Any) -> Any:
    """The transformers model inside data-parallel and peft wrappers."""
    while hasattr(model, "module"):
        model = model.module
    return model.get_base_model() if hasattr(model, "get_base_model") else model
