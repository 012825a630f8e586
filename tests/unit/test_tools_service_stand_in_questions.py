"""Questions made for stand-ins: each one's answer is what the service replies to its gold call, and no other."""

import json
from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import Message, Question, ToolCall
from components.contracts.tool_schemas import ToolSchema, parse_tools, tool_name
from components.ingest.run import run as ingest
from components.rollout.tools_client import ToolsClient
from components.scoring.answers import is_correct
from tests.tools_process import tools_service
from tools_service.stand_in_questions import REQUEST, main, make_stand_in_questions


def tool(name: str, required: int = 1, /, **parameters: str) -> ToolSchema:
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)[:required]}
    return {"type": "function", "function": {"name": name, "description": f"{name}.", "parameters": schema}}


WEATHER = tool("weather.in", city="string", days="integer", unit="string")
AREA = tool("area", 2, base="number", height="number")
OTHER_AREA = tool("area", radius="number")


def question(identifier: str, *golds: tuple[ToolCall, ...], tools: tuple[ToolSchema, ...] = (WEATHER, AREA)):  # type: ignore[no-untyped-def]
    return Question(
        id=identifier, text=f"Ask {identifier}.", kind="bfcl", offered=json.dumps(tools), golds=golds
    )


def call(name: str, /, **arguments: object) -> ToolCall:
    return ToolCall.model_validate({"name": name, "arguments": arguments})


GOOD = [
    question("one", (call("weather.in", city="Oslo"),)),
    question(
        "several",
        (call("weather.in", city="Oslo", days=1),),
        (call("weather.in", city="Oslo", days=1, unit="C"),),
        (call("weather.in", city="Oslo", days=1),),
    ),
    question("number", (call("area", base=10, height=2.5),)),
    question("partly", (call("area", radius=3),), (call("area", base=1, height=3),)),
]
LEFT_OUT = {
    "without golds": question("none"),
    "with a conversation before": question("talk", (call("weather.in", city="Rome"),)).model_copy(
        update={"history": (Message(role="system", content="Be brief."),)}
    ),
    "with several calls at once": question(
        "two", (call("area", base=1, height=1), call("weather.in", city="Rome"))
    ),
    "for a tool of the service's own": question(
        "own", (call("calculator", expression="1"),), tools=(tool("calculator", expression="string"),)
    ),
    "whose call gives the value itself": question(
        "told", (call("set", value=3),), tools=(tool("set", value="integer"),)
    ),
    "whose golds fit no shown schema": question("clash", (call("area", radius=3),), tools=(OTHER_AREA,)),
}


def test_what_cannot_be_asked_is_left_out_and_counted() -> None:
    made = make_stand_in_questions([*GOOD, *LEFT_OUT.values()])
    assert [one.id for one in made.questions] == [one.id for one in GOOD]
    assert made.left_out == dict.fromkeys(LEFT_OUT, 1)
    assert [tool_name(one) for one in made.tools] == ["weather.in", "area", "set"]
    assert made.tools[1] == AREA  # the first of two schemas
    assert [len(one.answers) for one in made.questions] == [1, 2, 1, 1]
    for before, after in zip(GOOD, made.questions, strict=True):
        assert after.text == f"{before.text}\n{REQUEST}"
        assert (after.golds, after.offered, after.tools, after.answer_type) == ((), "", (), "number")


def test_a_text_that_says_the_answer_is_left_out() -> None:
    (answer,) = make_stand_in_questions(GOOD[:1]).questions[0].answers
    told = GOOD[0].model_copy(update={"id": "told", "text": f"Is it {answer}?"})
    made = make_stand_in_questions([*GOOD, told])
    assert made.left_out == {"whose text says the answer": 1}


def test_the_service_replies_with_the_answers(tmp_path: Path) -> None:
    write_records(tmp_path / "golds.jsonl", [*GOOD, LEFT_OUT["with several calls at once"]])
    files = ["--tools-out", str(tmp_path / "tools.json"), "--questions-out", str(tmp_path / "asked.jsonl")]
    assert main(["--golds", str(tmp_path / "golds.jsonl"), *files]) == 0
    asked = {one.id: one for one in read_records(tmp_path / "asked.jsonl", Question)}
    offered = parse_tools((tmp_path / "tools.json").read_text(encoding="utf-8"))
    accepted: dict[str, set[str]] = {identifier: set() for identifier in asked}
    with (
        tools_service(tmp_path, "--stand-ins", str(tmp_path / "tools.json")) as service,
        ToolsClient(service.url) as client,
    ):
        shown = {tool_name(one): one for one in client.list_tools()}
        assert all(shown[tool_name(one)] == one for one in offered)
        for given in GOOD:
            for (gold,) in given.golds:
                (reply,) = client.call_batch([gold])
                if reply.error is None:
                    value = str(json.loads(reply.content)["result"]["value"])
                    assert is_correct(value, asked[given.id])
                    accepted[given.id].add(value)
        wrong = [call("weather.in", city="oslo"), call("weather.in", city="Oslo", unit="C")]
        replies = client.call_batch([*wrong, call("area", base=10.0, height=2.5)])
    assert accepted == {identifier: set(one.answers) for identifier, one in asked.items()}
    values = [str(json.loads(reply.content)["result"]["value"]) for reply in replies]
    assert not any(is_correct(value, asked["one"]) for value in values[:2])
    assert is_correct(values[2], asked["number"])  # 10.0 is 10


def test_ingest_reads_the_questions(tmp_path: Path) -> None:
    from kfp import dsl

    made = make_stand_in_questions(GOOD)
    write_records(tmp_path / "asked.jsonl", made.questions)
    ingest(
        str(tmp_path / "asked.jsonl"),
        json.dumps({"held_out_share": 1.0}),
        "",
        dsl.Dataset(uri=str(tmp_path / "questions")),
        dsl.Dataset(uri=str(tmp_path / "trajectories")),
        dsl.Metrics(uri="metrics"),
        dsl.Markdown(uri=str(tmp_path / "report.md")),
    )
    read = {one.id: one for one in read_records(tmp_path / "questions" / "held_out.jsonl", Question)}
    for one in made.questions:
        kept = read[one.id]
        assert (kept.text, kept.answers, kept.answer_type) == (one.text, one.answers, "number")


def test_a_limit_draws_by_the_seed_and_keeps_all_tools() -> None:
    chosen = [make_stand_in_questions(GOOD, limit=2, seed=seed) for seed in (1, 1, 2, 3, 4)]
    assert chosen[0] == chosen[1]
    assert all(len(one.questions) == 2 and len(one.tools) == 2 for one in chosen)
    assert len({one.questions for one in chosen}) > 1
    assert make_stand_in_questions(GOOD, limit=99) == make_stand_in_questions(GOOD)


def test_sets_that_cannot_be_used_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="'one' is there twice"):
        make_stand_in_questions([GOOD[0], GOOD[0]])
    with pytest.raises(InputError, match="1 without golds"):
        make_stand_in_questions([LEFT_OUT["without golds"]])
    with pytest.raises(InputError, match="the set is empty"):
        make_stand_in_questions([])
    golds, out = tmp_path / "golds.jsonl", tmp_path / "tools.json"
    golds.write_text('{"id": "a"}\n', encoding="utf-8")
    files = ["--tools-out", str(out), "--questions-out", str(tmp_path / "q.jsonl")]
    assert main(["--golds", str(golds), *files]) == 1
    said = capsys.readouterr().err
    assert "golds.jsonl:1" in said
    assert said.count("\n") == 1
    assert not out.exists()
