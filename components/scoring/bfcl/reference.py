"""What BFCL's checker needs of one item: the JSON in `Question.reference`.

    {"group": "simple_python",
     "possible_answers": [{"math.hypot": {"x": [4], "y": [5], "z": ["", 0]}}],
     "functions": [{"name": "math.hypot", "parameters": {"type": "dict", "properties": {...}, "required": [...]}}],
     "underscored": false}

group: the benchmark's file name without `BFCL_v4_` and `.json`.
possible_answers: the item's `ground_truth` as it stands in the `possible_answer` file: one object a call, with
the accepted values of each parameter ("" among them: it may be left out). Executable groups: the calls as they
stand there, as text ("add(a=1, b=2)"); of `rest`, whose answers are replies of servers, the line with the item's
number in `executable_eval_sanity_check/api_status_check_ground_truth_rest.json`. Empty for relevance and irrelevance.
functions: the item's `function` as it stands in the file, with the benchmark's own type names; what the checker
does not look at, descriptions above all, is left out of the JSON.
underscored: the tools were offered with "_" for each "." of their names (the official checker's
`underscore_to_dot`), so that calls must name them so.
"""

from collections.abc import Mapping
from typing import Any, Self

from components.contracts.records import Question, Record
from components.scoring.references import read_reference

FAMILY = "bfcl:"
JAVA, JAVASCRIPT = "simple_java", "simple_javascript"
AST_GROUPS = (
    "simple_python",
    JAVA,
    JAVASCRIPT,
    "multiple",
    "parallel",
    "parallel_multiple",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
)
IRRELEVANCE_GROUPS = ("irrelevance", "live_irrelevance")
NO_CALL_KINDS = frozenset(f"bfcl_{group}" for group in IRRELEVANCE_GROUPS)  # as ingest calls their questions
RELEVANCE_GROUPS = ("live_relevance",)
EXECUTABLE_GROUPS = ("exec_simple", "exec_multiple", "exec_parallel", "exec_parallel_multiple", "rest")
SINGLE_TURN_GROUPS = (*AST_GROUPS, *IRRELEVANCE_GROUPS, *RELEVANCE_GROUPS)


class BfclReference(Record):
    """One item's group, accepted answers and functions; see the module's text."""

    group: str
    possible_answers: tuple[Any, ...] = ()  # checked where they are compared: the groups differ
    functions: tuple[dict[str, Any], ...] = ()
    underscored: bool = False

    def to_json(self) -> str:
        """The text for `Question.reference`."""
        checked = tuple(map(_checked_part, self.functions))
        return self.model_copy(update={"functions": checked}).model_dump_json()

    @classmethod
    def of(cls, question: Question) -> Self:
        """The reference of a question.

        Raises:
            InputError: it has none, or one of another form.
        """
        return read_reference(question, cls, "BFCL's group, possible_answers and functions")


def _checked_part(function: Mapping[str, Any]) -> dict[str, Any]:
    """A function's name, and its parameters' types, defaults and which are required."""
    parameters = function.get("parameters") or {}
    schemas = (parameters.get("properties") or {}).items()
    kept: dict[str, Any] = {"properties": {name: _checked_schema(schema) for name, schema in schemas}}
    kept |= {"required": parameters["required"]} if "required" in parameters else {}
    return {"name": function.get("name"), "parameters": kept}


def _checked_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: schema[key] for key in ("type", "default") if key in schema}
    return kept | ({"items": {"type": schema["items"].get("type")}} if "items" in schema else {})


def is_bfcl(suite: str) -> bool:
    """Whether a suite's name is one of BFCL's ("bfcl:multiple")."""
    return suite.startswith(FAMILY)


def wants_no_call(suite: str) -> bool:
    """Whether the suite is one of BFCL's groups in which no call is right."""
    return is_bfcl(suite) and suite.removeprefix(FAMILY) in IRRELEVANCE_GROUPS
