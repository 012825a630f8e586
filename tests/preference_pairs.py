"""Preference pairs of every kind for the tiny model's chat, as the preferences stage writes them."""

from collections.abc import Sequence
from pathlib import Path

from components.contracts.artifacts import write_artifact
from components.contracts.jsonl import write_records
from components.contracts.records import AssistantTurn, FinishReason, Message, PairKind, PreferencePair
from components.policy.chat import Chat
from tests.tiny_model import CALL

KINDS: tuple[PairKind, ...] = ("response", "conversation", "masked_conversation", "step")


def make_turn(chat: Chat, text: str, message: int, finish: FinishReason = "stop") -> AssistantTurn:
    """A sampled turn; only one that stopped has the stop token among its ids."""
    ids = tuple(chat.tokenizer.encode(text, add_special_tokens=False))
    ids += chat.stop_ids[:1] if finish == "stop" else ()
    return AssistantTurn(message=message, token_ids=ids, logprobs=(-1.0,) * len(ids), finish_reason=finish)


def make_pair(
    chat: Chat,
    number: int,
    kind: PairKind = "masked_conversation",
    *,
    question: str = "",
    finish: FinishReason = "stop",
) -> PreferencePair:
    """Chosen: a call of the calculator, its reply, the sum. Rejected: a wrong number right away.

    A `step` pair has two calls whose first 6 tokens are shared. finish: of the rejected side's last turn.
    """
    left, right = number + 1, (7 * number) % 10
    call, total = CALL % (left, right), f"{left + right}"
    question = question or f"What is {left} plus {right}{'?' * (1 + number % 5)}"
    prompt = (Message(role="system", content="Answer."), Message(role="user", content=question))
    said = Message(role="assistant", content=call), make_turn(chat, call, 2)
    wrong = CALL % (left, right + 5) if kind == "step" else f"I say {left + right + 1}"
    chosen: tuple[Message, ...] = (said[0],)
    turns: tuple[AssistantTurn, ...] = (said[1],)
    if kind in ("conversation", "masked_conversation"):
        chosen += (
            Message(role="tool", content=total, name="calculator"),
            Message(role="assistant", content=total),
        )
        turns += (make_turn(chat, total, 4),)
    return PreferencePair(
        id=f"pair-{number}",
        question_id=f"q{number}",
        kind=kind,
        tools="[]",
        prompt=prompt,
        chosen=chosen,
        rejected=(Message(role="assistant", content=wrong),),
        chosen_turns=turns,
        rejected_turns=(make_turn(chat, wrong, 2, finish),),
        shared=6 if kind == "step" else 0,
        template_hash=chat.template_hash,
        call_format="hermes",
    )


def write_pairs(folder: Path, pairs: Sequence[PreferencePair]) -> Path:
    """The pairs as a `preference_pairs/1` artifact."""
    with write_artifact(folder, "preference_pairs/1") as writer:
        write_records(writer.folder / "pairs.jsonl", pairs)
    return folder
