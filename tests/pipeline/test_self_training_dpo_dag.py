"""Self-training by DPO alone, as committed, through kfp.local with SeaweedFS, the tools service and a tiny model."""

import json

import pytest

from tests.local_runs import LocalRun, run_self_training


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> LocalRun:
    folder = tmp_path_factory.mktemp("self_training_dpo")
    return run_self_training(folder, "method=dpo", "kind=response", problems=12, plain=4)


def test_pairs_of_the_kind_asked_for_are_made(finished: LocalRun) -> None:
    pairs = finished.artifact("preferences/pairs", "preference_pairs/1").manifest
    assert pairs.counts["pairs"] > 0
    preferred = finished.artifact("dpo/adapter", "adapter/1").manifest
    assert preferred.details["kinds"] == {"response": pairs.counts["pairs"]}


def test_sft_is_off_and_dpo_goes_on_from_the_base_model(finished: LocalRun) -> None:
    tuned = finished.artifact("sft/adapter", "adapter/1")
    preferred = finished.artifact("dpo/adapter", "adapter/1")
    assert preferred.manifest.lineage["initial"] == tuned.digest != preferred.digest
    assert tuned.manifest.details["moved"] == 0.0
    moved = preferred.manifest.details["moved"]
    assert isinstance(moved, float)
    assert moved > 0
    assert "steps" not in tuned.manifest.counts


def test_the_policy_that_dpo_made_is_judged_shown_and_compared_with_the_model_without_tools(
    finished: LocalRun,
) -> None:
    preferred = finished.artifact("dpo/adapter", "adapter/1")
    comparison = finished.artifact("promotion/comparison", "comparison/1").manifest.lineage
    assert comparison["adapter"] == preferred.digest
    judged = {
        str(one.manifest.details["title"]): (one.manifest.lineage.get("adapter", ""), one.manifest.details)
        for one in (
            finished.artifact(f"{task}/evaluation", "evaluation/1")
            for task in ("evaluation", "evaluation-2", "evaluation-3")
        )
    }
    assert {title: adapter for title, (adapter, _) in judged.items()} == {
        "base model": "",
        "after dpo": preferred.digest,
        "base model without tools": "",
    }
    assert [title for title, (_, details) in judged.items() if details["without_tools"]] == [
        "base model without tools"
    ]
    assert {details["split"] for _, details in judged.values()} == {"held_out"}
    helped = finished.summary()["tool_help"]["overall"]
    assert set(helped["rescued"]) == {"before", "after", "difference"}
    card = json.loads((finished.folder / "adapter" / "policy.json").read_text(encoding="utf-8"))
    assert card["settings"]["beta"] > 0  # the adapter that is shown is that of DPO


def test_every_stage_is_shown_and_says_what_it_gave(finished: LocalRun) -> None:
    for stage in ("Preference pairs", "SFT", "DPO", "Evaluation without tools", "Promotion"):
        assert finished.times_done(stage) == 1, stage
    assert "[dpo] " in finished.output
    assert finished.times_done("Publication") == finished.summary()["decision"]["promoted"]
    assert "rescued" in finished.output
    assert finished.output.rstrip().endswith("report.html")
