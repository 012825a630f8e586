"""What a model says about a batch's responses: log-probabilities and hidden states, at response tokens only.

Each distinct prompt is read once. Its keys and values are then handed to all of its responses; gradients
flow back through them, so this is the gradient of reading every prompt anew for every response.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from components.policy.logprobs import token_logprobs
from components.ppo.batches import Batch


def response_logprobs(model: Any, batch: Batch) -> Tensor:
    """log pi(a_t | s_t) of the response's tokens in nats, (rows, tokens), float32; 0 where masked.

    model: a causal language model of transformers. No logits are made at prompt tokens or padding.
    """
    logits = model(
        **_response_inputs(batch, _read_prompts(model.base_model, batch)), logits_to_keep=batch.mask
    ).logits
    found = token_logprobs(logits.reshape(-1, logits.shape[-1]), batch.targets[batch.mask])
    return torch.zeros_like(batch.old).masked_scatter(batch.mask, found)


def response_states(model: Any, batch: Batch) -> Tensor:
    """The last hidden states from which the response's tokens are predicted, (rows, tokens, size)."""
    body = model.base_model
    states: Tensor = body(**_response_inputs(batch, _read_prompts(body, batch))).last_hidden_state
    return states


def _read_prompts(body: Any, batch: Batch) -> Cache:
    cache = DynamicCache(config=body.config.get_text_config())
    body(
        input_ids=batch.prompts,
        attention_mask=batch.prompt_mask,
        position_ids=batch.prompt_positions,
        past_key_values=cache,
        use_cache=True,
    )
    if len(batch.prompts) < len(batch.owner) or batch.owner.tolist() != list(range(len(batch.owner))):
        cache.batch_select_indices(batch.owner)
    return cache


def _response_inputs(batch: Batch, cache: Cache) -> dict[str, Any]:
    return {
        "input_ids": batch.inputs,
        "attention_mask": torch.cat([batch.prompt_mask[batch.owner], batch.mask.long()], dim=1),
        "position_ids": batch.positions,
        "past_key_values": cache,
        "use_cache": True,
    }
