"""The values that BFCL's checker accepts, with verdicts worked out by hand from its rules."""

import pytest

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.scoring.bfcl.ast_check import check_calls
from components.scoring.bfcl.reference import BfclReference


def verdict(
    declared: dict[str, object], answers: list[object], value: object, group: str = "simple_python"
) -> str:
    """The official error type of f(x=value); empty when it is accepted."""
    reference = BfclReference(
        group=group,
        possible_answers=({"f": {"x": answers}},),
        functions=({"name": "f", "parameters": {"properties": {"x": declared}, "required": []}},),
    )
    fault = check_calls(reference, [ToolCall(name="f", arguments={"x": value})])  # type: ignore[dict-item]
    return fault.kind if fault else ""


TEXT, INTEGER, FLOAT = {"type": "string"}, {"type": "integer"}, {"type": "float"}
BOOLEAN, OBJECT = {"type": "boolean"}, {"type": "dict"}


def array(items: str) -> dict[str, object]:
    return {"type": "array", "items": {"type": items}}


@pytest.mark.parametrize(
    ("declared", "answers", "value", "expected"),
    [
        (TEXT, ["New York, NY"], "new york ny", ""),
        (TEXT, ["it's"], 'IT"S', ""),
        (TEXT, ["1.5"], "15", ""),  # a slip: points are ignored
        (TEXT, ["New York"], "New York City", "value_error:string"),
        (TEXT, ["a;b"], "a b", "value_error:string"),
        (TEXT, ["5"], 5, "type_error:simple"),
        (TEXT, ["a", ""], "", ""),
        (TEXT, [True], "true", "value_error:others"),  # an answer of another type: compared exactly
        (TEXT, [True], True, ""),
        (INTEGER, [5], 5, ""),
        (INTEGER, [5], 5.0, "type_error:simple"),
        (INTEGER, [5], "5", "type_error:simple"),
        (INTEGER, [1], True, "type_error:simple"),
        (INTEGER, ["seed"], "seed", ""),  # a variable's name ...
        (INTEGER, ["seed"], "Seed", "value_error:others"),  # ... is exact
        (INTEGER, [5], 6, "value_error:others"),
        (FLOAT, [5.0], 5, ""),
        (FLOAT, [5], 5, ""),
        (FLOAT, [0.1], 0.1000001, "value_error:others"),
        (
            FLOAT,
            [1.0],
            10**400,
            "type_error:simple",
        ),  # too large for a float; the official checker stops there
        (BOOLEAN, [True], 1, "type_error:simple"),
        (BOOLEAN, [True, ""], False, "value_error:others"),
        (array("string"), [["A b", "c"]], ["ab", "C"], ""),
        (array("string"), [["a", "b"]], ["b", "a"], "value_error:list/tuple"),
        (array("string"), [["a"]], [1], "type_error:nested"),
        (array("string"), [["a"]], "a", "type_error:simple"),
        (array("string"), [["a"], ""], [], ""),  # a slip: "may be left out" is the empty list
        (array("string"), [["a"], ""], [1], "value_error:list/tuple"),
        (array("float"), [[1.0, 2.0]], [1, 2], "type_error:nested"),  # no 1 for 1.0 in a list
        (array("float"), [[1, 2]], [1, 2], ""),
        (array("integer"), [[1, 2]], [1, True], "type_error:nested"),
        (array("array"), [[["A"]]], [["a"]], "value_error:list/tuple"),  # texts only at the first level
        ({"type": "tuple", "items": {"type": "float"}}, [[1.5, 2.5]], [1.5, 2.5], ""),
        (OBJECT, [{"k": ["A", "b"], "n": [1, ""]}], {"k": "a."}, ""),
        (OBJECT, [{"k": ["a"], "n": [1, ""]}], {"k": "a", "n": 2}, "value_error:dict_value"),
        (OBJECT, [{"k": ["a"]}], {}, "value_error:dict_key"),
        (OBJECT, [{"k": ["a"]}], {"k": "a", "m": 1}, "value_error:dict_key"),
        (OBJECT, [{"k": [1]}], {"k": True}, ""),  # a slip: True equals 1 inside
        (OBJECT, [""], {}, "dict_checker:unclear"),
        (OBJECT, [{"k": [["A"]]}], {"k": ["a"]}, "value_error:dict_value"),
        (OBJECT, [{"k": ["a"]}], "k", "type_error:simple"),
        (array("dict"), [[{"k": ["a"]}, {"k": ["b"]}]], [{"k": "A"}, {"k": "b"}], ""),
        (array("dict"), [[{"k": ["a"]}, {"k": ["b"]}]], [{"k": "b"}, {"k": "a"}], "value_error:dict_value"),
        (array("dict"), [[{"k": ["a"]}]], [], "value_error:list_dict_count"),
        (
            array("dict"),
            [[{"k": ["a"]}], ""],
            ["x"],
            "value_error:list_dict_count",
        ),  # the official checker stops there
        ({"type": "any"}, ["x"], None, "type_error:simple"),
    ],
)
def test_python_values_are_accepted_as_the_rules_say(
    declared: dict[str, object], answers: list[object], value: object, expected: str
) -> None:
    assert verdict(declared, answers, value) == expected


