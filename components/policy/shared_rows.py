"""Which sequences are worth packing into one row of a prefix tree, by what it costs to compute."""

from collections.abc import Sequence

from components.policy.prefix_tree import lexicographic_order, shared_length

MIN_SHARED = 32  # tokens; with fewer, the saving does not pay for the mask
MASKED = 1.5  # what attention under a mask costs against the same without; measured with sdpa on a CPU


def plan_rows(
    sequences: Sequence[Sequence[int]], *, hidden_size: int, max_tokens: int
) -> list[tuple[int, ...]]:
    """Indices of the sequences of each row; each sequence is in exactly one.

    A row of one sequence is an ordinary (linear) row. Sequences join a row in lexicographic order, as long as it
    stays within `max_tokens` and they cost less there than by themselves.
    hidden_size: of the model; it decides how much a token of context costs against a token.
    """
    rows: list[tuple[int, ...]] = []
    members: tuple[int, ...] = ()
    before: Sequence[int] = ()
    tokens = 0
    for number in lexicographic_order(sequences):
        sequence = sequences[number]
        shared = shared_length(before, sequence)
        grown = tokens + len(sequence) - shared
        together = tree_cost(grown, hidden_size)
        apart = linear_cost(len(sequence), hidden_size) + (
            tree_cost(tokens, hidden_size) if len(members) > 1 else linear_cost(tokens, hidden_size)
        )
        if members and shared >= MIN_SHARED and grown <= max_tokens and together < apart:
            members, tokens = (*members, number), grown
        else:
            rows += [members] if members else []
            members, tokens = (number,), len(sequence)
        before = sequence
    return [*rows, members] if members else rows


def linear_cost(tokens: int, hidden_size: int) -> float:
    """Of a causal row, in units of 4 * hidden_size * layers floating-point operations.

    A layer has about 12 * hidden_size^2 weights, used twice by each token: 6 * hidden_size units. Attention
    costs a unit for every token that is looked at: half the row on the mean.
    """
    return tokens * (6 * hidden_size + tokens / 2)


def tree_cost(tokens: int, hidden_size: int) -> float:
    """Of a row with an ancestor mask: each token looks at the whole row."""
    return tokens * (6 * hidden_size + MASKED * tokens)
