"""Hand-made evaluations, adapters and traces of rounds, on disk. Not a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import EvaluationItem, LabeledTrace
from components.rounds.records import RoundRecord
from components.rounds.run import run
from tests.evaluation_samples import labeled, question, trace, write_labeled

QUESTIONS = 40
KINDS = ("places", "no_tool")  # of each half as many
MODEL = "demo://test"
FAST: dict[str, Any] = {"samples": 400}
# What a round gives out for the next one to hand on, unless that is better.
KEPT = [name.removesuffix("_so_far") for name in signature(run).parameters if name.endswith("_so_far")]


@dataclass(frozen=True)
class Policy:
    """How a policy does: of each kind's questions so many are right, and a tool is called on so many."""

    right: int
    called: int
    right_no_tool: int = 15
    called_no_tool: int = 0


BASE = Policy(right=5, called=10)
BETTER = Policy(right=12, called=18)
WORSE = Policy(right=2, called=15)


def items_of(policy: Policy, *, shuffled: bool = False) -> list[EvaluationItem]:
    """20 questions that need a tool, 20 that need none; the first ones of each are right and call."""
    found = []
    sides = zip(
        KINDS, ((policy.right, policy.called), (policy.right_no_tool, policy.called_no_tool)), strict=True
    )
    for kind, (right, called) in sides:
        for number in range(QUESTIONS // 2):
            calls = int(number < called)
            found.append(
                EvaluationItem(
                    id=f"{kind}-{number}",
                    suite="validation",
                    kind=kind,
                    question=f"question {number}",
                    gold=(str(number),),
                    answer=str(number),
                    correct=number < right,
                    exact_match=number < right - 1,
                    calls=calls,
                    first_turn_calls=calls,
                    passed_calls=calls * (number % 2),
                    answerable_calls=0,
                    tools_called=("calculator",) * calls,
                    errors=(),
                    seconds=0.1,
                    tokens=3,
                    trace_id=f"{kind}-{number}#0",
                )
            )
    return found[::-1] if shuffled else found


def write_evaluation(
    folder: Path,
    items: Sequence[EvaluationItem],
    *,
    adapter: str = "",
    questions: str = "q" * 64,
    split: str = "validation",
    title: str = "",
    temperature: float = 0.0,
) -> Artifact:
    """An `evaluation/1` of these items; the stage reads nothing else of it."""
    with write_artifact(folder, "evaluation/1") as writer:
        write_records(writer.folder / "items.jsonl", items)
        writer.lineage["question_set"] = questions
        writer.details["base_model"] = MODEL
        writer.details["title"] = title
        writer.details["split"] = split
        writer.details["settings"] = {"temperature": temperature, "split": split}
        if adapter:
            writer.lineage["adapter"] = adapter
    return open_artifact(folder, "evaluation/1")


def write_adapter(folder: Path, weights: str) -> Artifact:
    """An `adapter/1` whose digest depends on `weights`."""
    with write_artifact(folder, "adapter/1") as writer:
        (writer.folder / "adapter_model.safetensors").write_text(weights)
    return open_artifact(folder, "adapter/1")


def practised(distinct: int, count: int = 60) -> list[LabeledTrace]:
    """`count` trained traces of as many questions, with `distinct` different answers."""
    return [
        labeled(trace(question("places", number), answer=f"town {number % distinct} it is"), "")
        for number in range(count)
    ]


@dataclass
class Shop:
    """A folder in which rounds follow each other; each takes what the one before handed on."""

    folder: Path
    store: str = ""
    settings: str = '{"samples": 400, "margin": 0.05}'
    number: int = 0
    method: str = "sft"
    metrics: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Artifact] = field(default_factory=dict)
    replaced: dict[str, Any] = field(default_factory=dict)  # inputs of the stage
    title: str = ""
    brought: Sequence[LabeledTrace] = ()  # into every round, by a user or a teacher

    def begin(self, policy: Policy = BASE) -> "Shop":
        """Judge the base model."""
        self.inputs["base"] = write_evaluation(self.folder / "base", items_of(policy), title="base model")
        return self

    def train(self, policy: Policy, *, traces: Sequence[LabeledTrace] | None = None, title: str = "") -> str:
        """A round that trains a new adapter; the method of the next round."""
        place = self.folder / f"inputs_{self.number + 1}"
        adapter = write_adapter(place / "adapter", f"weights of round {self.number + 1}")
        return self.judge(adapter, policy, practised(40) if traces is None else traces, title)

    def hand_on(self, policy: Policy) -> str:
        """A round in which nothing is trained: its adapter is what the round before handed on."""
        return self.judge(open_artifact(self.output / "next_adapter", "adapter/1"), policy, ())

    def idle(self, policy: Policy, *, traces: Sequence[LabeledTrace] | None = None, title: str = "") -> str:
        """A round that practises and finds nothing to train on."""
        return self.judge(
            open_artifact(self.output / "next_adapter", "adapter/1"),
            policy,
            practised(40) if traces is None else traces,
            title,
        )

    def judge(
        self, adapter: Artifact, policy: Policy, traces: Sequence[LabeledTrace], title: str = ""
    ) -> str:
        """Write the round's other inputs and run the stage on them."""
        place = self.folder / f"inputs_{self.number + 1}"
        items = items_of(policy, shuffled=True)
        self.inputs["evaluation"] = write_evaluation(place / "evaluation", items, adapter=adapter.digest)
        self.title = title
        self.inputs["adapter"] = adapter
        sampled = [one.model_copy(update={"model": MODEL, "adapter": self.begins_with()}) for one in traces]
        self.inputs["labeled"] = write_labeled(place / "labeled", [*sampled, *self.brought])
        return self.run()

    def begins_with(self) -> str:
        """The digest of the adapter that the next round begins with; empty for the base model."""
        return self.digest("next_adapter") if self.number else ""

    def run(self, **replaced: Any) -> str:
        """Run the stage on `inputs`, the round before included."""
        last = self.output if self.number else None
        self.number += 1
        metrics = dsl.Metrics(uri="metrics")
        inputs = {name: dsl.Dataset(uri=str(one.folder)) for name, one in self.inputs.items()}
        given: dict[str, Any] = {
            **inputs,
            "settings": self.settings,
            "artifact_store": self.store,
            "history": dsl.Dataset(uri=str(self.output / "history")),
            **self.kept(self.output),
            "next_adapter": dsl.Model(uri=str(self.output / "next_adapter")),
            "metrics": metrics,
            "report": dsl.HTML(uri=str(self.output / "report.html")),
            "earlier": dsl.Dataset(uri=str(last / "history")) if last else None,
            **({f"{name}_so_far": one for name, one in self.kept(last).items()} if last else {}),
            "method": self.method,
            "title": self.title,
        }
        self.method = run(**{**given, **self.replaced, **replaced})
        self.metrics = dict(metrics.metadata)
        return self.method

    def kept(self, folder: Path) -> dict[str, dsl.Artifact]:
        """What a round gives out of the best round, as outputs or as inputs."""
        return {name: dsl.Artifact(uri=str(folder / name)) for name in KEPT}

    @property
    def output(self) -> Path:
        """What the latest round wrote."""
        return self.folder / f"round_{self.number}"

    def records(self) -> list[RoundRecord]:
        """The rounds so far, from the base model on."""
        history = open_artifact(self.output / "history", "rounds/1")
        return list(read_records(history.path("rounds.jsonl"), RoundRecord))

    def digest(self, name: str) -> str:
        """The digest of `best` or `next_adapter`."""
        return open_artifact(self.output / name, "adapter/1").digest

    def page(self) -> str:
        """The latest report."""
        return (self.output / "report.html").read_text(encoding="utf-8")


def interval_of(one: Any) -> Mapping[str, float]:
    """An interval's numbers, whichever class it is of."""
    return {"mean": one.mean, "low": one.low, "high": one.high}
