"""Questions with gold calls, what a scripted policy says to them, and the stage run on them. Not a test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.jsonl import write_records
from components.contracts.records import Question, ToolCall
from components.evaluation.run import run
from components.policy.engine import Conversation
from tests.scripted_engine import ScriptedEngine, last_text

NOWHERE = "http://127.0.0.1:9"


def make_tool(name: str, *parameters: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {parameter: {"type": "string"} for parameter in parameters},
        "required": list(parameters[:1]),
    }
    return {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}


OFFERED = json.dumps(
    [make_tool("weather", "city", "days"), make_tool("weather_map", "city"), make_tool("now")]
)


def call(name: str, /, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def gold(identifier: str, *golds: ToolCall, kind: str = "rotbench_clean", **values: Any) -> Question:
    """Each gold is an alternative of one call."""
    return Question(
        id=identifier,
        text=f"Ask {identifier}",
        kind=kind,
        offered=OFFERED,
        golds=tuple((one,) for one in golds),
        **values,
    )


OSLO = call("weather", city="Oslo")
GOLDS = [
    gold("right", OSLO),
    gold("second", call("now"), OSLO),
    gold("value", OSLO),
    gold("extra", OSLO, kind="rotbench_heavy"),
    gold("tool", OSLO, kind="rotbench_heavy"),
    gold("broken", OSLO, kind="other"),
    gold("silent", OSLO, kind="other"),
    gold("no such", OSLO, kind="other"),
]
SAID = {
    "right": '[weather(city="Oslo")]',
    "second": '[weather(city="Oslo")]',
    "value": '[weather(city="oslo")]',
    "extra": '[weather(city="Oslo", sky="blue")]',
    "tool": '[weather_map(city="Oslo")]',
    "broken": '[weather(city="Oslo"',
    "silent": "It is raining.",
    "no such": '[oracle(city="Oslo")]',
}


def script(conversation: Conversation) -> str:
    return SAID[last_text(conversation).removeprefix("Ask ")]


class ScriptedPolicy:
    """Opens a scripted engine in place of a model, for the stage as a whole."""

    def __init__(self, said: Callable[[Conversation], str]) -> None:
        self.engine = ScriptedEngine(said, call_format="pythonic")

    def __call__(self, *_: object) -> ScriptedEngine:
        return self.engine


def question_set(folder: Path, questions: list[Question]) -> Artifact:
    with write_artifact(folder, "questions/1") as writer:
        write_records(writer.folder / "held_out.jsonl", questions)
    return open_artifact(folder, "questions/1")


def evaluate(
    questions: list[Question], model: Path | str, url: str, output: Path, title: str = "", **settings: Any
) -> tuple[Artifact, dict[str, Any], dict[str, Any]]:
    """Run the stage; the artifact, its summary, and the metrics it logged."""
    asked = question_set(output / "questions", questions)
    metrics = dsl.Metrics(uri="metrics")
    chosen = {"engine": {"call_format": "pythonic", "model": {"dtype": "float32"}}} | settings
    run(
        dsl.Dataset(uri=str(asked.folder)),
        str(model),
        url,
        json.dumps(chosen),
        "",
        dsl.Dataset(uri=str(output / "evaluation")),
        metrics,
        dsl.HTML(uri=str(output / "report.html")),
        title=title,
    )
    opened = open_artifact(output / "evaluation", "evaluation/1")
    return opened, json.loads(opened.path("summary.json").read_text()), dict(metrics.metadata)
