"""The prefilled action never depends on what a question is about."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from components.rollout.prefill import choose_prefill, sample_seed

tool_names = st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True)


@given(tools=tool_names, rounds=st.integers(1, 4))
def test_samples_go_evenly_through_none_and_every_tool(tools: list[str], rounds: int) -> None:
    samples = range(rounds * (1 + len(tools)))
    chosen = Counter(choose_prefill("action", tools, sample=i, seed=i * 7) for i in samples)
    assert chosen == dict.fromkeys([None, *tools], rounds)
    assert choose_prefill("action", tools, sample=0, seed=3) is None


@given(tools=tool_names, sample=st.integers(0, 99))
def test_no_prefill_without_asking_or_without_tools(tools: list[str], sample: int) -> None:
    assert choose_prefill("none", tools, sample=sample, seed=5) is None
    assert choose_prefill("action", [], sample=sample, seed=5) is None


def test_drawn_prefills_are_spread_and_the_same_for_all_kinds() -> None:
    tools = ["calculator", "search"]
    drawn = Counter(
        choose_prefill("sampled_action", tools, sample=0, seed=sample_seed(19, f"{kind}-{i}", 0, "prefill"))
        for kind in ("arithmetic", "places", "chat")
        for i in range(500)
    )
    assert set(drawn) == {None, *tools}
    assert all(400 < count < 600 for count in drawn.values())


@given(seed=st.integers(0, 2**40), question=st.text(), sample=st.integers(0, 1000))
def test_seeds_are_stable_and_differ(seed: int, question: str, sample: int) -> None:
    first = sample_seed(seed, question, sample, "turn 0")
    assert first == sample_seed(seed, question, sample, "turn 0")
    assert 0 <= first < 2**63
    others = {
        sample_seed(seed + 1, question, sample, "turn 0"),
        sample_seed(seed, question, sample + 1, "turn 0"),
        sample_seed(seed, question, sample, "turn 1"),
    }
    assert first not in others
