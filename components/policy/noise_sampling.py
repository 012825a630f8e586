"""Sampling by noise of each token's own: the likeliest token after adding Gumbel noise to the log-probabilities.

The noise is a function of (seed, place, token id), equal on all devices. Numbers along the cumulated probabilities, as in
`sampling`, point to another token of the tail whenever rounding moves the sum; here rounding decides only where two
tokens are as good as equal. So a row gets the same tokens in any batch.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from components.policy.sampling import find_nucleus, logprobs_of

BITS = 64
# Odd constants of splitmix64 (Steele, Lea, Flood 2014).
STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
MASK = (1 << BITS) - 1


def choose_by_noise(
    logits: Tensor, seeds: Sequence[int], place: int, *, temperature: float, top_p: float
) -> tuple[Tensor, Tensor]:
    """Choose a token in each row.

    logits: (rows, vocabulary). seeds: of the rows. place: the token's number in its row; every place has noise of its own.
    temperature 0 is greedy; top_p: among the fewest likeliest tokens that together have that probability. Returns the
    ids and their log-probabilities in nats under softmax(logits), so at temperature 1 and over the whole vocabulary,
    (rows,) each.
    """
    logits = logits.float()
    if temperature == 0:
        ids = logits.argmax(-1)
    else:
        scores = logits / temperature
        if top_p < 1:
            scores = _in_nucleus(scores, top_p)
        ids = (scores - _waiting_times(seeds, place, logits.shape[-1], logits.device).log_()).argmax(-1)
    return ids, logprobs_of(logits, ids)


def _waiting_times(seeds: Sequence[int], place: int, vocabulary: int, device: torch.device) -> Tensor:
    """(rows, vocabulary) numbers with density exp(-t): of all tokens the first to come is drawn by its probability."""
    keys = [_signed(_mixed(seed * STEP + _mixed(place))) for seed in seeds]
    mixed = torch.tensor(keys, device=device)[:, None] ^ _token_keys(vocabulary, device)
    mixed *= _signed(FIRST)
    mixed ^= (mixed >> 32) & 0xFFFFFFFF
    mixed *= _signed(SECOND)
    # 53 bits, so that small numbers, which decide, are as fine as the large ones.
    share = ((mixed >> 11) & ((1 << 53) - 1)).float().mul_(2.0**-53)
    return share.neg_().log1p_().neg_().clamp_(min=1e-30)


@lru_cache(maxsize=4)
def _token_keys(vocabulary: int, device: torch.device) -> Tensor:
    return torch.tensor([_signed(_mixed(token * STEP)) for token in range(1, vocabulary + 1)], device=device)


def _in_nucleus(scores: Tensor, top_p: float) -> Tensor:
    """The scores, -inf outside the nucleus; tokens as likely as its last one belong to it."""
    probabilities = scores.softmax(-1)
    values, _, inside = find_nucleus(probabilities, top_p)
    least = values.masked_fill(~inside, 1.0).amin(-1, keepdim=True)
    return scores.masked_fill(probabilities < least, float("-inf"))


def _mixed(number: int) -> int:
    """splitmix64's finisher."""
    number &= MASK
    number = ((number ^ (number >> 30)) * FIRST) & MASK
    number = ((number ^ (number >> 27)) * SECOND) & MASK
    return number ^ (number >> 31)


def _signed(number: int) -> int:
    return number - (1 << BITS) if number >= 1 << (BITS - 1) else number
