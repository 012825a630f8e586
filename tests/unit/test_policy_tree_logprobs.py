"""Sequences' log-probabilities from packed rows against full logits, sequence by sequence."""

from array import array
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention.flex_attention import create_mask

from components.policy import logprobs
from components.policy.logprobs import token_logprobs
from components.policy.prefix_tree import collate_rows, pack_sequences
from components.policy.tree_attention import ancestor_rule, dense_mask, use_tree_attention
from components.policy.tree_logprobs import sequence_logprobs
from tests.packed_sequences import VOCABULARY, gradient_of, small_model, weights_for

Sequences = list[list[int]]
Weights = list[list[float]]
Rows = list[tuple[int, ...]]
PAIR = [[5, 6, 7, 8, 10, 11], [5, 6, 7, 8, 12, 13, 14]]
# Two branches at each expanded node, three deep: the prompt 5 6 7, steps of two tokens.
TREE = [
    [5, 6, 7, 1, 1],
    [5, 6, 7, 1, 2],
    [5, 6, 7, 1, 1, 3, 3],
    [5, 6, 7, 1, 1, 4, 3],
    [5, 6, 7, 1, 2, 3, 3],
    [5, 6, 7, 1, 2, 3, 4],
    [5, 6, 7, 1, 2, 3, 4, 9, 9],
    [5, 6, 7, 1, 2, 3, 4, 8, 8],
]
CASES: dict[str, tuple[Sequences, Rows]] = {
    "pair": (PAIR, [(0, 1)]),
    "pair the other way round": (PAIR, [(1, 0)]),
    "separate rows": (PAIR, [(0,), (1,)]),
    "tree": (TREE, [tuple(range(len(TREE)))]),
    "tree in two rows": (TREE, [(7, 0, 3, 5), (6, 1, 2, 4)]),
    "packed and linear": ([*PAIR, [3, 4, 5], [9] * 11], [(2,), (1, 0), (3,)]),
    "equal": ([[5, 6, 7]] * 3, [(0, 1), (2,)]),
    "prefixes of one another": ([[5, 6, 7], [5, 6, 7, 8, 9], [5, 6]], [(0, 1, 2)]),
    "nothing shared": ([[5, 6, 7], [8, 9], [10, 11, 12]], [(0, 1, 2)]),
    "one token": ([[5], [5, 6], [7]], [(0, 1), (2,)]),
}


MODEL = small_model()
PRECISE = small_model().double()  # whose rounding is no excuse for a gradient that is all but cancelled


def dense_reference(model: Any, sequences: Sequences, weights: Weights) -> Tensor:
    """All logits of each sequence, one sequence at a time."""
    totals = []
    for one, own in zip(sequences, weights, strict=True):
        found = model(input_ids=torch.tensor([one])).logits[0].log_softmax(-1)
        chosen = found[:-1].gather(-1, torch.tensor(one)[1:, None])[:, 0]
        totals.append((chosen * torch.tensor(own, dtype=chosen.dtype)[1:]).sum())
    return torch.stack(totals)


def preference_gradient(model: Any, found: Tensor) -> dict[str, Tensor]:
    """Of a loss which is not linear in the log-probabilities, as preference losses are not."""
    signs = torch.tensor([1.0, -1.0]).repeat(len(found))[: len(found)]
    return gradient_of(model, torch.nn.functional.softplus(0.1 * signs * found).sum())


def assert_same(
    model: Any, sequences: Sequences, weights: Weights, rows: Rows, *, least: float = 0.02
) -> None:
    """least: of the model's largest gradient; what a tensor's own largest counts as where it is smaller."""
    expected = dense_reference(model, sequences, weights)
    found = sequence_logprobs(model, sequences, weights, rows)
    assert found.dtype == expected.dtype == next(model.parameters()).dtype
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    wanted, gradients = preference_gradient(model, expected), preference_gradient(model, found)
    # A tensor whose gradient is 0 but for rounding (queries that see one key only) has no scale of its own.
    floor = least * max(float(value.abs().max()) for value in wanted.values())
    for name, value in wanted.items():
        difference = (gradients.get(name, torch.zeros(())) - value).abs().max()
        assert difference <= 1e-5 * max(float(value.abs().max()), floor), name


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_are_those_of_full_logits(
    name: str, adapter: bool, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprobs, "CHUNK", 3 * VOCABULARY)  # several chunks, some of them cut a family
    sequences, rows = CASES[name]
    assert_same(small_model(adapter=adapter, attention=attention), sequences, weights_for(sequences), rows)


