"""The `paper` format's own rules: only the Action field acts, brackets nest, generation stops in time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.records import ToolCall
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema

PAPER = get_call_format("paper")


def make_tool(name: str, **parameters: str) -> ToolSchema:
    """A tool whose parameters are all required; name -> JSON type."""
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


TOOLS = (
    make_tool("calculator", expression="string"),
    make_tool("wikipedia_search", query="string"),
    make_tool("weather", city="string", days="integer"),
)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("Action: calculator[12*(3+[4])]", [("calculator", {"expression": "12*(3+[4])"})]),
        ("Action:calculator [ 1+1 ]", [("calculator", {"expression": "1+1"})]),
        ("Thought: t\nAction: calculator[1]\nRationale:\nAnswer:", [("calculator", {"expression": "1"})]),
        ("Action: wikipedia_search[Ada's father]", [("wikipedia_search", {"query": "Ada's father"})]),
        ('Action: wikipedia_search["a] b"]', [("wikipedia_search", {"query": "a] b"})]),
        ('Action: wikipedia_search[he said "a] b"]', [("wikipedia_search", {"query": 'he said "a'})]),
        ("Action: calculator[2000]", [("calculator", {"expression": "2000"})]),
        ("Action: calculator[expression=12*3]", [("calculator", {"expression": "12*3"})]),
        ("Action: calculator[x=3, y=4]", [("calculator", {"expression": "x=3, y=4"})]),
        ('Action: weather[city="Oslo, Norway", days=2]', [("weather", {"city": "Oslo, Norway", "days": 2})]),
        ("Action: weather[city=Oslo, Norway, days=2]", [("weather", {"city": "Oslo, Norway", "days": 2})]),
        ("Action: weather[city=Oslo, days=two]", [("weather", {"city": "Oslo", "days": "two"})]),
        ("Action: weather[city=Oslo, year=3]", [("weather", {"city": "Oslo", "year": 3})]),
        ('Action: calculator["x"=3]', [("calculator", {"x": 3})]),
        ('Action: wikipedia_search["x" is 3]', [("wikipedia_search", {"query": '"x" is 3'})]),
        ("Action: calculator[]", [("calculator", {})]),
        ("Action: unknown tool[x]", [("unknown tool", {"argument": "x"})]),
        (
            "Action: calculator[1], calculator[2]\ncalculator[3]\nAction: calculator[4]\nAnswer: calculator[5]",
            [("calculator", {"expression": digit}) for digit in "1234"],
        ),
        ("Answer: calculator[3]", []),
        ("Answer: 5\nAction: calculator[1]", []),
        ("Thought: calculator[3] would do", []),
        ("Rationale: Action: calculator[3]", []),
        ("calculator[3]", []),
        ("Action: none\nAnswer: 5", []),
        ("Action: calculator[1\nAnswer: 5]", []),
    ],
)
def test_only_the_action_field_is_read(text: str, calls: list[tuple[str, dict[str, object]]]) -> None:
    turn = PAPER.parse(text, TOOLS)
    assert [(one.call.name, one.call.arguments) for one in turn.calls] == calls
    if calls:
        assert turn.answer is None


def test_fields_become_thought_and_answer() -> None:
    turn = PAPER.parse("Well.\nThought: add\nthem\nAction:\nRationale: r\nAnswer: forty\ntwo\n", TOOLS)
    assert (turn.thought, turn.answer) == ("Well.\nadd\nthem", "forty\ntwo")
    assert PAPER.parse("Action: calculator[1]\nAnswer: 2", TOOLS).answer is None
    assert PAPER.parse("Action: calculator[1\nAnswer: 2", TOOLS).answer is None
    assert PAPER.parse("Thought: hm", TOOLS).answer is None


@settings(max_examples=300, deadline=None)
@given(argument=st.text(st.sampled_from(list("ab [](){}=,'\"\\\n:")), max_size=20))
def test_generation_stops_exactly_when_the_action_is_complete(argument: str) -> None:
    call = ToolCall(name="wikipedia_search", arguments={"query": argument})
    text = PAPER.render([call], thought="I look [it] up.", tools=TOOLS)
    stops = [length for length in range(len(text) + 1) if PAPER.stop_after(text[:length])]
    assert stops == [len(text)]
    assert [one.call for one in PAPER.parse(text, TOOLS).calls] == [call]


def test_calls_in_other_fields_do_not_stop_generation() -> None:
    assert not PAPER.stop_after("Thought: calculator[3]\nAction: calculator[")
    assert not PAPER.stop_after("Answer: [3]")
    assert PAPER.stop_after("Action: calculator[3]\nRationale")
    assert not PAPER.stop_after('Action: calculator["3]')
    assert PAPER.stop_after("Action: wikipedia_search['tis]\n")


def test_asking_after_every_token_is_cheap() -> None:
    text = "Thought: " + "I think about [it]. " * 100 + "\nAction: calculator[" + "(1+2)*" * 100 + "3"
    start = time.process_time()
    assert not any(PAPER.stop_after(text[:length]) for length in range(0, len(text), 4))
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("debris", ["][", "]:", "].", "]]", ']"'])
def test_debris_behind_a_call_is_not_a_second_call(debris: str) -> None:
    turn = PAPER.parse(f"Action: calculator[6 * 7{debris}\n", TOOLS)
    assert [found.call.arguments for found in turn.calls] == [{"expression": "6 * 7"}]
    assert not turn.failures
