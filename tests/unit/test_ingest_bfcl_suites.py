"""BFCL's published rows as questions: offered as the benchmark offers them, with golds that its checker accepts."""

import json
from pathlib import Path

import pytest

from components.contracts.records import ToolCall
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_schemas import parse_tools
from components.ingest.foreign_traces import parses_back
from components.scoring.bfcl.judge import judge_bfcl
from components.scoring.bfcl.reference import BfclReference
from tests.bfcl_questions import bfcl_data
from tests.published_suites import bfcl_row, only, publish, read

needs_bfcl = pytest.mark.skipif(not bfcl_data().is_dir(), reason="WHETSTONE_BFCL_DATA: no bfcl-eval data")

SORT = {
    "name": "List.sort",
    "description": "Sorts.",
    "parameters": {
        "type": "dict",
        "properties": {
            "items": {"type": "ArrayList", "description": "What.", "items": {"type": "String"}},
            "names": {"type": "Array", "description": "Also.", "items": {"type": "String"}},
            "limit": {"type": "long", "description": "Most."},
            "options": {"type": "HashMap", "description": "How."},
            "by": {"type": "any", "description": "Which."},
        },
        "required": ["items"],
    },
}
DRAW = {
    "name": "draw",
    "description": "Draws.",
    "parameters": {
        "type": "dict",
        "properties": {
            "points": {"type": "array", "description": "Where.", "items": {"type": "float"}},
            "style": {
                "type": "dict",
                "description": "Look.",
                "properties": {"color": {"type": "String", "description": "Ink."}},
            },
            "closed": {"type": "Boolean", "description": "Ends meet."},
        },
        "required": ["points"],
    },
}


def test_a_python_row_is_offered_as_the_benchmark_offers_it(tmp_path: Path) -> None:
    answers = [{"math.hypot": {"x": [3.0, 3], "z": ["", 0]}}]
    place = publish(tmp_path, "simple_python", [bfcl_row("simple_python_7")], {"simple_python_7": answers})
    found, bad = read(tmp_path / "q", "bfcl:simple_python", {"bfcl": place})
    question = only(found)
    assert not bad
    assert question.id == "bfcl:simple_python/simple_python_7"
    assert (question.text, question.kind, question.history) == ("How long?", "bfcl_simple_python", ())
    assert json.loads(question.offered) == [
        {
            "type": "function",
            "function": {
                "name": "math.hypot",
                "description": "Length of a vector. Note that the provided function is in Python 3 syntax.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "x": {"type": "number", "description": "First."},
                        "z": {"type": "integer", "description": "Third, 0 by default."},
                    },
                    "required": ["x"],
                },
            },
        }
    ]
    reference = BfclReference.of(question)
    assert (reference.group, reference.underscored) == ("simple_python", False)
    assert list(reference.possible_answers) == answers
    # What the checker reads of it, in the published types.
    types = {"x": {"type": "float"}, "z": {"type": "integer"}}
    assert list(reference.functions) == [
        {"name": "math.hypot", "parameters": {"properties": types, "required": ["x"]}}
    ]
    assert question.golds == ((ToolCall(name="math.hypot", arguments={"x": 3.0}),),)
    for name in CALL_FORMATS:  # dots in names come through
        calls, tools = question.golds[0], parse_tools(question.offered)
        assert parses_back(get_call_format(name).render(calls, tools=tools), calls, tools, name)


def test_java_takes_text_in_java(tmp_path: Path) -> None:
    table = {
        "items": [["b c", "a"]],
        "names": [["x", "y"]],
        "limit": [5],
        "options": [{"deep": [True], "name": ["n"], "left": ["", 1]}],
        "by": ["comparator"],
    }
    place = publish(
        tmp_path, "simple_java", [bfcl_row("simple_java_0", SORT)], {"simple_java_0": [{"List.sort": table}]}
    )
    question = only(read(tmp_path / "q", "bfcl:simple_java", {"bfcl": place})[0])
    assert question.golds[0][0].arguments == {
        "items": 'new ArrayList<>(Arrays.asList("b c", "a"))',
        "names": "new String[]{x, y}",
        "limit": "5L",
        "options": 'new HashMap<String, Object>() {{ put("deep", true); put("name", "n"); }}',
        "by": "comparator",
    }
    (tool,) = parse_tools(question.offered)
    properties = tool["function"]["parameters"]["properties"]
    assert {schema["type"] for schema in properties.values()} == {"string"}
    assert (
        tool["function"]["description"] == "Sorts. Note that the provided function is in Java 8 SDK syntax."
    )
    assert (
        properties["limit"]["description"]
        == "Most. This is Java long type parameter in string representation."
    )
    assert properties["by"]["description"] == (
        "Which. This parameter can be of any type of Java object in string representation."
    )
    assert properties["items"] == {
        "type": "string",
        "description": "What. This is Java ArrayList type parameter in string representation. The list elements are "
        "of type String; they are not in string representation.",
    }
    assert judge_bfcl(question, question.golds[0], unparsed=False).correct


