"""Floating-point operations and bytes of reading, decoding and training, exact for the shapes of `ModelShape`.

A multiplication with an addition counts as two operations (Kaplan et al. 2020, table 1; attention as in Chowdhery et
al. 2022, PaLM, appendix B, but over the positions that a token really sees). Norms, rotations and softmax are left out.
"""

from dataclasses import dataclass

from pipelines.plan.shape import ModelShape


@dataclass(frozen=True)
class Work:
    """Operations of a forward pass. layers: of the layers' matrices; attention: of scores and their sums; head: of logits."""

    layers: float = 0.0
    attention: float = 0.0
    head: float = 0.0

    @property
    def flops(self) -> float:
        """All of them."""
        return self.layers + self.attention + self.head

    def times(self, count: float) -> "Work":
        """So many of it."""
        return Work(self.layers * count, self.attention * count, self.head * count)

    def __add__(self, other: "Work") -> "Work":
        return Work(self.layers + other.layers, self.attention + other.attention, self.head + other.head)


def forward(shape: ModelShape, tokens: float, *, behind: float = 0.0, logits: float = 0.0) -> Work:
    """Of `tokens` tokens that follow `behind` others, with logits at `logits` of them.

    The token at position p (from 1) attends to p positions: 4 * heads * head_size operations each, in every layer.
    """
    positions = tokens * behind + tokens * (tokens + 1) / 2
    return Work(
        layers=2.0 * shape.layer_weights * tokens,
        attention=4.0 * shape.layers * shape.heads * shape.head_size * positions,
        head=2.0 * shape.hidden * shape.vocabulary * logits,
    )


def trained_flops(
    work: Work, *, whole: bool, again: bool, adapter: float = 0.0, tokens: float = 0.0
) -> float:
    """Operations of a forward and a backward pass of what takes `work` forward.

    whole: every weight has a gradient; otherwise only an adapter of `adapter` parameters, and of the base's matrices
    only the gradient of their inputs is made. The gradient of attention takes twice its forward pass either way.
    again: layers are computed a second time going back (gradient checkpointing). tokens: that pass the adapter.
    """
    layers = work.layers * ((3 if whole else 2) + again)
    attention = work.attention * (3 + again)
    head = work.head * (3 if whole else 2)
    return layers + attention + head + 2.0 * adapter * tokens * (3 + again)


def longest_of(mean: float, count: float, most: float) -> float:
    """The expected longest of `count` turns, at most `most` tokens.

    A turn's length is taken as geometric, so that the longest of n has about mean * (1 + 1/2 + ... + 1/n) tokens.
    """
    rows = max(1, round(count))
    return min(most, mean * sum(1 / place for place in range(1, rows + 1)))


@dataclass(frozen=True)
class Decoding:
    """flops: of all sampled tokens. bytes: of weights and keys and values read. steps: passes of a whole batch."""

    flops: float
    bytes: float
    steps: float


def decoding(
    shape: ModelShape,
    *,
    turns: float,
    tokens: float,
    context: float,
    rows: float,
    most: float,
    weight_bytes: float,
    continuous: bool = False,
) -> Decoding:
    """Of `turns` turns of `tokens` tokens on average, each behind `context` tokens, `rows` of them together.

    most: tokens a turn may have. A batch decodes until its longest turn is over (`longest_of`); continuous: a turn
    that is over makes room at once. weight_bytes: what every step reads of the weights.
    """
    work = forward(shape, tokens, behind=context, logits=tokens)
    together = min(rows, max(1.0, turns))
    length = tokens if continuous else longest_of(tokens, together, most)
    steps = turns / together * length
    seen = tokens * context + tokens * (tokens + 1) / 2
    return Decoding(
        flops=work.times(turns).flops, bytes=steps * weight_bytes + turns * seen * shape.kv_bytes, steps=steps
    )
