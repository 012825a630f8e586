"""States of a search: how far a conversation has got, and what a whole turn of it comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.contracts.records import AssistantTurn, Message, Question, ToolReply
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema
from components.mcts.leaves import Step
from components.mcts.settings import MCTSSettings
from components.policy.engine import Conversation
from components.rollout.loop import turns_allowed
from components.rollout.prompts import build_messages, template_tools
from components.rollout.storable import storable_text
from components.rollout.turn import Attempt, read_turn
from components.scoring.answers import is_correct
from components.scoring.calls import score_turn
from components.scoring.rotbench import rules_for


@dataclass(frozen=True)
class Language:
    """What the search has to know of the policy: how its ids read, and under what they were sampled.

    decode: ids of an assistant turn to its text, without the stop token at the end. stop_ids: tokens that end a turn.
    """

    decode: Callable[[Sequence[int]], str]
    stop_ids: tuple[int, ...]
    call_format: str
    native_tools: bool
    template_hash: str = ""
    model: str = ""
    adapter: str = ""


@dataclass(frozen=True, eq=False)
class Turn:
    """The conversation that an assistant turn is being written behind; states of one turn share the object.

    turns: the assistant messages among the conversation's that the search sampled.
    """

    conversation: Conversation
    turns: tuple[AssistantTurn, ...] = ()


@dataclass(frozen=True, eq=False)
class State:
    """A place in a conversation: `path` are the ids of the turn so far, `logprobs` theirs.

    step: what led here; None at the root. rollout: the text of the rest of the turn that was sampled behind it.
    """

    turn: Turn
    path: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    step: Step | None = None
    rollout: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a whole turn comes to: an outcome (+1 or -1), or calls that have to be executed first."""

    outcome: int | None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, eq=False)
class Asked:
    """A question with the tools it is offered."""

    question: Question
    tools: tuple[ToolSchema, ...]
    language: Language
    settings: MCTSSettings

    def begin(self) -> Turn:
        """The turn that answers the question."""
        call_format, native = self.language.call_format, self.language.native_tools
        messages = build_messages(self.question, self.tools, self.settings.variant, call_format, native)
        return Turn(Conversation(messages, template_tools(self.tools, call_format, native)))

    def judge(self, turn: Turn, token_ids: Sequence[int], *, complete: bool) -> Verdict:
        """The outcome of a turn with these ids behind `turn`; a turn that the token limit cut is wrong.

        A question with golds is judged on this one turn: all its calls have to agree with an accepted turn's. Any
        other is judged on its answer, and a turn that calls tools waits for their replies.
        """
        if not complete:
            return Verdict(-1)
        question, message = self.question, len(turn.conversation.messages)
        reading = read_turn(
            self.language.decode(token_ids),
            self.tools,
            call_format=self.language.call_format,
            variant=self.settings.variant,
            message=message,
            may_call=bool(question.golds) or len(turn.turns) + 1 < turns_allowed(self.settings),
        )
        if question.golds:
            made = [attempt.call for attempt in reading.attempts]
            score = score_turn(
                [call.model_copy(update={"id": ""}) for call in made if call is not None],
                question.golds,
                self.tools,
                unparsed=any(call is None for call in made),
                rules=rules_for(question.kind, self.tools),
            )
            return Verdict(1 if score.content_filled else -1)
        if reading.ends:
            return Verdict(1 if is_correct(reading.answer, question) else -1)
        return Verdict(None, reading.attempts)

    def go_on(
        self,
        turn: Turn,
        token_ids: tuple[int, ...],
        logprobs: tuple[float, ...],
        attempts: Sequence[Attempt],
        replies: Sequence[ToolReply],
    ) -> Turn:
        """The turn after this one: its text and what the tools replied are in the conversation."""
        messages = list(turn.conversation.messages)
        number = len(messages)
        messages.append(Message(role="assistant", content=storable_text(self.language.decode(token_ids))))
        for attempt, reply in zip(attempts, replies, strict=True):
            name = attempt.call.name if attempt.call else ""
            messages.append(Message(role="tool", content=storable_text(reply.content), name=name))
        stopped = token_ids[-1] in self.language.stop_ids
        said = AssistantTurn(
            message=number,
            token_ids=token_ids,
            logprobs=logprobs,
            finish_reason="stop" if stopped else "complete",
        )
        sampled = {**turn.conversation.sampled, number: token_ids}
        return Turn(Conversation(tuple(messages), turn.conversation.tools, sampled), (*turn.turns, said))


def is_lost(replies: Sequence[ToolReply]) -> bool:
    """Whether the tools service lost a call: what follows then says nothing about the policy."""
    return any(reply.error is ToolError.TOOL_INSTABILITY for reply in replies)
