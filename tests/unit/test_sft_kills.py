"""Resuming after SIGKILL gives bitwise the weights of the uninterrupted run."""

from pathlib import Path

from tests.battery.sft_kills import batter


def test_killed_trainings_end_with_the_same_weights(tmp_path: Path) -> None:
    result = batter(tmp_path, kills=8, seed=3)
    assert result["kills"] == 8
    assert result["inside_a_save"] >= 3
    assert result["resumed"] >= 1
    assert result["different"] == []
