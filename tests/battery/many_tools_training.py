"""A short round of self-training over more tools than fit a prompt, stage by stage. Not a test."""

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kfp import dsl

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import LabeledTrace, Question, Trace
from components.contracts.tool_schemas import parse_tools, tool_name
from components.error_labeling.run import run as label
from components.evaluation.run import run as evaluate
from components.ingest.run import run as ingest
from components.sft.run import run as fine_tune
from components.trace_generation.run import run as practise


@dataclass(frozen=True)
class TrainingSizes:
    """practice, judged: questions, none in both. k: tools offered with each."""

    practice: int
    judged: int
    k: int


class Folder:
    """KFP artifacts below one folder, as its local runner would hand them over."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def dataset(self, name: str) -> Any:
        return dsl.Dataset(uri=str(self.path / name))

    def report(self, name: str) -> Any:
        return dsl.HTML(uri=str(self.path / f"{name}.html"))


def train_round(
    questions: Sequence[Question],
    gold_tools: Mapping[str, str],
    base_model: str,
    tools_url: str,
    folder: Path,
    sizes: TrainingSizes,
    *,
    seed: int,
) -> dict[str, Any]:
    """Practice with each offered tool prefilled once, labels, SFT, and other questions judged before and after.

    gold_tools: question id -> the tool that answers it. What comes back is ready to be printed; `reason`
    instead of an `after` says that no trace was right.
    """
    drawn = random.Random(seed).sample(list(questions), sizes.practice + sizes.judged)
    place = Folder(folder)
    write_records(folder / "practice.jsonl", drawn[: sizes.practice])
    write_records(folder / "judged.jsonl", drawn[sizes.practice :])
    asked, metrics = place.dataset("questions"), dsl.Metrics(uri="metrics")
    ingest(
        str(folder / "practice.jsonl"),
        json.dumps({"held_out": str(folder / "judged.jsonl")}),
        "",
        asked,
        place.dataset("trajectories"),
        metrics,
        dsl.Markdown(uri=str(folder / "ingest.md")),
    )
    engine = {"call_format": "paper", "batch_size": 64}
    shown = {"max_tools": sizes.k, "max_new_tokens": 48, "engine": engine}
    judging = json.dumps({"preset": "demo", **shown})
    found: dict[str, Any] = asdict(sizes)

    def judge(name: str, adapter: Any) -> None:
        begin = time.monotonic()
        output, said = place.dataset(name), place.report(name)
        evaluate(asked, base_model, tools_url, judging, "", output, metrics, said, adapter)
        artifact = open_artifact(Path(output.path), "evaluation/1")
        overall = json.loads(artifact.path("summary.json").read_text())["overall"]
        kept = {key: overall[key] for key in ("accuracy", "invoke_rate", "pass_rate", "answerable_rate")}
        retrieved = _gold_offered(artifact.path("traces.jsonl"), gold_tools)
        found[name] = {**kept, "gold_offered": retrieved, "seconds": round(time.monotonic() - begin, 1)}
        print(f"{name}: {found[name]}", flush=True)

    judge("before", None)
    begin = time.monotonic()
    traces, labeled = place.dataset("traces"), place.dataset("labeled")
    practice = {"preset": "demo", "num_samples": 1 + sizes.k, **shown}
    practise(asked, base_model, tools_url, json.dumps(practice), "", 0, traces, metrics)
    label(
        [traces],
        json.dumps({"preset": "demo", "recipe": "tools"}),
        "",
        labeled,
        metrics,
        dsl.ClassificationMetrics(uri="classification"),
        place.report("labels"),
    )
    found["practice_seconds"] = round(time.monotonic() - begin, 1)
    written = list(
        read_records(open_artifact(Path(labeled.path), "labeled_traces/1").path("traces.jsonl"), LabeledTrace)
    )
    found["traces"] = len(written)
    found["right"] = sum(trace.outcome.correct is True for trace in written)
    found["trained"] = sum(any(one.trained for one in trace.labels) for trace in written)
    print(f"practice: {found}", flush=True)
    begin = time.monotonic()
    adapter = dsl.Model(uri=str(folder / "adapter"))
    settings = json.dumps({"preset": "demo", "max_tokens": 4096, "batch_size": 4, "epochs": 6})
    checkpoints = str(folder / "checkpoints")
    try:
        fine_tune(labeled, base_model, settings, "", checkpoints, adapter, metrics, place.report("sft"))
    except InputError as error:
        return {**found, "reason": str(error)}
    found["sft_seconds"] = round(time.monotonic() - begin, 1)
    judge("after", adapter)
    return found


def _gold_offered(traces: Path, gold_tools: Mapping[str, str]) -> float:
    """The share of questions whose gold tool was among those offered."""
    offered = [
        gold_tools[trace.question.id] in map(tool_name, parse_tools(trace.tools))
        for trace in read_records(traces, Trace)
    ]
    return sum(offered) / len(offered)
