"""Which tools are offered: against rank-bm25 itself, at the edges, and through the loop with the real service."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from components.contracts.errors import InputError
from components.contracts.records import Question, ToolCall, Trace
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema, parse_tools, tool_name
from components.policy.engine import Conversation, MeasuresPrompts, open_engine
from components.policy.settings import EngineSettings, ModelSettings
from components.rollout.loop import run_rollouts
from components.rollout.settings import RolloutSettings
from components.rollout.single_turn import run_single_turns
from components.rollout.tool_retrieval import (
    ToolRanker,
    most_fitting,
    offered_golds,
    tool_words,
    words,
)
from components.rollout.tools_client import ToolsClient
from tests.gold_questions import ScriptedPolicy, evaluate
from tests.gold_questions import gold as gold_question
from tests.scripted_engine import ScriptedEngine, SmallContext
from tests.tiny_model import build_tiny_model
from tests.tools_process import ToolsProcess, tools_service

TOPICS = ("weather", "flight", "hotel", "recipe", "stock", "poem", "invoice", "planet", "river", "chess")
SMALL_WORDS = st.sampled_from(["get", "city", "rate", "bank", "the", "of", "find"])


def tool(name: str, description: str = "", /, **parameters: str) -> ToolSchema:
    properties = {key: {"type": "string", "description": about} for key, about in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


def names(tools: tuple[ToolSchema, ...]) -> list[str]:
    return [tool_name(one) for one in tools]


MANY = tuple(
    tool(f"{verb}_{topic}", f"{verb.capitalize()}s one {topic}.", name=f"the {topic}'s name")
    for topic in TOPICS
    for verb in ("find", "delete")
)


@given(
    documents=st.lists(st.lists(SMALL_WORDS, max_size=6), min_size=1, max_size=8),
    asked=st.lists(SMALL_WORDS | st.just("unknown"), max_size=6),
    k=st.integers(1, 9),
)
def test_equals_rank_bm25_over_all_tools(documents: list[list[str]], asked: list[str], k: int) -> None:
    tools = tuple(tool(f"t{place}", " ".join(document)) for place, document in enumerate(documents))
    text = " ".join(asked)
    theirs = BM25Okapi([tool_words(one) for one in tools]).get_scores(asked)
    assert np.array_equal(ToolRanker(tools).scores(text), theirs)
    by_fit = sorted(range(len(tools)), key=lambda place: (-theirs[place], place))[:k]
    assert names(most_fitting(text, tools, k)) == [f"t{place}" for place in sorted(by_fit)]


def test_a_hand_computed_score() -> None:
    tools = (tool("map", "a b"), tool("net", "a c c"), tool("pen", "d d d"))
    # Okapi: k1 1.5, b 0.75; lengths 3, 4, 4; "c" stands in one of three
    idf = math.log(2.5) - math.log(1.5)
    length = 1 - 0.75 + 0.75 * 4 / (11 / 3)
    expected = idf * 2 * 2.5 / (2 + 1.5 * length)
    assert ToolRanker(tools).scores("c") == pytest.approx([0, expected, 0], rel=1e-12)


def test_the_kept_tools_stay_in_the_services_order() -> None:
    tools = tuple(tool(f"{topic}_report") for topic in TOPICS)
    for text in ("hotel, hotel, weather", "weather; hotel and hotel", "the weather of a hotel"):
        assert names(most_fitting(text, tools, 2)) == ["weather_report", "hotel_report"]
    assert names(most_fitting("hotel, hotel, weather", tools, 1)) == ["hotel_report"]


def test_ties_keep_the_first() -> None:
    same = tuple(tool(f"{letter}_x", "Equal.") for letter in "qwer")
    assert names(most_fitting("equal", same, 2)) == ["q_x", "w_x"]
    assert names(most_fitting("nothing of it", same, 2)) == ["q_x", "w_x"]
    assert names(most_fitting("", same, 1)) == ["q_x"]


@pytest.mark.parametrize("k", [20, 21, 1000])
def test_a_set_that_fits_is_left_as_it_is(k: int) -> None:
    assert most_fitting("hotel", MANY, k) == MANY
    assert most_fitting("hotel", (), k) == ()


def test_k_has_to_be_positive() -> None:
    with pytest.raises(ValueError, match="k is 0"):
        most_fitting("hotel", MANY, 0)


def test_tools_without_words_have_no_score() -> None:
    blank = (tool("_"), tool("--"), tool("..", ""))
    assert names(most_fitting("anything", blank, 2)) == ["_", "--"]
    mixed = (*blank, tool("find_river"), tool("find_bridge"))
    assert names(most_fitting("which river", mixed, 1)) == ["find_river"]
    bare: dict[str, Any] = {"type": "function", "function": {"name": "lookup_bridge"}}
    assert names(most_fitting("bridge", (*MANY, bare), 1)) == ["lookup_bridge"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserID", ["get", "user", "id"]),
        ("HTTPServer.read_all-lines", ["http", "server", "read", "all", "lines"]),
        ("math.factorial(5)", ["math", "factorial", "5"]),
        ("Café MÜNCHEN", ["cafe", "munchen"]),
        ("Straße", ["strasse"]),
        ("天気予報 Tokyo", ["天気", "気予", "予報", "tokyo"]),
        ("雨", ["雨"]),
        ("東京Weather", ["東京", "weather"]),
        ("날씨 알려줘", ["날씨", "알려줘"]),
        ("погода в Москве", ["погода", "в", "москве"]),
        ("मौसम", ["मौसम"]),
        ("", []),
        ("?! …", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_other_scripts_find_their_tools() -> None:
    tools = (tool("a", "查询城市的天气"), tool("b", "预订酒店房间"), tool("c", "Биржа мира"), tool("d", "x"))
    assert names(most_fitting("北京的天气怎么样", tools, 1)) == ["a"]
    assert names(most_fitting("我要酒店", tools, 1)) == ["b"]
    assert names(most_fitting("и где биржа?", tools, 1)) == ["c"]


def test_the_same_again_whatever_was_asked_before() -> None:
    alone = names(most_fitting("find the river", tuple(MANY), 4))
    for topic in TOPICS:
        most_fitting(f"delete {topic}", MANY, 2)
    for place in range(12):  # more sets than are kept
        most_fitting("river", tuple(MANY[place:]), 2)
    assert names(most_fitting("find the river", MANY, 4)) == alone


def test_a_list_may_change_between_two_questions() -> None:
    growing = list(MANY)
    assert names(most_fitting("volcano", growing, 1)) == ["find_weather"]
    growing.append(tool("find_volcano"))
    assert names(most_fitting("volcano", growing, 1)) == ["find_volcano"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    folder = tmp_path_factory.mktemp("many")
    (folder / "tools.json").write_text(json.dumps(MANY), encoding="utf-8")
    with tools_service(folder, "--stand-ins", str(folder / "tools.json")) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: ToolsProcess) -> Iterator[ToolsClient]:
    with ToolsClient(service.url) as opened:
        yield opened


def ask(identifier: str, text: str, **values: Any) -> Question:
    return Question(id=identifier, text=text, answers=("x",), **values)


def offered(trace: Trace) -> list[str]:
    return names(parse_tools(trace.tools))


def test_the_loop_offers_the_most_fitting(client: ToolsClient) -> None:
    engine = ScriptedEngine(lambda _: "Answer: x", call_format="paper")
    asked = [
        (ask("a", "Delete the hotel."), 0),
        (ask("b", "Any chess?"), 0),
        (ask("c", "Chess", tools=("find_poem",)), 0),
    ]
    traces = {
        trace.question.id: trace
        for trace in run_rollouts(asked, engine, client, RolloutSettings(max_tools=2))
    }
    assert offered(traces["a"]) == ["find_hotel", "delete_hotel"]
    assert offered(traces["b"]) == ["find_chess", "delete_chess"]
    assert offered(traces["c"]) == ["find_poem"]
    assert "find_chess" in traces["b"].messages[0].content
    assert "hotel" not in traces["b"].messages[0].content
    (whole,) = run_rollouts(asked[:1], engine, client, RolloutSettings())
    assert offered(whole) == names(client.list_tools())
    assert len(offered(whole)) > len(MANY)  # the service's own are there, too


def test_a_tool_that_was_not_offered_is_unknown(client: ToolsClient) -> None:
    engine = ScriptedEngine(lambda _: 'Action: find_poem[name="x"]', call_format="paper")
    settings = RolloutSettings(max_tools=2, variant="single_step")
    (trace,) = run_rollouts([(ask("a", "Any chess?"), 0)], engine, client, settings)
    assert trace.calls[0].reply.error is ToolError.TOOL_HALLUCINATION
    assert "find_chess, delete_chess" in trace.calls[0].reply.content


def test_prefilled_actions_go_through_the_offered_tools(client: ToolsClient) -> None:
    engine = ScriptedEngine(lambda _: "x]", call_format="paper")
    settings = RolloutSettings(max_tools=3, prefill="action", variant="single_step", max_steps=1)
    question = ask("a", "Delete the hotel at the river.")
    samples = [(question, sample) for sample in range(8)]
    traces = sorted(run_rollouts(samples, engine, client, settings), key=lambda trace: trace.sample)
    tools = offered(traces[0])
    assert len(tools) == 3
    assert all(offered(trace) == tools for trace in traces)
    called = [trace.calls[0].call.name if trace.calls and trace.calls[0].call else "" for trace in traces]
    assert called == ["", *tools, "", *tools]


def test_golds_are_never_forced_into_the_offer_and_the_recall_is_counted(client: ToolsClient) -> None:
    def gold(identifier: str, text: str, *calls: str) -> Question:
        golds = tuple((ToolCall(name=name, arguments={"name": "x"}),) for name in calls)
        return Question(id=identifier, text=text, golds=golds)

    questions = [
        gold("hit", "Find the planet.", "find_planet"),
        gold("either", "Find the planet.", "find_stock", "find_planet"),
        gold("miss", "Find the planet.", "find_stock"),
    ]
    form = get_call_format("pythonic")

    def say(conversation: Conversation) -> str:
        return form.render([ToolCall(name="find_stock", arguments={"name": "x"})])

    engine = ScriptedEngine(say, call_format="pythonic")
    settings = RolloutSettings(max_tools=2)
    traces = list(run_single_turns(questions, engine, settings, available=client.list_tools()))
    assert [offered(trace) for trace in traces] == [["find_planet", "delete_planet"]] * 3
    assert offered_golds(traces) == {"questions": 3, "offered": 2, "recall": 2 / 3}
    assert traces[2].calls[0].reply.error is ToolError.TOOL_HALLUCINATION
    others = run_rollouts([(ask("a", "x"), 0)], ScriptedEngine(lambda _: "x"), client, settings)
    assert offered_golds(others) == {"questions": 0, "offered": 0, "recall": None}
    three = run_single_turns(
        [gold("both", "Find a planet, find a poem.", "find_poem").model_copy(update={"offered": ""})],
        engine,
        RolloutSettings(max_tools=3),
        available=client.list_tools(),
    )
    assert offered_golds(three) == {"questions": 1, "offered": 1, "recall": 1.0}


def test_parallel_golds_have_to_be_on_offer_together(client: ToolsClient) -> None:
    both = tuple(ToolCall(name=name, arguments={"name": "x"}) for name in ("find_planet", "find_poem"))
    question = Question(id="q", text="Find the planet.", golds=(both,))
    engine = ScriptedEngine(lambda _: "x", call_format="pythonic")
    for limit, recall in ((2, 0.0), (20, 1.0)):
        settings = RolloutSettings(max_tools=limit)
        traces = run_single_turns([question], engine, settings, available=MANY)
        assert offered_golds(traces)["recall"] == recall


def test_evaluation_counts_how_often_the_gold_was_on_offer(
    service: ToolsProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ToolCall(name="find_planet", arguments={"name": "Mars"})
    golds = [
        gold_question("planet", call).model_copy(update={"offered": "", "text": "Find the planet Mars."}),
        gold_question("poem", call).model_copy(update={"offered": "", "text": "Delete the poem."}),
    ]
    policy = ScriptedPolicy(lambda _: '[find_planet(name="Mars")]')
    monkeypatch.setattr("components.evaluation.run._open_engine", policy)
    monkeypatch.setattr("components.evaluation.run.name_tokens", lambda _: (None, ""))
    _, summary, metrics = evaluate(golds, "scripted", service.url, tmp_path / "few", max_tools=2)
    assert summary["retrieval"] == {"questions": 2, "offered": 1, "recall": 0.5}
    assert metrics["retrieval_recall"] == 0.5
    assert "1 of 2 questions" in (tmp_path / "few" / "report.html").read_text()
    _, summary, metrics = evaluate(golds, "scripted", service.url, tmp_path / "all")
    assert "retrieval" not in summary
    assert "retrieval_recall" not in metrics


def test_a_prompt_that_its_tools_make_too_long_is_refused(client: ToolsClient) -> None:
    engine = SmallContext(lambda _: "Answer: x", call_format="paper")
    crowded = RolloutSettings(max_new_tokens=1000)
    expected = (
        r"question 'q9': its prompt with 21 tools has \d{4} tokens, .* leaves 1000 .*; set max_tools to"
    )
    with pytest.raises(InputError, match=expected):
        list(run_rollouts([(ask("q9", "Any chess?"), 0)], engine, client, crowded))
    fewer = crowded.model_copy(update={"max_tools": 20})
    with pytest.raises(InputError, match="set max_tools below 20"):
        list(run_rollouts([(ask("q9", "Any chess?"), 0)], engine, client, fewer))
    question = Question(id="g", text="Any chess?", golds=((ToolCall(name="x", arguments={}),),))
    with pytest.raises(InputError, match="question 'g'"):
        list(run_single_turns([question], engine, crowded, available=MANY))
    few = crowded.model_copy(update={"max_tools": 4})
    (trace,) = run_rollouts([(ask("q9", "Any chess?"), 0)], engine, client, few)
    assert len(offered(trace)) == 4


def test_a_question_too_long_by_itself_is_left_to_the_engine(client: ToolsClient) -> None:
    engine = SmallContext(lambda _: "Answer: x", call_format="paper")
    settings = RolloutSettings(max_new_tokens=1000)
    (trace,) = run_rollouts([(ask("long", "chess " * 400), 0)], engine, client, settings)
    assert trace.outcome.answer == "x"


def test_a_real_engine_knows_its_room(client: ToolsClient, tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "tiny")
    options = EngineSettings(call_format="paper", model=ModelSettings(dtype="float32", threads=1))
    engine = open_engine(str(folder), None, options)
    assert isinstance(engine, MeasuresPrompts)
    question = ask("q", "Any chess?")
    settings = RolloutSettings(max_new_tokens=engine.context - 250, variant="single_step")
    with pytest.raises(InputError, match=r"question 'q': its prompt with 21 tools .* leaves 250 beside"):
        list(run_rollouts([(question, 0)], engine, client, settings))
    few = settings.model_copy(update={"max_tools": 1, "max_new_tokens": engine.context - 400})
    (trace,) = run_rollouts([(question, 0)], engine, client, few)
    assert offered(trace) == ["find_chess"]
    assert trace.turns[0].token_ids
    short = Conversation(trace.messages[:2])
    assert engine.count_tokens(short) < engine.count_tokens(
        Conversation(trace.messages[:2], prefill="Action: ")
    )
