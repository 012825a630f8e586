"""Which stages a run's `method` turns on."""

import pytest

from components.contracts.errors import InputError
from components.contracts.methods import is_on


@pytest.mark.parametrize(
    ("method", "on"),
    [
        ("", {"sft", "ppo", "mcts", "dpo", "trace_generation"}),
        ("sft", {"sft", "trace_generation"}),
        ("sft, dpo", {"sft", "dpo", "trace_generation"}),
        ("none", set()),
    ],
)
def test_training_stages_are_on_by_name_and_practice_unless_there_is_none(method: str, on: set[str]) -> None:
    stages = ("sft", "ppo", "mcts", "dpo", "trace_generation")
    assert {stage for stage in stages if is_on(stage, method)} == on


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown 'dop'.*'dpo'"):
        is_on("sft", "sft,dop")


@pytest.mark.parametrize("method", ["sft,none", "none, sft", "none,dpo,none"])
def test_none_beside_other_names_is_refused(method: str) -> None:
    for stage in ("sft", "trace_generation"):
        with pytest.raises(InputError, match=r"says none and more; expected 'none' alone"):
            is_on(stage, method)


def test_none_twice_is_none() -> None:
    assert not is_on("sft", "none,none")
