"""Which sequences are worth packing into one row of a prefix tree, by what it costs to compute."""

from collections.abc import Sequence
from itertools import pairwise

from components.policy.prefix_tree import lexicographic_order, shared_length

MIN_SHARED = 32  # tokens; with fewer, the saving does not pay for the mask
MAX_SHARED_ROW = 16_384  # tokens: a dense mask of 256 MiB
# Attention's time for a row, over tokens squared, in the unit of `linear_cost`: sdpa forward and backward on a CPU,
# 9 heads of 64, rows of 1,100 to 4,300 tokens. Without a mask it skips the half that no token may see.
CAUSAL, MASKED = 1.0, 1.9


def plan_rows(
    sequences: Sequence[Sequence[int]], *, hidden_size: int, max_tokens: int
) -> list[tuple[int, ...]]:
    """Indices of the sequences of each row; each sequence is in exactly one.

    A row of one sequence is an ordinary (linear) row. Of all ways to cut the lexicographic order into rows within
    `max_tokens`, the one that costs least: the first two branches of a long prompt may not pay for the mask, and
    all of them together many times over. Sequences without `MIN_SHARED` tokens in common never share a row.
    hidden_size: of the model; it decides how much a token of context costs against a token.
    """
    order = lexicographic_order(sequences)
    lengths = [len(sequences[number]) for number in order]
    shared = [
        shared_length(sequences[first], sequences[second]) for first, second in pairwise(order)
    ]  # with the one before it; the first has none
    best, starts = [0.0], [0]  # of the first so many sequences: their cost, and where their last row begins
    for end in range(1, len(order) + 1):
        first, tokens = end - 1, lengths[end - 1]
        choices = [(best[first] + linear_cost(tokens, hidden_size), first)]
        while first and shared[first - 1] >= MIN_SHARED:
            tokens += lengths[first - 1] - shared[first - 1]
            first -= 1
            if tokens > max_tokens:
                break
            choices.append((best[first] + tree_cost(tokens, hidden_size), first))
        cost, start = min(choices)
        best.append(cost)
        starts.append(start)
    rows: list[tuple[int, ...]] = []
    end = len(order)
    while end:
        rows.append(tuple(order[starts[end] : end]))
        end = starts[end]
    return rows[::-1]


def linear_cost(tokens: int, hidden_size: int) -> float:
    """Of a causal row, in units of 4 * hidden_size * layers floating-point operations of a matrix product.

    A layer has about 12 * hidden_size^2 weights, used twice by each token: 6 * hidden_size units.
    """
    return tokens * (6 * hidden_size + CAUSAL * tokens)


def tree_cost(tokens: int, hidden_size: int) -> float:
    """Of a row with an ancestor mask: each token looks at the whole row."""
    return tokens * (6 * hidden_size + MASKED * tokens)
