"""The demo's tool calls: what is judged shares nothing with what is trained on, and faults are what they say."""

import json
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from components.contracts.artifacts import open_artifact
from components.contracts.jsonl import read_records
from components.contracts.records import Question, Trace
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import parse_tools, tool_name, tool_parameters, validate_call
from components.ingest.demo_calls import CALLS, UNSEEN_TOOLS, demo_calls
from components.ingest.demo_calls_faults import HABITS
from components.ingest.demo_calls_tools import NUMBER_POOLS, TOOLS
from components.ingest.demo_calls_traces import is_faulty
from components.ingest.demo_calls_values import HELD_OUT as HELD_OUT_VALUES
from components.ingest.demo_calls_values import TRAIN as TRAIN_VALUES
from components.ingest.demo_calls_wording import HELD_OUT, TRAIN
from components.ingest.run import run
from components.policy.demo_model import DEMO_URI, demo_model
from components.rollout.prompts import build_messages
from components.scoring.verdicts import CallVerdict, judge_call
from components.storage.cache import cache_folder

SEEDS = (0, 1, 19, 2024)
PROMPT_TOKENS = 230


class Demo(NamedTuple):
    traces: list[Trace]
    train: list[Question]
    held_out: list[Question]


@pytest.fixture(scope="module", params=SEEDS)
def demo(request: pytest.FixtureRequest) -> Demo:
    return Demo(*demo_calls(request.param))


def arguments(questions: list[Question]) -> dict[str, set[object]]:
    """The values of all golds by the pool that they come from, those of enumerations and flags left out."""
    found: dict[str, set[object]] = {}
    for question in questions:
        for call in question.golds[0]:
            for name, value in call.arguments.items():
                pool = TOOLS[call.name].pool(name).removeprefix("other_")
                if pool in TRAIN_VALUES:
                    found.setdefault(pool, set()).add(value)
    return found


def masked(question: Question) -> str:
    """The text with the gold's values taken out, longest first."""
    text = question.text
    for value in sorted(map(str, question.golds[0][0].arguments.values()), key=len, reverse=True):
        text = text.replace(value, "#")
    return text


def test_sizes_and_kinds(demo: Demo) -> None:
    assert (len(demo.traces), len(demo.train), len(demo.held_out)) == (240, 240, 120)
    assert Counter(one.kind for one in demo.train) == {CALLS: 240}
    assert Counter(one.kind for one in demo.held_out) == {CALLS: 96, UNSEEN_TOOLS: 24}
    everything = demo.train + demo.held_out
    assert len({one.id for one in everything}) == len(everything)
    assert len({one.text for one in everything}) == len(everything)
    assert [trace.question for trace in demo.traces] == demo.train
    assert 28 <= len(TOOLS) <= 32


def test_no_value_is_on_both_sides(demo: Demo) -> None:
    train, held_out = arguments(demo.train), arguments(demo.held_out)
    assert train.keys() == held_out.keys() == TRAIN_VALUES.keys() == HELD_OUT_VALUES.keys()
    for pool in train:
        assert train[pool].isdisjoint(held_out[pool])
        assert set(TRAIN_VALUES[pool]).isdisjoint(HELD_OUT_VALUES[pool])


def test_no_wording_is_on_both_sides(demo: Demo) -> None:
    assert {masked(one) for one in demo.train}.isdisjoint(masked(one) for one in demo.held_out)
    train = {template.text for one in TRAIN.values() for template in one}
    held_out = {template.text for one in HELD_OUT.values() for template in one}
    assert len(train) == 144
    assert len(held_out) == 90
    assert train.isdisjoint(held_out)


def test_unseen_tools_are_nowhere_in_training(demo: Demo) -> None:
    unseen = {name for name, tool in TOOLS.items() if not tool.trained}
    seen = {tool_name(tool) for trace in demo.traces for tool in parse_tools(trace.tools)}
    assert seen == TOOLS.keys() - unseen
    asked = {(one.kind == UNSEEN_TOOLS, one.golds[0][0].name in unseen) for one in demo.held_out}
    assert asked == {(True, True), (False, False)}


def test_golds_fit_the_offered_tools_and_stand_in_the_request(demo: Demo) -> None:
    for question in demo.train + demo.held_out:
        ((gold,),) = question.golds
        tools = parse_tools(question.offered)
        assert validate_call(gold, tools) is None
        parameters = tool_parameters(next(tool for tool in tools if tool_name(tool) == gold.name))
        for name, value in gold.arguments.items():
            implied = "enum" in parameters[name] or parameters[name]["type"] == "boolean"
            assert implied or str(value) in question.text


def test_three_or_four_tools_with_a_neighbour_by_name(demo: Demo) -> None:
    for question in demo.train + demo.held_out:
        names = [tool_name(tool) for tool in parse_tools(question.offered)]
        assert len(names) == len(set(names))
        assert len(names) in (3, 4)
        right = question.golds[0][0].name
        prefix = TOOLS[right].family
        near = [name for name in names if name != right and name.startswith(prefix)]
        assert right.startswith(prefix)
        assert near
        assert len(near) < len(names) - 1


def test_parameters_of_every_type_are_asked_for(demo: Demo) -> None:
    used = {
        TOOLS[one.golds[0][0].name].pool(name) for one in demo.held_out for name in one.golds[0][0].arguments
    }
    assert {NUMBER_POOLS.get(pool, "string") for pool in used} == {"string", "integer", "number", "boolean"}
    assert used & {"cabin", "mode", "scale"}