@pytest.mark.parametrize(
    ("declared", "answers", "value", "expected"),
    [
        ({"type": "integer"}, [5], "5", ""),
        ({"type": "integer"}, [5], 5, "type_error:java"),
        ({"type": "long"}, [5], "5L", ""),
        ({"type": "long"}, [5], "5", "type_error:simple"),
        ({"type": "float"}, [2.5], "2.5f", ""),
        ({"type": "double"}, [2500.0], "2.5e3", ""),
        ({"type": "boolean"}, [True], "true", ""),
        ({"type": "boolean"}, [True], "True", "type_error:simple"),
        ({"type": "char"}, ["c"], "'c'", "value_error:string"),  # a slip: the quotes stay
        ({"type": "String"}, ["A b"], "ab", ""),
        ({"type": "any"}, ["x.y()"], "xy()", ""),
        ({"type": "Array", "items": {"type": "integer"}}, [[1, 2]], "new int[]{1, 2}", ""),
        (
            {"type": "Array", "items": {"type": "String"}},
            [["a"]],
            'new String[]{"a"}',
            "value_error:list/tuple",
        ),
        (
            {"type": "ArrayList", "items": {"type": "String"}},
            [["a"]],
            'new ArrayList<>(Arrays.asList("a"))',
            "",
        ),
        (
            {"type": "ArrayList", "items": {"type": "integer"}},
            [[1, 2]],
            "new ArrayList<Integer>() {{ add(1); add(2); }}",
            "",
        ),
        ({"type": "ArrayList", "items": {"type": "integer"}}, [["list"]], "list", "type_error:simple"),
        ({"type": "ArrayList", "items": {"type": "integer"}}, ["list"], "list", ""),
        ({"type": "HashMap"}, [{"k": [1]}], 'new HashMap<String, Integer>() {{ put("k", 1); }}', ""),
        ({"type": "HashMap"}, [{"k": [1]}], "k=1", "type_error:simple"),
        ({"type": "Queue"}, [[1]], "q", "type_error:simple"),  # the official checker stops there
        ({"type": "integer"}, [5], "9" * 5000, "type_error:simple"),
    ],
)
def test_java_values_are_read_from_their_text(
    declared: dict[str, object], answers: list[object], value: object, expected: str
) -> None:
    assert verdict(declared, answers, value, "simple_java") == expected


@pytest.mark.parametrize(
    ("declared", "answers", "value", "expected"),
    [
        ({"type": "String"}, ["a b"], "'A b'", ""),
        ({"type": "integer"}, [5], "5", ""),
        ({"type": "integer"}, [5], "5.0", "type_error:simple"),
        ({"type": "float"}, [0.5], "0.5", ""),
        ({"type": "Bigint"}, [5], "5n", ""),
        ({"type": "Boolean"}, [True], "true", ""),
        ({"type": "Boolean"}, [True], True, "type_error:js"),
        ({"type": "any"}, ["null"], "null", ""),
        ({"type": "array", "items": {"type": "String"}}, [["a", "b"]], "['a', \"b\"]", ""),
        ({"type": "array", "items": {"type": "integer"}}, [[1, 2]], "new Array(1, 2)", ""),
        ({"type": "array", "items": {"type": "array"}}, [[[1, 2], [3]]], "[[1, 2], [3]]", ""),
        ({"type": "array", "items": {"type": "String"}}, ["rows"], "rows", ""),
        ({"type": "dict"}, [{"a": [1], "b": ["x"]}], "{a: 1, 'b': 'x'}", ""),
        ({"type": "dict"}, [{"a": [[1, 2]]}], "{a: [1, 2]}", ""),
        ({"type": "dict"}, [{"a": [1]}], "{a: 2}", "value_error:dict_value"),
    ],
)
def test_javascript_values_are_read_from_their_text(
    declared: dict[str, object], answers: list[object], value: object, expected: str
) -> None:
    assert verdict(declared, answers, value, "simple_javascript") == expected


def test_a_type_that_bfcl_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="type 'text': expected one of string"):
        verdict({"type": "text"}, ["a"], "a")
