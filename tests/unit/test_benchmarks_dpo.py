"""The benchmark of preference tuning: what it exits with, by what its arms measured."""

from typing import Any

import pytest

from tests.benchmarks.dpo import exit_code, summarize


def arms(**seconds: float) -> dict[str, list[dict[str, Any]]]:
    """A measurement of each arm: two pairs, all log-probabilities -1."""
    standard = {"shared": 1.0, "separate": 2.0, "tree": 1.0, "tree_separate": 6.0}
    return {
        arm: [{"seconds": took, "mib": 1.0, "logprobs": [-1.0] * (2 if arm == "trl" else 4), "torch": "2"}]
        for arm, took in (standard | seconds).items()
    }


@pytest.mark.parametrize(
    ("seconds", "difference", "code"),
    [
        ({"trl": 4.0}, 0.0, 0),
        ({"trl": 2.9}, 0.0, 2),
        ({"trl": 4.0, "separate": 1.4}, 0.0, 2),
        ({"trl": 4.0}, 2e-5, 1),
        ({}, 0.0, 3),  # nobody knows whether it is three times as fast
        ({"tree_separate": 4.9}, 0.0, 2),
        ({}, 2e-5, 1),
    ],
)
def test_what_was_not_measured_did_not_pass(seconds: dict[str, float], difference: float, code: int) -> None:
    why = "" if "trl" in seconds else "no peer"
    result = summarize(arms(**seconds), {"shared": difference, "tree": 0.0}, why)
    assert exit_code(result) == code
    assert result["not_measured"] == ([] if "trl" in seconds else ["trl_ratio"])
    assert (result["trl_ratio"] is None) == ("trl" not in seconds)
    assert result.get("trl_why", "") == why
