"""Which siblings make a pair, and what the pair trains."""

import itertools
import json

import pytest

from components.contracts.search_records import SearchNode, SearchTree
from components.mcts.pairs import mark_pairs, overlap, pairs_of
from components.mcts.search import Search
from components.mcts.settings import MCTSSettings
from tests.toy_search import LANGUAGE, STOP, ToyExpander, decode, gold_questions

SETTINGS = MCTSSettings()


def grown(count: int = 12, **settings: object) -> list[SearchTree]:
    parsed = MCTSSettings.parse(json.dumps({"width": 6, "simulations": 40, **settings}))
    return list(Search(ToyExpander(), LANGUAGE, parsed).run(gold_questions(count)))


def node(q: float, ids: tuple[int, ...], text: str, **values: object) -> SearchNode:
    return SearchNode.model_validate(
        {"parent": 0, "path": (0,), "turn": 0, "token_ids": ids, "text": text, "q": q, "rollout_outcome": 1}
        | values
    )


ROOT = SearchNode(parent=-1, path=(), turn=0)


@pytest.mark.parametrize(
    ("siblings", "verdict"),
    [
        ([node(1.0, (1,), "a")], "one step only"),
        ([node(1.0, (1,), "a"), node(0.95, (2,), "b")], "gap"),
        ([node(1.0, (1,), "a"), node(1.0, (2,), "b")], "gap"),
        ([node(1.0, (1,), "a"), node(0.875, (2,), "b")], "pair"),
        ([node(1.0, (1,), "a"), node(0.0, (2, 3), "a")], "equal text"),
        ([node(1.0, (1,), "a"), node(-1.0, (2,), "b", ending="truncated")], "truncated"),
        ([node(1.0, (1,), "a"), node(-1.0, (2,), "b"), node(0.0, (3,), "c", ending="truncated")], "pair"),
        ([node(1.0, (1,), "a"), node(-1.0, (2,), "b", rollout_outcome=None)], "no outcome"),
        ([node(1.0, (1,), "a"), node(-1.0, (2,), "b", rollout_outcome=None, outcome=-1)], "pair"),
        ([node(1.0, (1,), "a", self_evaluation=0.6), node(-1.0, (2,), "b")], "not judged"),
        ([node(1.0, (1,), "a", self_evaluation=0.6), node(-1.0, (2,), "b", self_evaluation=0.1)], "pair"),
        ([node(1.0, tuple(range(39)), "a"), node(0.0, (*range(38), 99), "b")], "overlap"),
        ([node(1.0, tuple(range(20)), "a"), node(0.0, (*range(19), 99), "b")], "pair"),
    ],
)
def test_verdicts(siblings: list[SearchNode], verdict: str) -> None:
    marked = mark_pairs([ROOT, *siblings], SETTINGS)
    assert marked[0].pair == verdict
    roles = [one.role for one in marked[1:]]
    assert roles[:2] == (["chosen", "rejected"] if verdict == "pair" else [""] * len(siblings[:2]))


def test_the_bounds_are_settings() -> None:
    siblings = [ROOT, node(1.0, (1, 2, 3), "a"), node(0.95, (1, 2, 4), "b")]
    assert mark_pairs(siblings, MCTSSettings(min_gap=0.01))[0].pair == "pair"
    assert mark_pairs(siblings, MCTSSettings(min_gap=0.01, max_overlap=0.5))[0].pair == "overlap"
    equal = [ROOT, node(1.0, (1,), "a"), node(1.0, (2,), "b")]
    assert mark_pairs(equal, MCTSSettings(min_gap=0.0))[0].pair == "gap", "equal Q prefers nothing"


def test_overlap_is_the_share_of_tokens_in_common() -> None:
    assert overlap((1, 2, 3, 4), (1, 2, 3, 5)) == 0.75
    assert overlap((1, 2), (3, 4)) == 0.0
    assert overlap((1, 2, 3), (1, 2, 3)) == 1.0


def test_best_and_worst_by_q_at_every_expanded_state() -> None:
    for tree in grown():
        pairs = {pair.id: pair for pair in pairs_of(tree, decode, (STOP,))}
        for number, state in enumerate(tree.nodes):
            siblings = [one for one in tree.nodes if one.parent == number]
            assert bool(state.pair) == bool(siblings)
            pair = pairs.get(f"{tree.question.id}#{'.'.join(map(str, state.path)) or 'root'}")
            assert (state.pair == "pair") == (pair is not None)
            if pair is not None:
                assert pair.chosen_q == max(one.q for one in siblings)
                assert pair.rejected_q == min(one.q for one in siblings)


def test_the_shared_prefix_is_prompt_and_only_ends_have_an_end_token() -> None:
    trees = grown()
    pairs = list(itertools.chain.from_iterable(pairs_of(tree, decode, (STOP,)) for tree in trees))
    assert len(pairs) > 20
    assert any(pair.shared for pair in pairs)
    for tree in trees:
        texts = {one.token_ids: one.text for one in tree.nodes}
        terminal = {one.token_ids for one in tree.nodes if one.terminal}
        for pair in pairs_of(tree, decode, (STOP,)):
            assert pair.kind == "step"
            assert pair.prompt == tree.turns[0].messages
            sides = [(pair.chosen, pair.chosen_turns), (pair.rejected, pair.rejected_turns)]
            prefixes = {turns[0].token_ids[: pair.shared] for _, turns in sides}
            assert len(prefixes) == 1
            for messages, (turn,) in sides:
                step = turn.token_ids[pair.shared :]
                assert messages[0].content == decode(turn.token_ids)
                assert messages[0].content.endswith(texts[step])
                assert len(turn.logprobs) == len(turn.token_ids)
                assert (turn.token_ids[-1] == STOP) == (step in terminal) == (turn.finish_reason == "stop")
                assert STOP not in turn.token_ids[:-1]
