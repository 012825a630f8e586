"""How the pairs of an optimizer step go through the model: both sides in one forward pass, in shared rows where
that pays.

A pair's loss needs both of its sides, so a pair is never divided; pairs of one prompt are planned together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from components.dpo.pairs import Side, TokenPair
from components.policy.prefix_tree import lexicographic_order, shared_length
from components.policy.shared_rows import MAX_SHARED_ROW, plan_rows
from components.policy.step_trainer import Batch, MicroBatch
from components.policy.training_schedule import find_families

Rows = list[tuple[int, ...]]


@dataclass(frozen=True)
class _Unit:
    """Pairs that go together; rows number their sides: the chosen one of pair n is 2 n, the rejected one 2 n + 1."""

    pairs: tuple[TokenPair, ...]
    rows: Rows
    width: int  # tokens of the longest row

    @property
    def branches(self) -> bool:
        return len(self.rows) < 2 * len(self.pairs)


def plan_micro_batches(
    pairs: Sequence[TokenPair], size: int, *, hidden_size: int | None = None
) -> list[MicroBatch[TokenPair]]:
    """The step's micro-batches, none of more tokens (padding included) than 2 * `size` of its longest side.

    A pair that shares less is two rows, and a micro-batch of these alone has ordinary causal rows.
    hidden_size: of the model, to know what sharing saves; None never shares.
    """
    limit = 2 * size * max(len(side.ids) for side in sides_of(pairs))
    units = [
        unit for family in _families(pairs, hidden_size) for unit in _plan_family(family, limit, hidden_size)
    ]
    groups: list[list[_Unit]] = []
    # Longest first, so that a batch that does not fit into memory shows at once.
    for unit in sorted(units, key=lambda one: (not one.branches, -one.width)):
        together = [*groups[-1], unit] if groups else []
        if (
            together
            and unit.branches == together[0].branches
            and sum(len(one.rows) for one in together) * together[0].width <= limit
        ):
            groups[-1] = together
        else:
            groups.append([unit])
    return [_micro_batch(group) for group in groups]


def sides_of(pairs: Sequence[TokenPair]) -> list[Side]:
    """Chosen and rejected of each pair in turn, as rows number them."""
    return [side for pair in pairs for side in (pair.chosen, pair.rejected)]


def prompt_of(pair: TokenPair) -> Sequence[int]:
    """The ids that both sides begin with and that are never trained."""
    return pair.chosen.ids[: pair.prompt]


def _families(pairs: Sequence[TokenPair], hidden_size: int | None) -> list[tuple[TokenPair, ...]]:
    if hidden_size is None:
        return [(pair,) for pair in pairs]
    found: dict[int, list[TokenPair]] = {}
    for pair, family in zip(pairs, find_families([prompt_of(pair) for pair in pairs]), strict=True):
        found.setdefault(family, []).append(pair)
    return [tuple(members) for members in found.values()]


def _plan_family(pairs: tuple[TokenPair, ...], limit: int, hidden_size: int | None) -> list[_Unit]:
    """The family as one unit, or halved until each fits the limit."""
    sequences = [side.ids for side in sides_of(pairs)]
    rows: Rows = [(number,) for number in range(len(sequences))]
    if hidden_size is not None:
        rows = plan_rows(sequences, hidden_size=hidden_size, max_tokens=min(limit, MAX_SHARED_ROW))
    width = max(_packed_length([sequences[number] for number in row]) for row in rows)
    if len(pairs) > 1 and len(rows) * width > limit:
        middle = len(pairs) // 2
        return [
            unit
            for half in (pairs[:middle], pairs[middle:])
            for unit in _plan_family(half, limit, hidden_size)
        ]
    return [_Unit(pairs, rows, width)]


def _packed_length(sequences: Sequence[Sequence[int]]) -> int:
    """Tokens of the row that packs these: each shared one once."""
    total, before = 0, sequences[0][:0]
    for number in lexicographic_order(sequences):
        total += len(sequences[number]) - shared_length(before, sequences[number])
        before = sequences[number]
    return total


def _micro_batch(units: Sequence[_Unit]) -> MicroBatch[TokenPair]:
    pairs: tuple[TokenPair, ...] = ()
    rows: Rows = []
    for unit in units:
        rows += [tuple(number + 2 * len(pairs) for number in row) for row in unit.rows]
        pairs += unit.pairs
    return MicroBatch(pairs, partial(_collate, pairs, rows))


def _collate(pairs: tuple[TokenPair, ...], rows: Rows) -> Batch:
    """`pairs`, and the `rows` of their sides for `sequence_logprobs`."""
    return {"pairs": pairs, "rows": rows}
