"""Resuming after SIGKILL gives bitwise the weights of the uninterrupted run: twenty kills in all."""

from pathlib import Path
from typing import Any

from tests.battery.sft_kills import batter
from tests.object_store import ObjectStore


def check(result: dict[str, Any], kills: int) -> None:
    assert result["kills"] == kills
    assert result["inside_a_save"] == kills // 2
    assert result["resumed"] >= 1
    assert result["different"] == []


def test_killed_trainings_end_with_the_same_weights(tmp_path: Path) -> None:
    check(batter(tmp_path, kills=8, seed=3), kills=8)


def test_so_do_those_whose_checkpoints_lie_in_an_object_store(tmp_path: Path, s3: ObjectStore) -> None:
    check(batter(tmp_path, kills=12, seed=4, checkpoint_root=f"s3://{s3.bucket}/kills"), kills=12)