@st.composite
def forests(draw: st.DrawFn) -> tuple[Sequences, Weights, Rows]:
    """Few different tokens, so that prefixes and equal sequences come up; weights anywhere; any rows."""
    sequences = draw(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=8), min_size=1, max_size=7))
    weights = [
        draw(st.lists(st.sampled_from([0.0, 0.0, 1.0, 1.0, 0.3]), min_size=len(one), max_size=len(one)))
        for one in sequences
    ]
    order = draw(st.permutations(range(len(sequences))))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1)))) if len(order) > 1 else []
    rows = [tuple(order[i:j]) for i, j in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return sequences, weights, rows


@settings(max_examples=60, deadline=None)
@given(forests())
def test_any_forest_in_any_rows(forest: tuple[Sequences, Weights, Rows]) -> None:
    assert_same(PRECISE, *forest, least=1e-3)


@pytest.mark.parametrize("adapter", [False, True])
def test_gradient_checkpointing_changes_nothing(adapter: bool) -> None:
    sequences, rows = CASES["packed and linear"]
    weights = weights_for(sequences)
    model = small_model(adapter=adapter).train()
    plain = preference_gradient(model, sequence_logprobs(model, sequences, weights, rows))
    model.gradient_checkpointing_enable({"use_reentrant": False})
    again = preference_gradient(model, sequence_logprobs(model, sequences, weights, rows))
    assert plain.keys() == again.keys()
    assert all(torch.equal(again[name], value) for name, value in plain.items())


def test_masked_tokens_carry_exactly_no_gradient() -> None:
    """A tool's reply in the middle: nothing is predicted there, so no logits are made for it."""
    replies = [50, 51, 52], [60, 61, 62]
    sequences = [[5, 6, 7, *replies[0], 10, 11], [5, 6, 7, *replies[1], 12, 13]]
    weights = [[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0]] * 2
    model, seen = small_model(), []
    model.lm_head.register_forward_hook(lambda _module, _input, output: seen.append(output))
    found = sequence_logprobs(model, sequences, weights, [(0, 1)])
    assert seen[0].shape == (5, VOCABULARY)  # the shared token's, and two of each sequence
    (slope,) = torch.autograd.grad(found[0] - found[1], seen[0], retain_graph=True)
    # It counts in both, and so not at all in their difference.
    assert slope.any(-1).tolist() == [False, True, True, True, True]
    (slope,) = torch.autograd.grad(found.sum(), seen[0])
    # A reply's token is nowhere wanted: its logits only get what every token that was not chosen gets.
    assert bool((slope[..., [*replies[0], *replies[1]]] < 0).all())


def test_a_masked_last_reply_changes_nothing() -> None:
    """No later token of weight: its embedding gets no gradient at all."""
    model = small_model()
    sequences, weights = [[5, 6, 7, 50], [5, 6, 8, 60]], [[0.0, 0.0, 1.0, 0.0]] * 2
    found = sequence_logprobs(model, sequences, weights, [(0, 1)])
    (slope,) = torch.autograd.grad(found.sum(), model.model.embed_tokens.weight)
    assert bool(slope[[5, 6]].any(-1).all())
    assert not bool(slope[[7, 8, 50, 60]].any())


def test_without_weight_values_and_gradient_are_zero() -> None:
    model = small_model()
    for rows in ([(0, 1)], [(0,), (1,)]):
        found = sequence_logprobs(model, PAIR, [[0.0] * len(one) for one in PAIR], rows)
        assert found.tolist() == [0.0, 0.0]
        torch.autograd.backward(found.sum())
        assert all(not bool(one.grad.any()) for one in model.parameters() if one.grad is not None)


def test_rows_that_do_not_branch_are_plain_causal_rows() -> None:
    model, masks = small_model(), []
    attention = model.model.layers[0].self_attn
    attention.register_forward_pre_hook(
        lambda _module, _arguments, named: masks.append(named["attention_mask"]), with_kwargs=True
    )
    weights = weights_for(PAIR)
    sequence_logprobs(model, PAIR, weights, [(0,), (1,)])
    sequence_logprobs(model, PAIR, weights, [(0, 1)])
    assert masks[0] is None
    assert masks[1] is not None
    assert masks[1].shape == (1, 1, 9, 9)


def test_arrays_and_bfloat16() -> None:
    weights = weights_for(TREE)
    rows = [tuple(range(len(TREE)))]
    expected = sequence_logprobs(MODEL, TREE, weights, rows)
    found = sequence_logprobs(
        small_model().to(torch.bfloat16),
        [array("i", one) for one in TREE],
        [array("f", one) for one in weights],
        rows,
    )
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.5, rtol=0.05)


