"""The stage from artifact to artifact."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.data_share import in_share
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import LabeledTrace, Message, PolicyCard
from components.policy.chat import Chat
from components.policy.engine import Conversation, Sampling, open_engine
from components.policy.load import load_policy, open_chat
from components.policy.settings import EngineSettings, ModelSettings
from components.sft.dataset import encode_trace
from components.sft.micro_batches import collate
from components.sft.run import run
from tests.tiny_model import build_tiny_model, make_trace, write_labeled

SETTINGS = {"dtype": "float32", "learning_rate": 0.02, "batch_size": 4, "epochs": 2, "lora_rank": 4}


@dataclass
class KfpArtifact:
    """The part of a KFP artifact that the stage uses."""

    path: str
    metrics: dict[str, float] = field(default_factory=dict)

    def log_metric(self, metric: str, value: float) -> None:
        self.metrics[metric] = value


@dataclass
class Workshop:
    """A tiny base model with labeled traces, and a place for what comes out."""

    base_model: Path
    chat: Chat
    labeled: Path
    folder: Path

    def train(
        self,
        name: str,
        *,
        initial: str = "",
        base_model: str = "",
        checkpoint_root: str = "",
        **settings: object,
    ) -> dict[str, float]:
        metrics = KfpArtifact("")
        run(
            KfpArtifact(str(self.labeled)),
            base_model or str(self.base_model),
            json.dumps({**SETTINGS, **settings}),
            "",
            checkpoint_root,
            KfpArtifact(str(self.folder / name)),
            metrics,
            KfpArtifact(str(self.folder / f"{name}.html")),
            KfpArtifact(str(self.folder / initial)) if initial else None,
        )
        return metrics.metrics


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("sft")
    base_model = build_tiny_model(folder / "base")
    chat = open_chat(str(base_model), "hermes")
    traces = [make_trace(chat, number, trained=(number != 3, number != 3)) for number in range(12)]
    return Workshop(base_model, chat, write_labeled(folder / "labeled", traces), folder)


def test_what_comes_out_fits_together(shop: Workshop) -> None:
    metrics = shop.train("adapter", checkpoint_root=str(shop.folder / "checkpoints"), save_every=2)
    artifact = open_artifact(shop.folder / "adapter", "adapter/1")
    card = PolicyCard.model_validate_json(artifact.path("policy.json").read_text())
    assert card.base_model == str(shop.base_model)
    assert (card.template_hash, card.call_format) == (shop.chat.template_hash, "hermes")
    assert card.stop_ids == shop.chat.stop_ids
    assert card.settings["learning_rate"] == 0.02
    assert card.lineage == {"labeled": open_artifact(shop.labeled, "labeled_traces/1").digest}

    rows = [json.loads(line) for line in artifact.path("training_log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {"step", "loss", "learning_rate", "tokens"} <= rows[0].keys()
    assert metrics["tokens"] == sum(row["tokens"] for row in rows)
    assert (metrics["traces"], metrics["examples"], metrics["untrained"]) == (12, 11, 1)
    assert metrics["loss_last"] == rows[-1]["loss"] < metrics["loss_first"]
    assert str(shop.base_model) not in artifact.path("adapter_config.json").read_text().replace(
        card.base_model, "", 1
    )
    assert not [path for path in (shop.folder / "checkpoints").rglob("*") if path.is_file()]
    page = (shop.folder / "adapter.html").read_text()
    assert page.count("<polyline") == 1
    assert "<script" not in page


def test_same_inputs_give_the_same_artifact(shop: Workshop) -> None:
    for name in ("once", "twice"):
        shop.train(name)
    digests = {open_artifact(shop.folder / name, "adapter/1").digest for name in ("once", "twice")}
    assert len(digests) == 1


def test_training_goes_on_from_an_initial_adapter(shop: Workshop) -> None:
    first = shop.train("first", scheduler="constant")
    second = shop.train("second", initial="first", scheduler="constant")
    assert second["loss_first"] < first["loss_first"]
    before, after = (
        load_file(shop.folder / name / "adapter_model.safetensors") for name in ("first", "second")
    )
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    lineage = open_artifact(shop.folder / "second", "adapter/1").manifest.lineage
    assert lineage["initial"] == open_artifact(shop.folder / "first", "adapter/1").digest
    # The saved second adapter is the policy that training ended with: its loss is the lowest.
    batch = collate([encode_trace(make_trace(shop.chat, number), shop.chat) for number in range(3)])
    losses = []
    for adapter in (None, shop.folder / "first", shop.folder / "second"):
        policy = load_policy(str(shop.base_model), adapter=adapter, call_format="hermes")
        labels = batch["input_ids"].masked_fill(batch["weights"] == 0, -100)
        with torch.no_grad():
            found = policy.model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels
            )
        losses.append(float(found.loss))
    assert losses[0] > losses[1] > losses[2]


def test_full_training_gives_a_whole_model_that_loads_and_goes_on(shop: Workshop) -> None:
    first = shop.train("full", method="full")
    policy = load_policy(str(shop.base_model), adapter=shop.folder / "full", call_format="hermes")
    assert policy.base_model == str(shop.base_model)
    assert policy.chat.template_hash == shop.chat.template_hash
    assert policy.chat.stop_ids == shop.chat.stop_ids
    trained = load_file(shop.folder / "full" / "model.safetensors")["model.norm.weight"]
    assert torch.equal(policy.model.model.norm.weight, trained.to(policy.model.dtype))
    base = load_file(shop.base_model / "model.safetensors")["model.norm.weight"]
    assert not torch.equal(trained, base)
    again = shop.train("full-again", method="full", initial="full")
    assert again["loss_first"] == pytest.approx(first["loss_last"], rel=0.2)
    assert again["loss_first"] < first["loss_first"]
    with pytest.raises(InputError, match=r"initial: .* holds a whole model, not a LoRA adapter"):
        shop.train("unfit", initial="full")


def test_a_share_of_the_data_trains_the_traces_of_those_questions_alone(shop: Workshop) -> None:
    traces = list(read_records(shop.labeled / "traces.jsonl", LabeledTrace))
    kept = [trace for trace in traces if in_share(trace.question.id, 0.5, 19)]
    assert 0 < len(kept) < len(traces)
    shop.train("half", data_share=0.5, seed=19)
    trained = sum(any(label.trained for label in trace.labels) for trace in kept)
    assert open_artifact(shop.folder / "half", "adapter/1").manifest.counts["examples"] == trained


def test_an_engine_opens_both_kinds_of_adapter(shop: Workshop) -> None:
    asked = [Conversation((Message(role="user", content="What is 3 plus 4?"),))]
    settings = EngineSettings(model=ModelSettings(dtype="float32", device="cpu", threads=1))
    said = []
    for name, method in (("engine-lora", "lora"), ("engine-full", "full")):
        shop.train(name, method=method)
        engine = open_engine(str(shop.base_model), shop.folder / name, settings)
        assert engine.base_model == str(shop.base_model)
        (turn,) = engine.complete(asked, Sampling(temperature=0, max_new_tokens=4), seeds=[0])
        said.append(turn.logprobs)
    plain = open_engine(str(shop.base_model), None, settings)
    (turn,) = plain.complete(asked, Sampling(temperature=0, max_new_tokens=4), seeds=[0])
    assert len({turn.logprobs, *said}) == 3


def test_a_whole_model_of_another_base_model_is_refused_by_the_engine(shop: Workshop) -> None:
    shop.train("whole", method="full")
    other = build_tiny_model(shop.folder / "other-base", seed=2)
    with pytest.raises(InputError, match="it was trained with base model"):
        open_engine(str(other), shop.folder / "whole", EngineSettings())


def test_a_page_that_can_t_be_written_is_one_line_and_keeps_the_checkpoints(shop: Workshop) -> None:
    (shop.folder / "full-disk.html").symlink_to("/dev/full")
    checkpoints = shop.folder / "kept"
    with pytest.raises(InputError, match=r"full-disk\.html: can't be written: No space left on device"):
        shop.train("full-disk", checkpoint_root=str(checkpoints), save_every=2)
    assert list(checkpoints.rglob("manifest.json"))


def test_initial_adapter_of_another_base_model_is_refused(shop: Workshop) -> None:
    shop.train("origin")
    other = build_tiny_model(shop.folder / "other", seed=1)
    with pytest.raises(InputError, match="it was trained with base model"):
        shop.train("never", initial="origin", base_model=str(other))
    assert not (shop.folder / "never").exists()


def test_wrong_or_empty_inputs_leave_nothing_behind(shop: Workshop, tmp_path: Path) -> None:
    cases = {
        "expected an artifact of labeled_traces/1, this is one of traces/1": "traces/1",
        "holds no traces": "labeled_traces/1",
    }
    for message, schema in cases.items():
        folder = tmp_path / schema.replace("/", "-")
        with write_artifact(folder, schema) as writer:
            (writer.folder / "traces.jsonl").touch()
        with pytest.raises(InputError, match=message):
            Workshop(shop.base_model, shop.chat, folder, tmp_path).train("nothing")
    assert not (tmp_path / "nothing").exists()
    assert not (tmp_path / "nothing.html").exists()


def test_nothing_to_train_on_hands_a_trained_adapter_on(
    shop: Workshop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shop.train("reached")["trained"] == 1.0
    reached = shop.folder / "reached"
    wrong = [make_trace(shop.chat, number, trained=(False, False)) for number in range(3)]
    for name, traces in (("none", []), ("wrong", wrong)):
        empty = Workshop(shop.base_model, shop.chat, write_labeled(tmp_path / name, traces), tmp_path)
        metrics = empty.train(f"after-{name}", initial=str(reached))
        assert metrics == {"handed_on": 1.0, "untrained_adapter": 0.0, "moved": 0.0, "trained": 0.0}
        assert (tmp_path / f"after-{name}/adapter_model.safetensors").read_bytes() == (
            reached / "adapter_model.safetensors"
        ).read_bytes()
        said = capsys.readouterr().out
        assert "[sft] NOTHING TO LEARN FROM: labeled: " in said
        with pytest.raises(InputError, match=r"holds no traces|none of 3 traces can be trained on"):
            empty.train("without-an-adapter")
        assert not (tmp_path / "without-an-adapter").exists()
