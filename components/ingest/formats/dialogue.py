"""From a dialogue to a question or a trajectory: what the two chat formats share.

The question is the last user message before the final assistant message. The gold is the row's own
answer field; without one it is the final assistant message, when that can serve as a gold: a number
after `####`, or at most MAX_GOLD_WORDS words. Longer prose is no answer anybody repeats word by
word, so such rows are set aside. Earlier user messages are left out, and that is counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from components.ingest.fields import ANSWER_FIELDS, answers_of, first_present, optional_text, tools_of
from components.ingest.formats.gsm8k import MARK, number_after_mark
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Draft, Exchange, RowError, Said

MAX_GOLD_WORDS = 12


@dataclass(frozen=True)
class Spoken:
    """One message: role is system, user, assistant or tool; `calls` is true for a tool call."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: bool = False


def draft_of(row: Mapping[str, object], spoken: Sequence[Spoken], field: str) -> Draft:
    """The question of a dialogue; `field` is what an error names.

    Raises:
        RowError: no final assistant message, no user message before it, or no usable gold.
    """
    explicit = first_present(row, ANSWER_FIELDS) is not None
    answered = bool(spoken) and spoken[-1].role == "assistant" and not spoken[-1].calls
    if not (explicit or (answered and spoken[-1].text)):
        raise RowError(field, "missing gold answer, expected an assistant message with text at the end")
    asked = [one.text for one in spoken if one.role == "user"]
    if not asked or not asked[-1]:
        raise RowError(field, "expected a user message with text")
    answers, is_numeric = answers_of(row) if explicit else _gold(spoken[-1].text, field)
    return Draft(
        asked[-1],
        answers,
        answer_type="number" if is_numeric else "text",
        id=optional_text(row, "id"),
        kind=optional_text(row, "kind"),
        tools=tools_of(row),
        note="earlier user messages of a dialogue left out" if len(asked) > 1 else "",
    )


def exchange_of(row: Mapping[str, object], said: Sequence[Said], kind: str) -> Exchange:
    """The trajectory of a dialogue with calls; the row's own answer, if it has one, goes with it.

    Raises:
        RowError: the row offers no tools, or what it offers is no tool list.
    """
    answered = first_present(row, ANSWER_FIELDS) is not None
    return Exchange(
        offered_tools(row["tools"] if row.get("tools") is not None else row.get("functions")),
        tuple(said),
        answers=answers_of(row)[0] if answered else (),
        id=optional_text(row, "id"),
        kind=optional_text(row, "kind") or kind,
        subject=optional_text(row, "subject"),
    )


def _gold(text: str, field: str) -> tuple[tuple[str, ...], bool]:
    if MARK in text:
        return (number_after_mark(field, text),), True
    if len(text.split()) > MAX_GOLD_WORDS:
        raise RowError(
            field,
            f"the final assistant message is longer than {MAX_GOLD_WORDS} words, "
            "expected a short answer or a field 'answer'",
        )
    return (text,), False