@settings(max_examples=30, deadline=None)
@given(forests())
def test_the_block_mask_rule_is_the_dense_mask(forest: tuple[Sequences, Weights, Rows]) -> None:
    sequences, _, rows = forest
    packed = [pack_sequences([sequences[number] for number in row]) for row in rows]
    ends = collate_rows(packed, [[0.0] * len(row) for row in packed])["ends"]
    count, tokens = ends.shape
    found = create_mask(ancestor_rule(ends), count, 1, tokens, tokens, device="cpu")
    assert torch.equal(found, dense_mask(ends))


def test_the_attention_function_of_a_gpu_gives_the_same() -> None:
    sequences, rows = CASES["packed and linear"]
    model = small_model()
    use_tree_attention(model)
    assert_same(model, sequences, weights_for(sequences), rows)


@pytest.mark.parametrize("chunk", [1, 2 * 13, 10**6])
def test_several_targets_of_one_position(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logprobs, "CHUNK", chunk)
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 13, generator=generator, dtype=torch.float32).requires_grad_()
    positions = torch.tensor([0, 2, 2, 2, 3])
    labels = torch.tensor([12, 1, 1, 7, 0])
    slope = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0])
    found = token_logprobs(logits, labels, positions)
    expected = logits.log_softmax(-1)[positions, labels]
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found, logits, slope)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits, slope)[0])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
    ],
)
def test_only_float64_is_kept_beyond_float32(given: torch.dtype, kept: torch.dtype) -> None:
    logits = (torch.arange(12, dtype=torch.float64).view(3, 4) / 7).to(given).requires_grad_()
    labels = torch.tensor([0, 3, 1])
    found = token_logprobs(logits, labels)
    assert found.dtype == kept
    expected = logits.detach().to(kept).log_softmax(-1)[range(3), labels]
    torch.testing.assert_close(
        found.detach(), expected, rtol=1e-6 if kept == torch.float32 else 1e-14, atol=0
    )
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert gradient.dtype == given


def test_nothing_gives_nothing() -> None:
    assert sequence_logprobs(MODEL, [], [], []).tolist() == []


@pytest.mark.parametrize(
    ("sequences", "weights", "rows", "message"),
    [
        (PAIR, [[1.0] * 6, [1.0] * 7], [(0,)], "exactly one row"),
        (PAIR, [[1.0] * 6, [1.0] * 7], [(0, 1), (1,)], "exactly one row"),
        (PAIR, [[1.0] * 6, [1.0] * 7], [(0, 1), ()], "exactly one row"),
        (PAIR, [[1.0] * 6, [1.0] * 6], [(0, 1)], "each of its tokens"),
        ([[], [1]], [[], [1.0]], [(0, 1)], "needs a token"),
    ],
)
def test_mistakes_are_refused(sequences: Sequences, weights: Weights, rows: Rows, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sequence_logprobs(MODEL, sequences, weights, rows)
