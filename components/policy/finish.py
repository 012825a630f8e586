"""From the ids a server sampled to a finished turn."""

from collections.abc import Sequence

from components.contracts.records import FinishReason
from components.contracts.tool_calls import CallFormat
from components.policy.chat import Chat
from components.policy.engine import Completion
from components.policy.offsets import TextGrower


def finish_turn(
    chat: Chat,
    call_format: CallFormat,
    given: Sequence[int],
    sampled: Sequence[int],
    logprobs: Sequence[float],
    finish_reason: FinishReason,
) -> Completion:
    """The turn of `given` (prefilled) and `sampled` ids, cut where its first action is complete.

    A server can't be told when an action is complete, so it may have gone on; `logprobs` belong to
    `sampled`. A turn that stopped ends with a stop token, whether or not the server shows it.
    """
    ids, values = list(sampled), list(logprobs)
    if finish_reason == "stop" and (not ids or ids[-1] not in chat.stop_ids):
        ids.append(chat.stop_ids[0])
        values.append(0.0)
    grower = TextGrower(chat.decode)
    for token_id in given:
        grower.add(token_id)
    for count, token_id in enumerate(ids, 1):
        if token_id in chat.stop_ids:
            ids, values, finish_reason = ids[:count], values[:count], "stop"
            break
        if call_format.stop_after(grower.add(token_id)):
            ids, values, finish_reason = ids[:count], values[:count], "complete"
            break
    return Completion(
        text=chat.decode([*given, *ids]),
        token_ids=(*given, *ids),
        logprobs=(*(0.0 for _ in given), *values),
        finish_reason=finish_reason,
        prefilled=len(given),
    )
