"""One conversation while it is going on, and its trace at the end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from components.contracts.records import (
    AssistantTurn,
    ExecutedCall,
    Message,
    Outcome,
    Question,
    ToolReply,
    Trace,
)
from components.contracts.tool_schemas import ToolSchema
from components.policy.engine import Completion, Conversation, Engine
from components.rollout.prefill import sample_seed
from components.rollout.settings import RolloutSettings
from components.rollout.storable import storable_text
from components.rollout.turn import Attempt


@dataclass
class Dialogue:
    """What has been said for one (question, sample); it grows by whole turns.

    tools: on offer. template_tools: those the chat template renders (see `prompts.template_tools`).
    prefill: text the first assistant turn begins with. answer_prefill: the same for a turn that has to
    answer.
    """

    question: Question
    sample: int
    tools: tuple[ToolSchema, ...]
    template_tools: tuple[ToolSchema, ...]
    messages: list[Message]
    prefill: str = ""
    answer_prefill: str = ""
    turns: list[AssistantTurn] = field(default_factory=list)
    calls: list[ExecutedCall] = field(default_factory=list)
    answer: str | None = None
    done: bool = False

    def conversation(self, *, must_answer: bool) -> Conversation:
        """What the engine continues: earlier turns go in as the ids that were sampled."""
        later = self.answer_prefill if must_answer else ""
        return Conversation(
            messages=tuple(self.messages),
            tools=self.template_tools,
            sampled={turn.message: turn.token_ids for turn in self.turns if not turn.retokenized},
            prefill=later if self.turns else self.prefill,
        )

    def turn_seed(self, seed: int) -> int:
        """The sampling seed of the next turn: of (question, sample, turn), whatever else runs beside."""
        return sample_seed(seed, self.question.id, self.sample, f"turn {len(self.turns)}")

    def add_turn(self, completion: Completion) -> None:
        """Append an assistant message with its tokens."""
        self.messages.append(Message(role="assistant", content=storable_text(completion.text)))
        self.turns.append(
            AssistantTurn(
                message=len(self.messages) - 1,
                token_ids=tuple(completion.token_ids),
                logprobs=tuple(completion.logprobs),
                finish_reason=completion.finish_reason,
                prefilled=completion.prefilled,
                retokenized=completion.retokenized,
            )
        )

    def add_replies(self, attempts: Sequence[Attempt], replies: Sequence[ToolReply]) -> None:
        """Append what came back for the last turn's calls, as tool messages unless the end is reached."""
        message = self.turns[-1].message
        for attempt, given in zip(attempts, replies, strict=True):
            reply = given.model_copy(update={"content": storable_text(given.content)})
            self.calls.append(
                ExecutedCall(message=message, text=attempt.text, call=attempt.call, reply=reply)
            )
            if not self.done:
                name = attempt.call.name if attempt.call else ""
                self.messages.append(Message(role="tool", content=reply.content, name=name))

    def trace(self, engine: Engine, settings: RolloutSettings, adapter: str) -> Trace:
        """The finished conversation as a record; its outcome is not judged yet."""
        return Trace(
            id=f"{self.question.id}#{self.sample}",
            question=self.question,
            tools=json.dumps(self.tools),
            messages=tuple(self.messages),
            turns=tuple(self.turns),
            calls=tuple(self.calls),
            outcome=Outcome(answer=self.answer),
            model=engine.base_model,
            adapter=adapter,
            template_hash=engine.template_hash,
            call_format=engine.call_format,
            native_tools=engine.native_tools,
            prompt=settings.variant,
            sample=self.sample,
            seed=settings.seed,
        )
