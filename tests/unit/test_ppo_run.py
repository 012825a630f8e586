"""PPO from artifact to artifact: what comes out, resuming after SIGKILL, two processes, bad input."""

import json
import os
import signal
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.records import LabeledTrace, PolicyCard
from components.contracts.tool_errors import ToolError
from components.policy.card import make_card, write_card
from components.policy.chat import Chat
from components.policy.engine import Conversation, Sampling, open_engine
from components.policy.load import load_policy, open_chat
from components.policy.save import save_weights
from components.policy.settings import EngineSettings, ModelSettings
from components.ppo.__main__ import main
from components.ppo.roles import load_roles
from components.ppo.run import run
from components.ppo.settings import PPOSettings
from components.ppo.state import LogRow
from components.ppo.training import Training
from tests.tiny_model import build_tiny_model, write_labeled
from tests.two_tools import CALL_FORMAT, FLOAT32, TOPICS, gold_trace, prompt_of, two_tool_model

SETTINGS = {
    "dtype": "float32",
    "lora_rank": 4,
    "lora_alpha": 16,
    "actor_learning_rate": 1e-2,
    "critic_learning_rate": 1e-2,
    "epochs": 2,
    "batch_size": 4,
    "micro_batch": 3,
    "rollouts_per_prompt": 2,
    "max_new_tokens": 16,
    "save_every": 2,
}
STEPS = 8  # what eight topics and SETTINGS come to
FILES = ["adapter_config.json", "adapter_model.safetensors", "policy.json", "training_log.jsonl"]


@dataclass
class KfpArtifact:
    """The part of a KFP artifact that the stage uses."""

    path: str
    metrics: dict[str, float] = field(default_factory=dict)

    def log_metric(self, metric: str, value: float) -> None:
        self.metrics[metric] = value


@dataclass
class Workshop:
    """The two-tool model with labeled traces, and a place for what comes out."""

    chat: Chat
    labeled: Path
    folder: Path

    def train(
        self,
        name: str,
        *,
        initial: Path | None = None,
        checkpoint_root: str = "",
        base_model: str = "",
        **settings: object,
    ) -> dict[str, float]:
        metrics = KfpArtifact("")
        run(
            KfpArtifact(str(self.labeled)),
            base_model or str(two_tool_model()),
            json.dumps({**SETTINGS, **settings}),
            "",
            checkpoint_root,
            KfpArtifact(str(self.folder / name)),
            metrics,
            KfpArtifact(str(self.folder / f"{name}.html")),
            KfpArtifact(str(initial)) if initial else None,
        )
        return metrics.metrics

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        return load_file(open_artifact(self.folder / name, "adapter/1").path("adapter_model.safetensors"))


