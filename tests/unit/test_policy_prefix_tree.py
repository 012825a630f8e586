"""Sequences packed into prefix trees: the packing against brute force, the loss against separate rows."""

from collections import Counter
from itertools import chain, pairwise
from math import inf
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_mask, flex_attention
from transformers import MistralConfig, MistralForCausalLM
from transformers.integrations import flex_attention as flex_integration

from components.policy import logprobs, tree_attention
from components.policy.loss import supervised_cross_entropy, tree_cross_entropy
from components.policy.prefix_tree import PackedRow, collate_rows, pack_sequences, weights_of_row
from components.policy.shared_rows import MIN_SHARED, linear_cost, plan_rows, tree_cost
from components.policy.tree_attention import (
    ancestor_rule,
    dense_mask,
    supports_trees,
    tree_mask,
    use_tree_attention,
)
from tests.packed_sequences import VOCABULARY, gradient_of, small_model, weights_for

# Few different tokens, so that prefixes, equal sequences and sequences inside others all come up.
FORESTS = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=8), min_size=1, max_size=8)
CASES = {
    "siblings": [[5, 6, 7, 8, 10, 11], [5, 6, 7, 8, 12], [5, 6, 7, 8, 13, 14, 15]],
    "tree": [[5, 6, 7, 1, 2], [5, 6, 7, 1, 3], [5, 6, 9, 4, 4], [5, 6, 9, 4, 1, 1], [5, 2]],
    "equal": [[5, 6, 7, 8], [5, 6, 7, 8], [5, 6, 7, 8]],
    "prefix of another": [[5, 6, 7], [5, 6, 7, 8, 9], [5, 6]],
    "single": [[5, 6, 7, 8, 9]],
    "nothing shared": [[5, 6, 7], [8, 9], [10, 11, 12]],
    "one token": [[5], [5, 6]],
}


def linear_batch(sequences: list[list[int]], weights: list[list[float]]) -> tuple[Tensor, Tensor, Tensor]:
    shape = len(sequences), max(map(len, sequences))
    ids, mask, weight = (torch.zeros(shape, dtype=kind) for kind in (torch.long, torch.long, torch.float))
    for row, (one, own) in enumerate(zip(sequences, weights, strict=True)):
        ids[row, : len(one)], mask[row, : len(one)] = torch.tensor(one), 1
        weight[row, : len(one)] = torch.tensor(own)
    return ids, mask, weight


def tree_batch(
    groups: list[list[list[int]]], weights: list[list[list[float]]]
) -> tuple[list[PackedRow], dict[str, Tensor]]:
    rows = [pack_sequences(group) for group in groups]
    return rows, collate_rows(
        rows, [weights_of_row(row, own) for row, own in zip(rows, weights, strict=True)]
    )


@given(FORESTS)
def test_packing_against_brute_force(sequences: list[list[int]]) -> None:
    row = pack_sequences(sequences)
    prefixes = {tuple(one[:length]) for one in sequences for length in range(1, len(one) + 1)}
    assert len(row) == len(row.depths) == len(row.parents) == len(row.ends) == len(prefixes)
    paths: dict[int, tuple[int, ...]] = {}
    for one, places in zip(sequences, row.places, strict=True):
        assert [row.ids[place] for place in places] == one
        assert [row.depths[place] for place in places] == list(range(len(one)))
        for depth, place in enumerate(places):
            assert paths.setdefault(place, tuple(one[: depth + 1])) == tuple(one[: depth + 1])
            assert row.parents[place] == (places[depth - 1] if depth else place)
    assert sorted(paths) == list(range(len(row)))
    allowed = dense_mask(torch.tensor([row.ends.tolist()]))[0, 0]
    for query, path in paths.items():
        for key, other in paths.items():
            assert bool(allowed[query, key]) == (path[: len(other)] == other)


