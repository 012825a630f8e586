"""Rounds in sequence on real artifacts: what is best, what is handed on, what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.rounds.__main__ import main
from components.rounds.records import RoundItem
from components.rounds.settings import RoundsSettings
from components.storage import open_input
from components.storage.payloads import commit_output
from tests.evaluation_samples import write_labeled
from tests.rounds_samples import (
    BASE,
    BETTER,
    WORSE,
    Policy,
    Shop,
    items_of,
    practised,
    write_adapter,
    write_evaluation,
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path).begin()


@pytest.mark.parametrize("preset", ["", *RoundsSettings.presets])
def test_presets_are_valid(preset: str) -> None:
    margin = RoundsSettings.parse(json.dumps({"preset": preset}) if preset else "").margin
    assert margin == (0.2 if preset == "demo_calls" else 0.1)


def test_torch_is_not_needed() -> None:
    code = "import sys, components.rounds.run; print({'torch', 'transformers'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_a_round_that_hurt_ends_training_and_the_best_is_handed_on(shop: Shop) -> None:
    assert shop.train(BETTER, title="first") == "sft"
    first = shop.inputs["adapter"].digest
    assert (shop.digest("best"), shop.digest("next_adapter")) == (first, first)

    assert shop.train(WORSE) == "none"
    second = shop.inputs["adapter"].digest
    assert second != first
    assert (shop.digest("best"), shop.digest("next_adapter")) == (first, first)

    assert shop.hand_on(BETTER) == "none"
    assert (shop.digest("best"), shop.digest("next_adapter")) == (first, first)

    base, one, two, three = shop.records()
    assert [record.number for record in (base, one, two, three)] == [0, 1, 2, 3]
    assert [record.adapter for record in (base, one, two, three)] == ["", first, second, first]
    assert [record.hurt for record in (base, one, two, three)] == [False, False, True, False]
    assert [record.handed_on for record in (base, one, two, three)] == [False, False, False, True]
    assert [record.best for record in (base, one, two, three)] == [0, 1, 1, 1]
    assert [record.title for record in (one, two)] == ["first", "round 2"]
    assert three.differences == {}
    assert three.alarms == ()
    assert three.groups == one.groups
    assert "round 2 hurt" in three.verdict
    assert two.verdict == "Round 2 hurt: accuracy fall. Later rounds hand the adapter of first on."
    assert two.alarms[0].sentence.startswith("Accuracy fell by 25.0 points against first")
    summary = json.loads((shop.output / "history/summary.json").read_text())
    assert (summary["best"], summary["best_adapter"], summary["hurt"]) == (1, first, [2])
    assert (summary["handed_on"], summary["alarms"]) == ([3], {"2": ["accuracy_fall"]})
    assert shop.metrics["round_0_accuracy"] == 20 / 40
    assert shop.metrics["round_1_accuracy"] == 27 / 40
    assert shop.metrics["round_2_needs_tool_accuracy"] == 2 / 20
    assert shop.metrics["round_2_hurt"] == 1
    assert (shop.metrics["best_round"], shop.metrics["rounds"]) == (1, 3)


def test_the_best_is_not_the_last_when_a_small_fall_hurts_nobody(shop: Shop) -> None:
    shop.settings = '{"samples": 400, "margin": 0.1}'
    shop.train(BETTER)
    first = shop.inputs["adapter"].digest
    right_elsewhere = [
        item.model_copy(update={"correct": not item.correct})
        if item.id in ("places-11", "places-10", "places-12")
        else item
        for item in items_of(BETTER)
    ]
    second = write_adapter(shop.folder / "second", "second")
    shop.inputs["adapter"] = second
    shop.inputs["evaluation"] = write_evaluation(
        shop.folder / "second_evaluation", right_elsewhere, adapter=second.digest
    )
    assert shop.run() == "sft"
    record = shop.records()[-1]
    accuracy = record.differences["best"]["overall"]["accuracy"]
    assert accuracy is not None
    assert accuracy.mean < 0 <= accuracy.high
    assert (record.hurt, record.best, record.best_adapter) == (False, 1, first)
    assert (shop.digest("best"), shop.digest("next_adapter")) == (first, second.digest)
    assert record.verdict.endswith("round 1 is still the best.")


def test_of_equal_rounds_the_earlier_is_best(shop: Shop) -> None:
    shop.train(BETTER)
    shop.train(BETTER)
    assert shop.records()[-1].best == 1
    assert shop.digest("best") != shop.digest("next_adapter") == shop.inputs["adapter"].digest


def test_without_a_round_better_than_the_base_model_the_best_adapter_goes_to_promotion(shop: Shop) -> None:
    shop.train(Policy(right=4, called=10))
    assert [record.best for record in shop.records()] == [0, 0]
    assert shop.digest("best") == shop.inputs["adapter"].digest
    assert "No round is better than the base model" in shop.page()
    shop.train(BASE)
    record = shop.records()[-1]
    assert (record.best, record.best_adapter_round, record.hurt) == (0, 2, False)
    assert shop.digest("best") == shop.inputs["adapter"].digest


def test_a_first_round_that_hurt_hands_its_own_adapter_on(shop: Shop) -> None:
    assert shop.train(Policy(right=0, called=10)) == "none"
    assert shop.digest("best") == shop.digest("next_adapter") == shop.inputs["adapter"].digest
    assert "No round is better than the base model" in shop.records()[-1].verdict
    assert shop.hand_on(Policy(right=0, called=10)) == "none"
    assert [record.handed_on for record in shop.records()] == [False, False, True]


def test_a_run_that_trains_nothing_has_rounds_all_the_same(shop: Shop) -> None:
    shop.method = "none"
    assert shop.train(BASE, traces=()) == "none"
    record = shop.records()[-1]
    assert (record.handed_on, record.best, record.practice) == (True, 0, None)
    assert "the method is none" in record.verdict
    assert shop.hand_on(BASE) == "none"


def test_an_empty_method_goes_on_as_it_came(shop: Shop) -> None:
    shop.method = ""
    assert shop.train(BETTER) == ""


def test_files_hold_what_later_rounds_need_and_no_more(shop: Shop) -> None:
    shop.train(BETTER)
    shop.train(WORSE)
    shop.hand_on(BETTER)
    history = open_artifact(shop.output / "history", "rounds/1")
    assert {entry.path for entry in history.manifest.files} == {
        "rounds.jsonl",
        "items.jsonl",
        "summary.json",
        "report.html",
    }
    items = list(read_records(history.path("items.jsonl"), RoundItem))
    assert sorted({item.round for item in items}) == [0, 1, 2]
    assert len(items) == 3 * 40
    assert history.manifest.lineage["base"] == shop.inputs["base"].digest
    assert history.manifest.lineage["question_set"] == "q" * 64
    assert history.manifest.counts == {"rounds": 3, "questions": 40}


def test_payloads_stay_in_the_store(tmp_path: Path) -> None:
    shop = Shop(tmp_path, store=str(tmp_path / "store")).begin()
    shop.train(BETTER)
    shop.train(WORSE)
    history = open_input(shop.output / "history", "rounds/1", shop.store)
    assert history.manifest.payload
    assert len(history.path("rounds.jsonl").read_text().splitlines()) == 3


def test_an_adapter_that_lies_in_a_store_is_not_fetched(shop: Shop) -> None:
    store = shop.folder / "store"
    place = shop.folder / "remote"
    digest = write_adapter(place, "remote weights").digest
    commit_output(place, str(store))
    for file in store.rglob("*"):
        if file.is_file():
            file.unlink()  # nobody may look at the weights
    shop.judge(open_artifact(place, "adapter/1"), BETTER, practised(40))
    assert shop.digest("best") == shop.digest("next_adapter") == digest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "held_out"}, "evaluation: it judged the split 'held_out', expected 'validation'"),
        ({"questions": "r" * 64}, "base and evaluation judged different question sets"),
        ({"temperature": 0.5}, "base and evaluation were made under different settings.temperature"),
        ({"adapter": "b" * 64}, "evaluation: it judged bbbbbbbbbbbb, expected an evaluation of adapter"),
        ({"adapter": ""}, "evaluation: it judged the base model, expected an evaluation of adapter"),
    ],
)
def test_an_evaluation_that_does_not_fit_is_refused(shop: Shop, changes: dict[str, Any], said: str) -> None:
    if "split" in changes:  # made under equal conditions, on the split that is to judge
        shop.inputs["base"] = write_evaluation(shop.folder / "other_base", items_of(BASE), **changes)
        said = said.replace("evaluation:", "base:")
    shop.inputs["adapter"] = adapter = write_adapter(shop.folder / "adapter", "weights")
    arguments = {"adapter": adapter.digest, **changes}
    shop.inputs["evaluation"] = write_evaluation(shop.folder / "evaluation", items_of(BETTER), **arguments)
    shop.inputs["labeled"] = open_labeled(shop)
    with pytest.raises(InputError, match=said):
        shop.run()
    assert not (shop.output / "history/manifest.json").exists()


def open_labeled(shop: Shop) -> Artifact:
    """What a round practised on."""
    return write_labeled(shop.folder / "labeled", practised(40))


def test_a_history_of_other_questions_or_of_another_base_model_is_refused(shop: Shop, tmp_path: Path) -> None:
    shop.train(BETTER)
    other = Shop(tmp_path / "other")
    other.inputs["base"] = write_evaluation(tmp_path / "other/base", items_of(BASE), title="another one")
    other.train(BETTER)
    with pytest.raises(InputError, match="its rounds were judged with another base"):
        other.run(earlier=dsl.Dataset(uri=str(shop.output / "history")))
    for name, folder in (("base", "set_base"), ("evaluation", "set_evaluation")):
        adapter = other.inputs["adapter"].digest if name == "evaluation" else ""
        other.inputs[name] = write_evaluation(
            tmp_path / folder, items_of(BETTER), adapter=adapter, questions="r" * 64
        )
    with pytest.raises(InputError, match="its rounds were judged with another question_set"):
        other.run(earlier=dsl.Dataset(uri=str(shop.output / "history")))


def test_an_evaluation_of_other_questions_under_the_same_name_is_refused(shop: Shop) -> None:
    shop.inputs["adapter"] = adapter = write_adapter(shop.folder / "adapter", "weights")
    shop.inputs["evaluation"] = write_evaluation(
        shop.folder / "evaluation", items_of(BETTER)[:-1], adapter=adapter.digest
    )
    shop.inputs["labeled"] = open_labeled(shop)
    with pytest.raises(InputError, match="39 items, of which 39 are of the 40 questions"):
        shop.run()


def test_the_best_so_far_has_to_be_the_one_of_the_history(shop: Shop) -> None:
    shop.train(BETTER)
    first = shop.output
    other = write_adapter(shop.folder / "other", "other weights")
    shop.train(BETTER)  # as good, so that the first stays the best
    last = {"earlier": dsl.Dataset(uri=str(first / "history"))}
    with pytest.raises(InputError, match="best_so_far: absent, expected adapter"):
        shop.run(**last, best_so_far=None)
    with pytest.raises(InputError, match=f"best_so_far: adapter {other.digest[:12]}, expected"):
        shop.run(**last, best_so_far=dsl.Model(uri=str(other.folder)))


def test_a_handed_on_round_with_an_adapter_of_its_own_is_refused(shop: Shop) -> None:
    shop.train(BETTER)
    shop.train(WORSE)
    with pytest.raises(InputError, match="nothing was trained in this round; expected"):
        shop.train(BETTER)


def test_the_base_models_evaluation_may_not_be_an_adapters(shop: Shop) -> None:
    shop.inputs["base"] = write_evaluation(shop.folder / "wrong", items_of(BASE), adapter="a" * 64)
    with pytest.raises(InputError, match="base: it judged an adapter"):
        shop.train(BETTER)


def test_an_unknown_method_is_refused(shop: Shop) -> None:
    shop.method = "sfd"
    with pytest.raises(InputError, match="unknown 'sfd'"):
        shop.train(BETTER)


def test_from_a_shell(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.train(BETTER)
    inputs = [f"--{name}={one.folder}" for name, one in shop.inputs.items()]
    first, output = shop.folder / "first", shop.folder / "shell"
    assert main([*inputs, "--method=sft,dpo", '--settings={"samples": 200}', f"--output={first}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "sft,dpo"
    shop.train(BETTER)
    inputs = [f"--{name}={one.folder}" for name, one in shop.inputs.items()]
    second = [*inputs, "--method=dpo", '--settings={"samples": 200}', f"--output={output}"]
    assert main([*second, f"--before={first}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "dpo"
    digest = open_artifact(first / "best", "adapter/1").digest
    assert open_artifact(output / "best", "adapter/1").digest == digest
    assert open_artifact(output / "next_adapter", "adapter/1").digest == shop.inputs["adapter"].digest
    assert len((output / "history/rounds.jsonl").read_text().splitlines()) == 3
    assert main([*inputs, "--method=none", f"--output={output}", "--settings={"]) == 2
    assert "rounds_settings: not JSON" in capsys.readouterr().err


def test_all_rounds_after_one_another_say_the_same_as_the_summary_of_the_last(shop: Shop) -> None:
    shop.train(BETTER)
    before = shop.records()
    shop.train(WORSE)
    assert shop.records()[:2] == before