def some_traces(chat: Chat) -> list[LabeledTrace]:
    return [
        *(gold_trace(chat, topic) for topic in TOPICS),
        gold_trace(chat, "faulty", error=ToolError.TOOL_CALL_FAILURE),
        gold_trace(chat, "no tools", tools=[]),
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("ppo")
    chat = open_chat(str(two_tool_model()), CALL_FORMAT)
    return Workshop(chat, write_labeled(folder / "labeled", some_traces(chat)), folder)


def initial_artifact(shop: Workshop, name: str, *, whole: bool) -> Path:
    """What sft might have made: an adapter, or a whole model."""
    settings = PPOSettings.parse(json.dumps({**SETTINGS, "seed": 5}))
    roles = load_roles(str(two_tool_model()), settings, CALL_FORMAT)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in roles.actor_parameters.values():
            weight.add_(0.02 * torch.randn(weight.shape, generator=generator))
    folder = shop.folder / name
    with write_artifact(folder, "adapter/1") as writer:
        policy = roles.policy
        if whole:
            model = load_policy(str(two_tool_model()), settings=FLOAT32, call_format=CALL_FORMAT).model
            with torch.no_grad():
                model.model.norm.weight.mul_(1.01)
            save_weights(model, policy.tokenizer, writer.folder, str(two_tool_model()))
        else:
            save_weights(policy.model, policy.tokenizer, writer.folder, str(two_tool_model()))
        write_card(make_card(policy.chat, str(two_tool_model()), settings={}, lineage={}), writer.folder)
    return folder


def test_what_comes_out_fits_together(shop: Workshop) -> None:
    initial = initial_artifact(shop, "initial", whole=False)
    root = shop.folder / "checkpoints"
    metrics = shop.train("adapter", initial=initial, checkpoint_root=str(root))
    artifact = open_artifact(shop.folder / "adapter", "adapter/1")
    assert sorted(entry.path for entry in artifact.manifest.files) == FILES
    card = PolicyCard.model_validate_json(artifact.path("policy.json").read_text())
    lineage = {
        "labeled": open_artifact(shop.labeled, "labeled_traces/1").digest,
        "initial": open_artifact(initial, "adapter/1").digest,
    }
    assert card.lineage == artifact.manifest.lineage == lineage
    assert (card.template_hash, card.call_format) == (shop.chat.template_hash, CALL_FORMAT)
    rows = [json.loads(line) for line in artifact.path("training_log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert {"step", "loss", "learning_rate", "tokens", "reward", "kl"} <= rows[0].keys()
    assert metrics["tokens"] == sum(row["tokens"] for row in rows)
    assert (metrics["samples"], metrics["turns"], metrics["turns_faulty"]) == (8, 10, 1)
    assert (metrics["rollouts"], metrics["turns_quarantined"]) == (32, 1)
    assert artifact.manifest.details["quarantined"] == {"its tools can't be used": 1}
    assert artifact.manifest.details["moved"] == metrics["moved"] > 0
    assert {
        "reward_first",
        "reward_last",
        "clipped",
        "explained_variance_last",
        "correct_first",
    } <= metrics.keys()
    assert not [path for path in root.rglob("*") if path.is_file()]
    page = (shop.folder / "adapter.html").read_text()
    assert page.count("<polyline") == 6
    assert "trace-no tools:2: tools: expected at least one tool" in page
    assert "<script" not in page
    before, after = load_file(initial / "adapter_model.safetensors"), shop.weights("adapter")
    assert before.keys() == after.keys()

    settings = EngineSettings(model=ModelSettings(dtype="float32", device="cpu"), call_format=CALL_FORMAT)
    engine = open_engine(str(two_tool_model()), shop.folder / "adapter", settings)
    (turn,) = engine.complete(
        [Conversation(prompt_of("rain"))], Sampling(temperature=0, max_new_tokens=16), seeds=[0]
    )
    assert turn.text


def test_same_inputs_give_the_same_artifact(shop: Workshop) -> None:
    for name in ("once", "twice"):
        shop.train(name)
    assert len({open_artifact(shop.folder / name, "adapter/1").digest for name in ("once", "twice")}) == 1
    assert (shop.folder / "once").is_dir()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_whole_model_goes_in_and_a_whole_model_comes_out(shop: Workshop, method: str) -> None:
    initial = shop.folder / "whole"
    if not initial.exists():
        initial_artifact(shop, "whole", whole=True)
    rate: dict[str, Any] = (
        {"actor_learning_rate": 1e-4, "critic_learning_rate": 1e-4} if method == "full" else {}
    )
    metrics = shop.train(f"whole-{method}", initial=initial, method=method, **rate)
    before = load_file(initial / "model.safetensors")
    after = load_file(shop.folder / f"whole-{method}" / "model.safetensors")
    assert before.keys() == after.keys()
    distance = (
        sum(float((after[name].double() - before[name].double()).square().sum()) for name in before) ** 0.5
    )
    assert distance == pytest.approx(metrics["moved"], rel=1e-3)
    assert distance > 0
    load_policy(str(two_tool_model()), adapter=shop.folder / f"whole-{method}", call_format=CALL_FORMAT)


def in_child(action: Callable[[], object]) -> int:
    """Start `action` in a fork of this process, which spares it the imports; returns its process id."""
    child = os.fork()
    if child == 0:
        try:
            AcceleratorState._reset_state(reset_partial_state=True)
            action()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def end_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_killed_and_resumed_ends_with_bitwise_the_same_policy(shop: Workshop) -> None:
    root = shop.folder / "kept"
    shop.train("unharmed", checkpoint_root=str(shop.folder / "other"))
    whole_step = Training.step

    def killed(training: Training, number: int) -> LogRow:
        if number == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole_step(training, number)

    def attempt() -> None:
        Training.step = killed  # type: ignore[method-assign, assignment]
        shop.train("resumed", checkpoint_root=str(root))

    assert end_of(in_child(attempt)) == -signal.SIGKILL
    steps = sorted(path.parent.name for path in root.rglob("manifest.json"))
    assert steps == ["step-00000002", "step-00000004"]
    assert not list(root.rglob("*.pt")) + list(root.rglob("*.bin")) + list(root.rglob("*.pkl"))
    metrics = shop.train("resumed", checkpoint_root=str(root))
    assert metrics["resumed_from_step"] == 4
    digests = {open_artifact(shop.folder / name, "adapter/1").digest for name in ("unharmed", "resumed")}
    assert len(digests) == 1


def test_two_processes_train_what_one_trains(shop: Workshop) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def attempt(rank: int) -> None:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        shop.train("together", checkpoint_root=str(shop.folder / "checkpoints-2"))

    children = [in_child(partial(attempt, rank)) for rank in range(2)]
    alone = shop.train("alone")
    assert [end_of(child) for child in children] == [0, 0]
    rows = [
        [json.loads(line) for line in (shop.folder / name / "training_log.jsonl").read_text().splitlines()]
        for name in ("alone", "together")
    ]
    assert len(rows[0]) == len(rows[1]) == STEPS
    for one, other in zip(*rows, strict=True):
        assert one["reward"] == pytest.approx(other["reward"])
        assert (one["tokens"], one["rollouts"]) == (other["tokens"], other["rollouts"])
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3, abs=1e-4)
    moved = open_artifact(shop.folder / "together", "adapter/1").manifest.details["moved"]
    assert moved == pytest.approx(alone["moved"], rel=1e-3)
    for name, weight in shop.weights("alone").items():
        torch.testing.assert_close(shop.weights("together")[name], weight, rtol=1e-2, atol=1e-5)


def test_an_adapter_of_another_base_model_is_refused(shop: Workshop) -> None:
    initial = initial_artifact(shop, "origin", whole=False)
    other = build_tiny_model(shop.folder / "other-base", hidden=64, seed=1)
    with pytest.raises(InputError, match="it was trained with base model"):
        shop.train("never", initial=initial, base_model=str(other))
    assert not (shop.folder / "never").exists()


def test_wrong_or_empty_inputs_leave_nothing_behind(shop: Workshop, tmp_path: Path) -> None:
    for message, schema in {
        "expected an artifact of labeled_traces/1, this is one of traces/1": "traces/1",
        "holds no traces; expected at least one with a call that is right": "labeled_traces/1",
    }.items():
        folder = tmp_path / schema.replace("/", "-")
        with write_artifact(folder, schema) as writer:
            (writer.folder / "traces.jsonl").touch()
        with pytest.raises(InputError, match=message):
            Workshop(shop.chat, folder, tmp_path).train("nothing")
    unusable = write_labeled(tmp_path / "unusable", [gold_trace(shop.chat, "x", tools=[])])
    with pytest.raises(InputError, match="none of 1 assistant turns is a prompt with gold calls"):
        Workshop(shop.chat, unusable, tmp_path).train("nothing")
    assert not (tmp_path / "nothing").exists()
    assert not (tmp_path / "nothing.html").exists()


def test_the_command_line_says_what_is_wrong_in_one_line(
    shop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--labeled",
        str(shop.labeled),
        "--base-model",
        "nowhere",
        "--output",
        str(shop.folder / "no"),
    ]
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_settings_presets_and_errors() -> None:
    paper = PPOSettings.parse('{"preset": "tl-training"}')
    assert (paper.actor_learning_rate, paper.critic_learning_rate) == (2e-6, 1e-6)
    assert (paper.batch_size, paper.epochs, paper.ppo_epochs, paper.max_new_tokens) == (8, 3, 1, 512)
    assert (paper.kl_coefficient, paper.gamma, paper.lambda_, paper.reward_clip) == (0.4, 1.0, 0.95, 5.0)
    assert (paper.policy_clip, paper.value_clip, paper.adam_betas) == (0.2, 0.2, (0.9, 0.95))
    assert paper.sampling == "sampled"
    assert PPOSettings.parse(paper.canonical()) == paper
    demo = PPOSettings.parse('{"preset": "demo_calls"}')
    assert demo.max_samples * demo.rollouts_per_prompt * demo.epochs >= 128
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        PPOSettings.parse('{"epoch": 1}')
    with pytest.raises(InputError, match="rollouts_per_prompt: 3 does not divide batch_size 8"):
        PPOSettings.parse('{"rollouts_per_prompt": 3}')


def test_off_hands_the_policy_on(shop: Workshop) -> None:
    settings = json.dumps(SETTINGS)
    for name, initial in (("off", None), ("off-again", "off")):
        metrics = KfpArtifact("")
        run(
            KfpArtifact(str(shop.labeled)),
            str(two_tool_model()),
            settings,
            "",
            "",
            KfpArtifact(str(shop.folder / name)),
            metrics,
            KfpArtifact(str(shop.folder / f"{name}.html")),
            KfpArtifact(str(shop.folder / initial)) if initial else None,
            "sft,mcts,dpo",
        )
        assert metrics.metrics == {
            "handed_on": 1.0,
            "untrained_adapter": float(initial is None),
            "moved": 0.0,
        }
    assert open_artifact(shop.folder / "off", "adapter/1").digest == (
        open_artifact(shop.folder / "off-again", "adapter/1").digest
    )
    assert all(not weight.any() for name, weight in shop.weights("off").items() if "lora_B" in name)