@given(FORESTS)
def test_a_shared_token_has_the_sum_of_its_weights(sequences: list[list[int]]) -> None:
    weights = [
        [float(10 * number + depth) for depth in range(len(one))] for number, one in enumerate(sequences)
    ]
    row = pack_sequences(sequences)
    expected: Counter[tuple[int, ...]] = Counter()
    for one, own in zip(sequences, weights, strict=True):
        for depth in range(1, len(one)):
            expected[tuple(one[: depth + 1])] += int(own[depth])
    found = weights_of_row(row, weights)
    for one, places in zip(sequences, row.places, strict=True):
        for depth, place in enumerate(places):
            assert found[place] == expected[tuple(one[: depth + 1])]


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_separate_rows(name: str) -> None:
    sequences = CASES[name]
    model = small_model()
    row, batch = tree_batch([sequences], [weights_for(sequences)])
    with torch.no_grad():
        packed = model(
            input_ids=batch["input_ids"],
            attention_mask=tree_mask(model, batch["ends"]),
            position_ids=batch["position_ids"],
        ).logits[0]
        for one, places in zip(sequences, row[0].places, strict=True):
            alone = model(input_ids=torch.tensor([one])).logits[0]
            torch.testing.assert_close(packed[places.tolist()], alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_are_those_of_separate_rows(
    name: str, adapter: bool, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprobs, "CHUNK", 3 * VOCABULARY)  # several chunks, some of them cut a family
    sequences = CASES[name]
    weights = weights_for(sequences)
    model = small_model(adapter=adapter, attention=attention)
    separate = supervised_cross_entropy(model, *linear_batch(sequences, weights))
    expected = gradient_of(model, separate)
    shared = tree_cross_entropy(model, tree_batch([sequences], [weights])[1])
    found = gradient_of(model, shared)
    assert shared.item() == pytest.approx(separate.item(), abs=1e-5)
    assert found.keys() == expected.keys()
    assert found
    for parameter, value in expected.items():
        torch.testing.assert_close(found[parameter], value, atol=1e-5, rtol=1e-5, msg=parameter)


def test_rows_of_different_length_are_padded() -> None:
    groups = [CASES["tree"], CASES["one token"], CASES["siblings"]]
    weights = [weights_for(group, seed) for seed, group in enumerate(groups)]
    model = small_model()
    flat, flat_weights = list(chain(*groups)), list(chain(*weights))
    expected = gradient_of(model, supervised_cross_entropy(model, *linear_batch(flat, flat_weights)))
    loss = tree_cross_entropy(model, tree_batch(groups, weights)[1])
    assert bool(torch.isfinite(loss))
    for parameter, value in gradient_of(model, loss).items():
        torch.testing.assert_close(value, expected[parameter], atol=1e-5, rtol=1e-5, msg=parameter)


def test_one_position_predicts_all_that_follow_it_and_makes_its_logits_once() -> None:
    sequences = [[5, 6, 7], [5, 6, 8], [5, 6, 9]]
    weights = [[0.0, 0.0, 1.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.5]]
    model = small_model()
    seen: list[int] = []
    model.lm_head.register_forward_hook(lambda _module, _input, output: seen.append(output.shape[-2]))
    loss = tree_cross_entropy(model, tree_batch([sequences], [weights])[1])
    assert seen == [1]
    logprobs = model(input_ids=torch.tensor([[5, 6]])).logits[0, 1].log_softmax(-1)
    expected = -(logprobs[7] + 2 * logprobs[8] + 0.5 * logprobs[9]) / 3.5
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)


def test_without_weight_the_loss_is_zero_and_has_a_gradient() -> None:
    sequences = CASES["siblings"]
    model = small_model()
    loss = tree_cross_entropy(model, tree_batch([sequences], [[[0.0] * len(one) for one in sequences]])[1])
    assert loss.item() == 0.0
    assert all(not bool(value.any()) for value in gradient_of(model, loss).values())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_bfloat16_is_close(attention: str) -> None:
    sequences = CASES["tree"]
    weights = weights_for(sequences)
    exact = tree_cross_entropy(small_model(), tree_batch([sequences], [weights])[1])
    model = small_model(adapter=True, attention=attention).to(torch.bfloat16)
    separate = supervised_cross_entropy(model, *linear_batch(sequences, weights))
    shared = tree_cross_entropy(model, tree_batch([sequences], [weights])[1])
    assert shared.dtype == exact.dtype == torch.float32
    assert shared.item() == pytest.approx(separate.item(), rel=0.02)
    assert all(bool(torch.isfinite(value).all()) for value in gradient_of(model, shared).values())


@given(FORESTS)
def test_the_block_mask_rule_is_the_dense_mask(sequences: list[list[int]]) -> None:
    groups = [sequences, [[1, 2]]]
    ends = tree_batch(groups, [weights_for(group) for group in groups])[1]["ends"]
    rows, tokens = ends.shape
    found = create_mask(ancestor_rule(ends), rows, 1, tokens, tokens, device="cpu")
    assert torch.equal(found, dense_mask(ends))


