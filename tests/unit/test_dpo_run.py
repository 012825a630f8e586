"""The stage from artifact to artifact."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import write_records
from components.contracts.policy_card import read_card
from components.dpo.__main__ import main
from components.dpo.run import run
from components.policy.chat import Chat
from components.policy.load import load_policy, open_chat
from components.policy.settings import ModelSettings
from components.sft.run import run as run_sft
from tests.preference_pairs import KINDS, make_pair, write_pairs
from tests.tiny_model import build_tiny_model, make_trace, write_labeled
from tests.unit.test_sft_run import KfpArtifact

SETTINGS = {
    "dtype": "float32",
    "learning_rate": 0.02,
    "batch_size": 4,
    "epochs": 2,
    "lora_rank": 4,
    "beta": 0.3,
}


@dataclass
class Workshop:
    """A tiny base model with pairs, and a place for what comes out."""

    base_model: Path
    chat: Chat
    pairs: Path
    folder: Path

    def train(
        self,
        name: str,
        *,
        initial: str = "",
        checkpoint_root: str = "",
        method: str = "",
        pairs: Path | None = None,
        **settings: object,
    ) -> dict[str, float]:
        metrics = KfpArtifact("")
        run(
            KfpArtifact(str(pairs or self.pairs)),
            str(self.base_model),
            json.dumps({**SETTINGS, **settings}),
            "",
            checkpoint_root,
            KfpArtifact(str(self.folder / name)),
            metrics,
            KfpArtifact(str(self.folder / f"{name}.html")),
            KfpArtifact(str(self.folder / initial)) if initial else None,
            "{}",
            method,
        )
        return metrics.metrics

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = load_file(self.folder / name / "adapter_model.safetensors")
        return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("dpo")
    base_model = build_tiny_model(folder / "base")
    chat = open_chat(str(base_model), "hermes")
    pairs = [make_pair(chat, number, KINDS[number % 4]) for number in range(8)]
    twin = make_pair(chat, 8)
    pairs.append(twin.model_copy(update={"rejected": twin.chosen, "rejected_turns": twin.chosen_turns}))
    return Workshop(base_model, chat, write_pairs(folder / "pairs", pairs), folder)


def log_of(shop: Workshop, name: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (shop.folder / name / "training_log.jsonl").read_text().splitlines()]


def test_what_comes_out_fits_together(shop: Workshop) -> None:
    metrics = shop.train("adapter", checkpoint_root=str(shop.folder / "checkpoints"), save_every=2)
    opened = open_artifact(shop.folder / "adapter", "adapter/1")
    assert opened.manifest.counts == {"pairs": 8, "steps": 4}
    assert opened.manifest.lineage == {"pairs": open_artifact(shop.pairs, "preference_pairs/1").digest}
    assert opened.manifest.details["dropped"] == {"equal sides": 1}
    assert opened.manifest.details["moved"] == metrics["moved"] > 0
    assert (metrics["pairs"], metrics["pairs_read"], metrics["dropped_equal"]) == (8, 9, 1)
    assert metrics["resumed_from_step"] == 0
    card = read_card(shop.folder / "adapter")
    assert (card.template_hash, card.call_format) == (shop.chat.template_hash, "hermes")
    assert card.settings["beta"] == 0.3
    log = log_of(shop, "adapter")
    assert [row["step"] for row in log] == [1, 2, 3, 4]
    assert log[0]["loss"] == pytest.approx(math.log(2), abs=1e-7)
    assert (log[0]["reward_margin"], log[0]["reward_accuracy"]) == (0.0, 0.5)
    assert all(row["chosen_logprob"] < 0 and row["gradient_norm"] > 0 and row["tokens"] > 0 for row in log)
    page = (shop.folder / "adapter.html").read_text()
    assert "Preference tuning" in page
    assert page.count("<svg") == 4
    assert not list((shop.folder / "checkpoints").rglob("manifest.json"))


def test_rounds_chain_each_against_the_policy_that_came_in(shop: Workshop) -> None:
    """The reference of a round is the adapter before it, not the base model: each begins at log 2 to the bit."""
    reached = 0.0
    for number in range(3):
        metrics = shop.train(f"round-{number}", initial=f"round-{number - 1}" if number else "")
        log = log_of(shop, f"round-{number}")
        assert torch.tensor(log[0]["loss"]) == torch.tensor(2.0).log()
        assert log[0]["reward_margin"] == 0.0
        assert metrics["reward_margin_last"] > 0
        lineage = open_artifact(shop.folder / f"round-{number}", "adapter/1").manifest.lineage
        if number:
            before = open_artifact(shop.folder / f"round-{number - 1}", "adapter/1")
            assert lineage["initial"] == before.digest
            assert log[0]["chosen_logprob"] - log[0]["rejected_logprob"] > reached
        reached = log[0]["chosen_logprob"] - log[0]["rejected_logprob"]


def test_reference_is_bitwise_in_bfloat16_too(shop: Workshop) -> None:
    shop.train("half", dtype="bfloat16")
    assert torch.tensor(log_of(shop, "half")[0]["loss"]) == torch.tensor(2.0).log()


@pytest.mark.parametrize("loss", ["ipo", "simpo", "orpo"])
def test_other_losses_go_down(shop: Workshop, loss: str) -> None:
    metrics = shop.train(loss, loss=loss, epochs=6)
    assert metrics["loss_last"] < metrics["loss_first"]
    assert metrics["reward_margin_last"] > 0
    assert metrics["reward_accuracy_last"] >= 0.75


def test_full_training_gives_a_whole_model_and_takes_one(shop: Workshop) -> None:
    metrics = KfpArtifact("")
    settings = json.dumps({**SETTINGS, "method": "full", "learning_rate": 1e-3})
    for name, initial in (("whole", None), ("whole-2", "whole")):
        run(
            KfpArtifact(str(shop.pairs)),
            str(shop.base_model),
            settings,
            "",
            "",
            KfpArtifact(str(shop.folder / name)),
            metrics,
            KfpArtifact(str(shop.folder / f"{name}.html")),
            KfpArtifact(str(shop.folder / initial)) if initial else None,
        )
        assert (shop.folder / name / "model.safetensors").is_file()
        assert torch.tensor(log_of(shop, name)[0]["loss"]) == torch.tensor(2.0).log()
    with pytest.raises(InputError, match=r"initial: .* holds a whole model, not a LoRA adapter"):
        shop.train("refused", initial="whole")


def test_off_hands_the_adapter_on(shop: Workshop) -> None:
    shop.train("first")
    empty = write_pairs(shop.folder / "no-pairs", [])
    metrics = shop.train("second", initial="first", method="sft", pairs=empty)
    one, two = (open_artifact(shop.folder / name, "adapter/1") for name in ("first", "second"))
    assert one.digest == two.digest
    assert metrics == {"handed_on": 1.0, "untrained_adapter": 0.0, "moved": 0.0}
    assert "Handed on" in (shop.folder / "second.html").read_text()


def test_a_search_that_came_to_no_pair_hands_the_adapter_on(
    shop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.train("policy")
    searched = shop.folder / "searched"
    with write_artifact(searched, "preference_pairs/1") as writer:
        write_records(writer.folder / "pairs.jsonl", [])
        writer.counts["pairs"] = 0
        writer.details["kind"] = "step"
    metrics = shop.train("same", initial="policy", method="mcts,dpo", pairs=searched)
    one, two = (open_artifact(shop.folder / name, "adapter/1") for name in ("policy", "same"))
    assert one.digest == two.digest
    assert metrics == {"handed_on": 1.0, "untrained_adapter": 0.0, "moved": 0.0, "trained": 0.0}
    said = "the search, if it was on, came to no pair"
    assert f"[dpo] NOTHING TO LEARN FROM: {said}" in capsys.readouterr().out
    assert f"Handed on: {said}; the adapter that came in" in (shop.folder / "same.html").read_text()
    assert shop.train("new", method="mcts,dpo", pairs=searched)["untrained_adapter"] == 1.0


def test_nothing_to_tune_on_hands_a_trained_adapter_on(
    shop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = shop.train("reached")
    assert trained["trained"] == 1.0
    reached = open_artifact(shop.folder / "reached", "adapter/1").digest
    empty = shop.folder / "paired-nothing"
    with write_artifact(empty, "preference_pairs/1") as writer:
        (writer.folder / "pairs.jsonl").touch()
        writer.details["no_pair"] = "labeled: no question gives a pair"
    cases: dict[str, dict[str, Any]] = {
        "labeled: no question gives a pair": {"pairs": empty},
        "pairs: none of 9 pairs": {"max_tokens": 10},
    }
    for number, (why, given) in enumerate(cases.items()):
        metrics = shop.train(f"kept-{number}", initial="reached", **given)
        assert metrics == {"handed_on": 1.0, "untrained_adapter": 0.0, "moved": 0.0, "trained": 0.0}
        assert open_artifact(shop.folder / f"kept-{number}", "adapter/1").digest == reached
        assert f"[dpo] NOTHING TO LEARN FROM: {why}" in capsys.readouterr().out
        assert f"Handed on: {why}" in (shop.folder / f"kept-{number}.html").read_text()
    shop.train("never-trained", method="none")
    with pytest.raises(InputError, match=r"^labeled: no question gives a pair$"):
        shop.train("nothing-at-all", initial="never-trained", pairs=empty)
    assert not (shop.folder / "nothing-at-all").exists()


def test_off_without_an_adapter_is_the_base_model(shop: Workshop) -> None:
    metrics = shop.train("untrained", method="none", pairs=write_pairs(shop.folder / "none", []))
    assert metrics["untrained_adapter"] == 1.0
    assert all(not weight.any() for name, weight in shop.weights("untrained").items() if "lora_B" in name)
    ids = torch.tensor([[5, 6, 7, 8]])
    plain = load_policy(str(shop.base_model), settings=ModelSettings(dtype="float32")).model
    adapted = load_policy(
        str(shop.base_model), adapter=shop.folder / "untrained", settings=ModelSettings(dtype="float32")
    ).model
    assert torch.equal(plain(input_ids=ids).logits, adapted(input_ids=ids).logits)
    # It saw no call, so it has no call format, and can be gone on from in any.
    assert read_card(shop.folder / "untrained").call_format == ""
    assert shop.train("onwards", initial="untrained")["pairs"] == 8


def test_sft_is_off_the_same_way(shop: Workshop) -> None:
    labeled = write_labeled(shop.folder / "labeled", [make_trace(shop.chat, 1)])
    for name, initial in (("sft-off", None), ("sft-on", "sft-off")):
        metrics = KfpArtifact("")
        run_sft(
            KfpArtifact(str(labeled)),
            str(shop.base_model),
            json.dumps({"dtype": "float32", "lora_rank": 2}),
            "",
            "",
            KfpArtifact(str(shop.folder / name)),
            metrics,
            KfpArtifact(str(shop.folder / f"{name}.html")),
            KfpArtifact(str(shop.folder / initial)) if initial else None,
            "{}",
            "dpo",
        )
        assert metrics.metrics["untrained_adapter"] == float(initial is None)
        assert "Handed on" in (shop.folder / f"{name}.html").read_text()
    assert read_card(shop.folder / "sft-off").call_format == "hermes"
    digests = {open_artifact(shop.folder / name, "adapter/1").digest for name in ("sft-off", "sft-on")}
    assert len(digests) == 1


def test_nothing_left_says_why(shop: Workshop) -> None:
    with pytest.raises(
        InputError, match=r"none of 9 pairs can be trained on \(longer than max_tokens 8x, equal"
    ):
        shop.train("nothing", max_tokens=10)
    with pytest.raises(InputError, match="holds no pairs"):
        shop.train("nothing", pairs=write_pairs(shop.folder / "nothing-in-it", []))
    assert not (shop.folder / "nothing").exists()


def test_command_line(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--pairs", str(shop.pairs), "--base-model", str(shop.base_model)]
    options += ["--output", str(shop.folder / "by-hand"), "--settings", json.dumps(SETTINGS)]
    assert main([*options, "--overrides", '{"loss": "simpo"}']) == 0
    assert "reward_accuracy_last" in capsys.readouterr().out
    assert read_card(shop.folder / "by-hand" / "adapter").settings["loss"] == "simpo"
    assert main([*options, "--overrides", '{"los": "simpo"}']) == 2
    assert "did you mean 'loss'" in capsys.readouterr().err
