"""What executing an item of API-Bank needs beside its gold: the JSON in `Question.reference`.

    {"earlier": [{"name": "GetUserToken", "arguments": {"username": "foo", "password": "bar"}, "id": ""}]}

earlier: the calls that the dialogue made before, in its order. Empty text: none.
"""

from collections.abc import Sequence

from components.contracts.records import Question, Record, ToolCall
from components.scoring.references import read_reference

FAMILY = "api_bank:"


class ApiBankReference(Record):
    """See the module's text."""

    earlier: tuple[ToolCall, ...] = ()


def is_api_bank(suite: str) -> bool:
    """Whether a suite is one of API-Bank's levels."""
    return suite.startswith(FAMILY)


def reference_of(earlier: Sequence[ToolCall]) -> str:
    """The text for `Question.reference`."""
    return ApiBankReference(earlier=tuple(earlier)).model_dump_json() if earlier else ""


def earlier_calls(question: Question) -> tuple[ToolCall, ...]:
    """The calls before the question's gold.

    Raises:
        InputError: the reference can't be read.
    """
    if not question.reference:
        return ()
    return read_reference(question, ApiBankReference, "the dialogue's earlier calls").earlier