def test_long_rows_go_through_flex_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward, with the kernel not compiled, which is all that a CPU can run of it."""
    monkeypatch.setattr(flex_integration, "compile_friendly_flex_attention", uncompiled)
    sequences = CASES["tree"]
    batch = tree_batch([sequences], [weights_for(sequences)])[1]
    model = small_model()
    use_tree_attention(model)
    with torch.no_grad():
        dense = tree_cross_entropy(model, batch)
        monkeypatch.setattr(tree_attention, "DENSE_TOKENS", 4)
        assert isinstance(tree_mask(model, batch["ends"]), BlockMask)
        assert tree_cross_entropy(model, batch).item() == pytest.approx(dense.item(), abs=1e-5)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_our_attention_function_is_sdpa_for_all_other_masks(checkpointing: bool) -> None:
    sequences = CASES["tree"]
    weights = weights_for(sequences)
    linear, tree = linear_batch(sequences, weights), tree_batch([sequences], [weights])[1]
    model = small_model().train()
    losses = (lambda: supervised_cross_entropy(model, *linear)), (lambda: tree_cross_entropy(model, tree))
    expected = [gradient_of(model, loss()) for loss in losses]
    use_tree_attention(model)
    assert supports_trees(model)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    for loss, gradients in zip(losses, expected, strict=True):
        for parameter, value in gradient_of(model, loss()).items():
            assert torch.equal(value, gradients[parameter]), parameter


def uncompiled(query: Tensor, key: Tensor, value: Tensor, training: bool = False, **named: Any) -> Any:
    assert isinstance(named["block_mask"], BlockMask)
    return flex_attention(query, key, value, **named)


def test_models_that_go_by_the_order_of_the_row_are_not_given_trees() -> None:
    assert supports_trees(small_model())
    assert supports_trees(small_model(adapter=True))
    sizes = {"vocab_size": 9, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    assert not supports_trees(MistralForCausalLM(MistralConfig(**sizes, **heads, sliding_window=16)))
    assert supports_trees(MistralForCausalLM(MistralConfig(**sizes, **heads, sliding_window=None)))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 120), st.integers(1, 60)), min_size=1, max_size=12),
    st.integers(200, 900),
)
def test_planned_rows_hold_everything_once_and_save(parts: list[tuple[int, int, int]], limit: int) -> None:
    sequences = [
        [prompt] * length + [100 + number] * new for number, (prompt, length, new) in enumerate(parts)
    ]
    rows = plan_rows(sequences, hidden_size=64, max_tokens=limit)
    assert Counter(number for row in rows for number in row) == Counter(range(len(sequences)))
    for row in rows:
        if len(row) == 1:
            continue
        members = [sequences[number] for number in row]
        tokens = len(pack_sequences(members))
        assert tokens <= limit
        assert tokens <= sum(map(len, members)) - MIN_SHARED * (len(members) - 1)
        assert tree_cost(tokens, 64) < sum(linear_cost(len(one), 64) for one in members)


def test_rows_are_shared_only_where_it_saves() -> None:
    def plan(prompt: int, new: int, count: int = 8, limit: int = 10_000) -> list[int]:
        sequences = [[1] * prompt + [2 + number] * new for number in range(count)]
        return sorted(map(len, plan_rows(sequences, hidden_size=576, max_tokens=limit)))

    assert plan(400, 48) == [8]
    assert plan(400, 48, limit=600) == [4, 4]
    assert plan(MIN_SHARED - 1, 4) == [1] * 8
    assert plan(40, 1500, count=2) == [1, 1]
    # Two do not pay for a mask of this size, eight do: the plan looks at them together.
    assert plan(20_000, 2_000, count=2, limit=40_000) == [1, 1]
    assert plan(20_000, 2_000, limit=40_000) == [8]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(30, 120), st.integers(1, 90)), min_size=1, max_size=7),
    st.integers(100, 600),
)
def test_no_other_cut_of_the_order_costs_less(parts: list[tuple[int, int, int]], limit: int) -> None:
    sequences = [
        [prompt] * length + [100 + number] * new for number, (prompt, length, new) in enumerate(parts)
    ]
    order = sorted(range(len(sequences)), key=lambda number: sequences[number])

    def cost(row: tuple[int, ...]) -> float:
        members = [sequences[number] for number in row]
        if len(row) == 1:
            return linear_cost(len(members[0]), 8)
        near = all(
            len(one) + len(two) - len(pack_sequences([one, two])) >= MIN_SHARED
            for one, two in pairwise(members)
        )
        tokens = len(pack_sequences(members))
        return tree_cost(tokens, 8) if near and tokens <= limit else inf

    def cuts(order: list[int]) -> list[list[tuple[int, ...]]]:
        if not order:
            return [[]]
        return [
            [tuple(order[:size]), *rest] for size in range(1, len(order) + 1) for rest in cuts(order[size:])
        ]

    least = min(sum(map(cost, rows)) for rows in cuts(order))
    assert sum(map(cost, plan_rows(sequences, hidden_size=8, max_tokens=limit))) == pytest.approx(least)


@pytest.mark.parametrize("prompt", [50, 800, 8000])
def test_a_search_tree_is_one_row(prompt: int) -> None:
    """Two actions at each expanded node, three deep: 7 pairs, whose 14 sequences have one row of 14 steps."""
    nodes = [[0] * prompt]
    for number in range(7):
        nodes += [[*nodes[number], *[1 + 2 * number + side] * 24] for side in range(2)]
    sequences = nodes[1:]
    for hidden_size in (576, 4096):
        (row,) = plan_rows(sequences, hidden_size=hidden_size, max_tokens=16_384)
        assert sorted(row) == list(range(14))
    assert len(pack_sequences(sequences)) == prompt + 14 * 24