def test_a_fifth_is_faulty_and_a_sixth_of_that_never_recovers(demo: Demo) -> None:
    faulty = [trace for trace in demo.traces if is_faulty(trace)]
    assert len(faulty) == 48
    assert Counter(trace.question.golds[0][0].name for trace in faulty) == dict.fromkeys(HABITS, 6)
    lost = [trace for trace in faulty if len(trace.calls) == 1]
    assert len(lost) == 8
    for trace in lost:
        assert trace.messages[-1].content.startswith(("Sorry", "I am"))


def test_faulty_calls_are_wrong_and_told_so_without_a_code(demo: Demo) -> None:
    expected = {
        "hallucinated_tool": ToolError.TOOL_HALLUCINATION,
        "neighbour_tool": ToolError.PARAMETER_HALLUCINATION,
        "hallucinated_parameter": ToolError.PARAMETER_HALLUCINATION,
        "missing_parameter": ToolError.MISSING_PARAMETER,
        "wrong_type": ToolError.WRONG_TYPE_OR_VALUE,
        "tool_failure": None,  # by the schema alone; the value is wrong
    }
    kinds = set()
    for trace in filter(is_faulty, demo.traces):
        first = trace.calls[0]
        gold = trace.question.golds[0][0]
        kind = HABITS[gold.name].kind
        kinds.add(kind)
        assert first.call is not None
        assert validate_call(first.call, parse_tools(trace.tools)) == expected[kind]
        assert judge_call(first.call, gold) is not CallVerdict.CORRECT
        assert first.reply.error is None
        assert first.reply.content
        assert "{" not in first.reply.content or json.loads(first.reply.content)
    assert kinds == set(expected)


@pytest.mark.parametrize("call_format", CALL_FORMATS)
def test_trajectories_read_back_as_what_was_called(call_format: str) -> None:
    traces, _, _ = demo_calls(7, call_format)
    form = get_call_format(call_format)
    for trace in traces:
        tools = parse_tools(trace.tools)
        assert [message.role for message in trace.messages[:2]] == ["system", "user"]
        assert [turn.message for turn in trace.turns] == [
            index for index, message in enumerate(trace.messages) if message.role == "assistant"
        ]
        for call in trace.calls:
            (parsed,) = form.parse(trace.messages[call.message].content, tools).calls
            # `paper` reads names that the tool does not have as part of its one text
            if call_format != "paper" or not is_faulty(trace):
                assert call.call is not None
                assert (parsed.call.name, parsed.call.arguments) == (call.call.name, call.call.arguments)
            assert parsed.text == call.text
            reply = trace.messages[call.message + 1]
            assert (reply.role, reply.content) == ("tool", call.reply.content)
        answer = form.parse(trace.messages[-1].content, tools)
        assert answer.calls == ()
        assert answer.answer == trace.outcome.answer
        assert trace.call_format == call_format


def test_the_seed_alone_decides() -> None:
    assert demo_calls(3) == demo_calls(3)
    assert {one.text for one in demo_calls(3)[2]} != {one.text for one in demo_calls(4)[2]}
    assert demo_calls(3)[1:] == demo_calls(3, "hermes")[1:]


def demo_tokenizer() -> Path | None:
    """The demo model's folder when it is on this machine already: WHETSTONE_DEMO_MODEL, or the cache."""
    given = os.environ.get("WHETSTONE_DEMO_MODEL")
    if given:
        return Path(given)
    return demo_model(DEMO_URI) if any(cache_folder().glob("models/smollm2-135m-instruct-*")) else None


def test_prompts_are_short(demo: Demo) -> None:
    folder = demo_tokenizer()
    if folder is None:
        pytest.skip("the demo model's tokenizer is not in the cache (WHETSTONE_DEMO_MODEL, or make run)")
    from components.policy.load import open_chat

    chat = open_chat(str(folder), "pythonic")
    for question in demo.train + demo.held_out:
        tools = parse_tools(question.offered)
        messages = build_messages(question, tools, "multi_step", "pythonic", chat.native_tools)
        assert len(chat.encode(messages, generation_prompt=True).ids) <= PROMPT_TOKENS


def test_ingest_takes_the_source_and_counts_what_is_faulty(tmp_path: Path) -> None:
    settings = {"seed": 19, "call_format": "pythonic"}
    made = {name: SimpleNamespace(path=str(tmp_path / name)) for name in ("questions", "traces", "report")}
    metrics = SimpleNamespace(log_metric=lambda name, value: None)
    shards = run(
        "demo://calls", json.dumps(settings), "", made["questions"], made["traces"], metrics, made["report"]
    )
    assert shards == [0]
    questions = open_artifact(tmp_path / "questions", "questions/1")
    traces = open_artifact(tmp_path / "traces", "traces/1")
    assert traces.manifest.counts["traces"] == 240
    assert traces.manifest.counts["faulty"] == 48
    held_out = read_records(questions.path("held_out.jsonl"), Question)
    assert sorted(held_out, key=by_id) == sorted(demo_calls(19, "pythonic")[2], key=by_id)
    stored = read_records(traces.path("traces.jsonl"), Trace)
    assert sorted(stored, key=by_id) == sorted(demo_calls(19, "pythonic")[0], key=by_id)


def by_id(record: Question | Trace) -> str:
    return record.id