def test_javascript_takes_text_in_javascript(tmp_path: Path) -> None:
    table = {"points": [[1.0, 2.5]], "style": [{"color": ["red"]}], "closed": [False]}
    place = publish(
        tmp_path, "simple_javascript", [bfcl_row("simple_javascript_0", DRAW)], {"simple_javascript_0": [{"draw": table}]}
    )  # fmt: skip
    question = only(read(tmp_path / "q", "bfcl:simple_javascript", {"bfcl": place})[0])
    assert question.golds[0][0].arguments == {
        "points": "[1.0, 2.5]",
        "style": '{color: "red"}',
        "closed": "false",
    }
    style = parse_tools(question.offered)[0]["function"]["parameters"]["properties"]["style"]
    assert style["type"] == "string"
    assert "properties" not in style
    assert style["description"].endswith('{"color": {"type": "String", "description": "Ink."}}')
    assert judge_bfcl(question, question.golds[0], unparsed=False).correct


def test_irrelevance_has_a_reference_and_no_gold(tmp_path: Path) -> None:
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello, what do you need?"},
        {"role": "user", "content": "A poem."},
    ]
    rows = [bfcl_row("live_irrelevance_0-0-0", []), bfcl_row("live_irrelevance_1-0-0") | {"question": [talk]}]
    place = publish(tmp_path, "live_irrelevance", rows, {})
    found, bad = read(tmp_path / "q", "bfcl:live_irrelevance", {"bfcl": place})
    bare, after = found["bfcl:live_irrelevance"].questions
    assert not bad
    assert bare.offered == "[]"  # nothing, and not all that the service has
    assert (after.text, [one.role for one in after.history]) == ("A poem.", ["system", "user", "assistant"])
    for question in (bare, after):
        assert (question.golds, BfclReference.of(question).possible_answers) == ((), ())
        assert judge_bfcl(question, (), unparsed=False).correct


def test_executable_groups_keep_their_calls(tmp_path: Path) -> None:
    place = publish(
        tmp_path, "exec_simple", [bfcl_row("exec_simple_0")], {"exec_simple_0": ["math.hypot(x=1/4)"]}
    )
    question = only(read(tmp_path / "q", "bfcl:exec_simple", {"bfcl": place})[0])
    assert question.golds == ((ToolCall(name="math.hypot", arguments={"x": 0.25}),),)
    assert BfclReference.of(question).possible_answers == ("math.hypot(x=1/4)",)


@needs_bfcl
def test_all_of_bfcl_is_used_and_its_golds_are_accepted(tmp_path: Path) -> None:
    found, bad = read(tmp_path / "q", "bfcl,bfcl:exec", {"bfcl": str(bfcl_data())})
    assert not bad
    assert {name.partition(":")[2]: len(suite.questions) for name, suite in found.items()} == {
        "simple_python": 400, "simple_java": 100, "simple_javascript": 50, "multiple": 200, "parallel": 200,
        "parallel_multiple": 200, "irrelevance": 240, "live_simple": 258, "live_multiple": 1053, "live_parallel": 16,
        "live_parallel_multiple": 24, "live_irrelevance": 884, "live_relevance": 16, "exec_simple": 100,
        "exec_multiple": 50, "exec_parallel": 50, "exec_parallel_multiple": 40,
    }  # fmt: skip
    golds = [one for suite in found.values() for one in suite.questions if one.golds]
    assert len(golds) == sum(len(suite.questions) for suite in found.values()) - 240 - 884 - 16
    refused = {
        one.id.partition("/")[2] for one in golds if not judge_bfcl(one, one.golds[0], unparsed=False).correct
    }
    assert refused == {  # nothing is accepted for these: their tables and documents don't agree
        "simple_java_36", "simple_java_64", "simple_java_65", "live_simple_106-63-0", "live_simple_112-68-0",
        "live_multiple_862-181-3", "live_multiple_964-207-0",
    }  # fmt: skip


@needs_bfcl
def test_bfcls_conversations_are_questions(tmp_path: Path) -> None:
    found, bad = read(tmp_path / "q", "bfcl:multi_turn_miss_func", {"bfcl": str(bfcl_data())}, suite_limit=5)
    suite = found["bfcl:multi_turn_miss_func"]
    assert not bad
    assert (len(suite.questions), len(suite.chosen)) == (200, 5)
    assert all(one.reference and one.offered and not one.golds for one in suite.questions)
