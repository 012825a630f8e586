"""Tools' replies in the order of the calls that they answer.

Call formats write no ids, and exports number calls anew: behind a turn, a reply's place is all that says
which call it answers.
"""

from collections.abc import Sequence

from components.ingest.rows import RowError, Said


def in_order_of_calls(said: Sequence[Said]) -> tuple[Said, ...]:
    """The dialogue with the replies that name their calls in the calls' order.

    A call without a reply before one that has one gets an empty reply. Ids that tell no calls apart (none
    given, or one given twice) are dropped: then places count, as for replies without ids.

    Raises:
        RowError: a reply names no call of the turn before it, or a call that another one names too.
    """
    found: list[Said] = []
    position = 0
    while position < len(said):
        one = said[position]
        end = position + 1
        while end < len(said) and said[end].role == "tool":
            end += 1
        if one.role == "tool" and one.call_id:
            raise RowError(
                "messages", f"a reply that names no call of the turn before it, got {one.call_id!r}"
            )
        found += [one, *_ordered(one, said[position + 1 : end])]
        position = end
    return tuple(found)


def _ordered(turn: Said, replies: Sequence[Said]) -> list[Said]:
    ids = [call.id for call in turn.calls]
    if not any(one.call_id for one in replies):
        return list(replies)
    if turn.calls and (not any(ids) or len(set(ids)) < len(ids)):
        return [_placed(one) for one in replies]
    by_id: dict[str, Said] = {}
    for one in replies:
        if one.call_id not in ids:
            raise RowError(
                "messages", f"a reply that names no call of the turn before it, got {one.call_id!r}"
            )
        if one.call_id in by_id:
            raise RowError("messages", f"two replies to the same call, got {one.call_id!r}")
        by_id[one.call_id] = one
    last = max(ids.index(call_id) for call_id in by_id)
    return [
        by_id.get(call.id) or Said("tool", "", name=call.name, call_id=call.id)
        for call in turn.calls[: last + 1]
    ]


def _placed(one: Said) -> Said:
    return Said(one.role, one.text, name=one.name)
