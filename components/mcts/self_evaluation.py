"""The question by which a policy judges a turn: (A) wrong or (B) right, with an accepted answer beside it.

The form of Xie et al. (2024) in words of our own. What is judged stands last, so that all before it is read once a
question. The judgement is the probability of the token that tells "(B)" from "(A)" (iTool, equation 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.contracts.records import Message, Question
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema
from components.policy.kv_cache import common_length

if TYPE_CHECKING:
    from components.policy.chat import Chat

ASKED = (
    "Compare the proposed answer with an answer that is right. It may stop midway: judge how it begins.\n"
    "(A) The proposed answer is wrong.\n(B) The proposed answer is right.\nSay (A) or (B)."
)
WRONG, RIGHT = "(A)", "(B)"


class SelfEvaluation:
    """Makes the prompts.

    given: ids that the judging turn begins with. answer_id: the token whose probability behind them is the judgement.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        encode = chat.turn_encoder([_asked("x")])
        wrong, right = tuple(encode(WRONG)), tuple(encode(RIGHT))
        shared = common_length([wrong, right])
        self.given = right[:shared]
        self.answer_id = right[shared]

    def prompts(
        self, question: Question, tools: Sequence[ToolSchema], turns: Sequence[str]
    ) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Of each turn's text: (what all turns of the question share, the ids behind it)."""
        before = _question_text(question, tools, self._chat.call_format)
        # Two texts that begin differently: their prompts agree exactly up to what is judged.
        one, other = self._encode(before + "x"), self._encode(before + "[")
        template = one[: common_length([one, other])]
        found = []
        for turn in turns:
            ids = self._encode(before + turn.strip())
            shared = common_length([template, ids])
            found.append((ids[:shared], ids[shared:]))
        return found

    def _encode(self, content: str) -> tuple[int, ...]:
        return (*self._chat.encode([_asked(content)], generation_prompt=True).ids, *self.given)


def _asked(content: str) -> Message:
    # No system message: some templates take none.
    return Message(role="user", content=content)


def _question_text(question: Question, tools: Sequence[ToolSchema], call_format: str) -> str:
    accepted = ""
    if any(question.golds):
        accepted = get_call_format(call_format).render(next(filter(None, question.golds)), tools=tools)
    elif question.answers:
        accepted = question.answers[0]
    example = f"\n\nAn answer that is right:\n{accepted}" if accepted else ""
    return f"{ASKED}\n\nQuestion:\n{question.text}{example}\n\nProposed answer:\n"
