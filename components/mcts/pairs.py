"""Preference pairs of single steps: at every expanded state, the sibling of highest Q over the one of lowest.

What both sides share, the turn up to the state, is prompt. An end token stands only behind a step that ends its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from components.contracts.records import AssistantTurn, Message, PreferencePair
from components.contracts.search_records import SearchNode, SearchTree
from components.mcts.settings import MCTSSettings
from components.mcts.tree import TRUNCATED as CUT

PAIR = "pair"
ONE_STEP, TRUNCATED = "one step only", "truncated"
NO_OUTCOME, NOT_JUDGED = "no outcome", "not judged"
EQUAL_TEXT, GAP, OVERLAP = "equal text", "gap", "overlap"
REASONS = (ONE_STEP, TRUNCATED, NO_OUTCOME, NOT_JUDGED, EQUAL_TEXT, GAP, OVERLAP)
CHOSEN, REJECTED = "chosen", "rejected"


def overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Share of tokens that two steps have in common, in order: 2 * matches / (length + length), in [0, 1].

    Matches are those of difflib's longest matching blocks. The prefix that both stand behind is not counted.
    """
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def verdict_on(best: SearchNode, worst: SearchNode, settings: MCTSSettings) -> str:
    """PAIR, or the first of REASONS that speaks against two siblings; equal Q is a gap too small in any case."""
    if CUT in (best.ending, worst.ending):
        return TRUNCATED
    if any(one.outcome is None and one.rollout_outcome is None for one in (best, worst)):
        return NO_OUTCOME
    if (best.self_evaluation is None) != (worst.self_evaluation is None):
        return NOT_JUDGED  # one has a part of its reward that the other could not get
    if best.text == worst.text:
        return EQUAL_TEXT
    if best.q - worst.q < settings.min_gap or best.q <= worst.q:
        return GAP
    if overlap(best.token_ids, worst.token_ids) > settings.max_overlap:
        return OVERLAP
    return PAIR


def mark_pairs(nodes: Sequence[SearchNode], settings: MCTSSettings) -> tuple[SearchNode, ...]:
    """The nodes with `pair` and `role` filled in. Of equal Q the first sibling is the best, and the last the worst."""
    children: dict[int, list[int]] = {}
    for number, node in enumerate(nodes):
        children.setdefault(node.parent, []).append(number)
    marked = list(nodes)
    for number in range(len(nodes)):
        siblings = children.get(number, [])
        if not siblings:
            continue
        best = max(siblings, key=lambda one: nodes[one].q)
        worst = min(reversed(siblings), key=lambda one: nodes[one].q)
        one_step = len(siblings) == 1
        verdict = ONE_STEP if one_step else verdict_on(nodes[best], nodes[worst], settings)
        marked[number] = marked[number].model_copy(update={"pair": verdict})
        if verdict == PAIR:
            marked[best] = marked[best].model_copy(update={"role": CHOSEN})
            marked[worst] = marked[worst].model_copy(update={"role": REJECTED})
    return tuple(marked)


def pairs_of(
    tree: SearchTree, decode: Callable[[Sequence[int]], str], stop_ids: Sequence[int]
) -> list[PreferencePair]:
    """The pairs of a marked tree, in the order of its nodes.

    decode: as `states.Language.decode`.
    """
    sides: dict[int, dict[str, SearchNode]] = {}
    for node in tree.nodes:
        if node.role:
            sides.setdefault(node.parent, {})[node.role] = node
    return [
        _pair(tree, number, found[CHOSEN], found[REJECTED], decode, stop_ids)
        for number, found in sorted(sides.items())
    ]


def _pair(
    tree: SearchTree,
    number: int,
    chosen: SearchNode,
    rejected: SearchNode,
    decode: Callable[[Sequence[int]], str],
    stop_ids: Sequence[int],
) -> PreferencePair:
    state = tree.nodes[number]
    turn = tree.turns[state.turn]
    prefix, logprobs = written(tree, number)
    message = len(turn.messages)

    def side(node: SearchNode) -> tuple[tuple[Message, ...], tuple[AssistantTurn, ...]]:
        ids = prefix + node.token_ids
        said = AssistantTurn(
            message=message,
            token_ids=ids,
            logprobs=logprobs + node.logprobs,
            finish_reason="stop" if ids[-1] in stop_ids else "complete",
        )
        return (Message(role="assistant", content=decode(ids)),), (said,)

    chosen_messages, chosen_turns = side(chosen)
    rejected_messages, rejected_turns = side(rejected)
    place = ".".join(map(str, state.path)) or "root"
    return PreferencePair(
        id=f"{tree.question.id}#{place}",
        question_id=tree.question.id,
        kind="step",
        tools=tree.tools,
        prompt=turn.messages,
        prompt_turns=turn.turns,
        chosen=chosen_messages,
        rejected=rejected_messages,
        chosen_turns=chosen_turns,
        rejected_turns=rejected_turns,
        shared=len(prefix),
        template_hash=tree.template_hash,
        call_format=tree.call_format,
        native_tools=tree.native_tools,
        variant=tree.variant,
        source=f"search, {state.visits} visits",
        chosen_q=chosen.q,
        rejected_q=rejected.q,
    )


def written(tree: SearchTree, number: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Ids and log-probabilities of the turn that is being written, as far as state `number` has got."""
    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    node = tree.nodes[number]
    while node.parent >= 0 and tree.nodes[node.parent].turn == node.turn:
        ids, logprobs = node.token_ids + ids, node.logprobs + logprobs
        node = tree.nodes[node.parent]
    return ids, logprobs
