"""Many trees at once, on a language whose best answer is known, and once on a real model."""

import json
from pathlib import Path

import pytest

from components.contracts.records import Question
from components.contracts.search_records import SearchNode, SearchTree
from components.mcts.pairs import written
from components.mcts.search import Search
from components.mcts.settings import MCTSSettings
from components.mcts.tree import prior_of
from components.rollout.tools_client import ToolsClient
from tests.small_tools import small_tools
from tests.toy_search import BEST, LANGUAGE, STOP, ToyExpander, decode, gold_questions


def search(
    questions: list[Question], expander: ToyExpander | None = None, **settings: object
) -> dict[str, SearchTree]:
    parsed = MCTSSettings.parse(json.dumps({"width": 8, "simulations": 60, **settings}))
    found = list(Search(expander or ToyExpander(), LANGUAGE, parsed).run(questions))
    assert len(found) == len(questions)
    return {tree.question.id: tree for tree in found}


def children_of(tree: SearchTree, number: int) -> list[SearchNode]:
    return [node for node in tree.nodes if node.parent == number]


def best_turn(tree: SearchTree) -> str:
    """The turn along the children of highest Q."""
    number = 0
    while below := children_of(tree, number):
        number = tree.nodes.index(max(below, key=lambda node: node.q))
    return decode(written(tree, number)[0])


def test_the_known_best_answer_has_the_highest_value() -> None:
    trees = search(gold_questions(10), width=16, simulations=100)
    reached = [tree for tree in trees.values() if any(node.outcome == 1 for node in tree.nodes)]
    assert len(reached) >= 8
    assert [best_turn(tree) for tree in reached] == [BEST] * len(reached)


def test_rewards_are_outcomes_and_self_evaluations_by_their_definition() -> None:
    for tree in search(gold_questions(3)).values():
        for number, node in enumerate(tree.nodes):
            if node.parent < 0:
                continue
            parent = tree.nodes[node.parent]
            total, above = (
                (one.outcome or 0) + (one.self_evaluation or 0.0) if one.parent >= 0 else 0.0
                for one in (node, parent)
            )
            assert node.reward == pytest.approx(total - above)
            assert node.q == pytest.approx(node.reward + node.value)
            assert node.prior == prior_of(node.logprobs)
            said = decode(written(tree, number)[0])
            if node.ending == "terminal":
                assert node.outcome == (1 if said == BEST else -1)
                assert node.token_ids[-1] == STOP
            else:
                assert node.outcome == (-1 if node.ending == "truncated" else None)
                assert STOP not in node.token_ids
            if node.rollout and not children_of(tree, number):
                right = said + node.rollout == BEST
                assert node.value == node.rollout_outcome == (1 if right else -1)


def test_a_tree_does_not_depend_on_those_that_share_its_batches() -> None:
    questions = gold_questions(9)
    alone = search(questions, concurrent=1, leaves=3)
    together, reverse = ToyExpander(), ToyExpander()
    assert search(questions, together, concurrent=4, leaves=3) == alone
    assert search(questions[::-1], reverse, concurrent=64, leaves=3) == alone
    assert max(trees for _, trees in together.batches) == 4
    assert max(trees for _, trees in reverse.batches) == 9
    assert search(questions, seed=20) != alone


def test_a_batch_holds_leaves_of_all_trees_and_several_of_one() -> None:
    expander = ToyExpander()
    search(gold_questions(6), expander, leaves=2)
    assert expander.batches[0] == (6, 6), "the roots"
    assert (12, 6) in expander.batches


@pytest.mark.parametrize("leaves", [1, 4])
def test_the_budget_is_kept_and_advancing_adds_up(leaves: int) -> None:
    done: list[int] = []
    parsed = MCTSSettings.parse(json.dumps({"simulations": 17, "leaves": leaves, "concurrent": 2}))
    searching = Search(ToyExpander(fails=("",)), LANGUAGE, parsed, advanced=done.append)
    assert [tree.simulations for tree in searching.run(gold_questions(3))] == [1, 1, 1]
    assert sum(done) == 3 * 17, "a tree that ends early has its whole share"
    for tree in search(gold_questions(3), simulations=17, leaves=leaves).values():
        assert tree.simulations == 17 == tree.nodes[0].visits
        assert tree.expansions <= 17


def test_a_failed_expansion_is_counted_and_the_tree_goes_on() -> None:
    trees = search(gold_questions(4), ToyExpander(fails=["[weather_map("])).values()
    for tree in trees:
        failed = [node for node in tree.nodes if node.ending.startswith("failed")]
        assert {node.text for node in failed} == {"[weather_map("}
        assert tree.failures == {"out of room": 1}
        assert tree.simulations == 60
        assert all(not children_of(tree, tree.nodes.index(node)) for node in failed)
    assert any(best_turn(tree) == BEST for tree in trees)


def test_width_and_depth_bound_a_tree() -> None:
    tree = search(gold_questions(1), width=2, depth=2)["q0"]
    assert max(len(node.path) for node in tree.nodes) == 2
    assert max(len(children_of(tree, number)) for number in range(len(tree.nodes))) <= 2
    assert all(
        node.ending in ("depth", "terminal", "truncated") for node in tree.nodes if len(node.path) == 2
    )


def test_calls_are_executed_inside_the_tree_and_replies_belong_to_their_state(tmp_path: Path) -> None:
    asked = [Question(id="sum", text="3 + 4?", answers=("7",), answer_type="number", tools=("calculator",))]
    settings = MCTSSettings.parse(
        json.dumps({"execute_tools": True, "width": 6, "simulations": 40, "variant": "single_step"})
    )
    with small_tools(tmp_path) as service, ToolsClient(service.url) as client:
        toy = ToyExpander()
        (tree,) = Search(toy, LANGUAGE, settings, client, client.list_tools()).run(asked)
    begun = {
        node.text: tree.turns[node.turn]
        for node in tree.nodes
        if node.parent == 0 and node.turn != tree.nodes[0].turn
    }
    replies = {text: turn.messages[-1] for text, turn in begun.items()}
    right, wrong = (f'[calculator(expression="3 {sign} 4")]' for sign in "+-")
    assert (replies[right].role, replies[right].content) == ("tool", "7")
    assert replies[wrong].content == "-1"
    for text, turn in begun.items():
        assert [message.content for message in turn.messages[-2:]] == [text, replies[text].content]
        assert turn.turns[0].token_ids[-1] == STOP
        assert turn.turns[0].message == len(turn.messages) - 2
    states = {node.text: node for node in tree.nodes if node.parent == 0}
    assert states[right].terminal
    assert states[right].ending == ""
    assert states[right].q > states[wrong].q
    assert states["It is twelve"].outcome == -1
    right_ends = [node for node in tree.nodes if node.outcome == 1]
    assert right_ends
    assert all(tree.turns[node.turn] is begun[right] for node in right_ends)
    assert all(node.rollout_outcome in (1, -1) for node in tree.nodes if node.turn and node.outcome is None)
    assert {leaf.judged for leaf in toy.leaves} == {True, False}
    assert all(
        leaf.judged == (leaf.width == 6) for leaf in toy.leaves
    )  # nobody reads that of a roll-out's turns


def test_a_call_that_the_service_loses_says_nothing_about_the_policy(tmp_path: Path) -> None:
    asked = [Question(id="sum", text="3 + 4?", answers=("7",), answer_type="number", tools=("calculator",))]
    settings = MCTSSettings.parse(json.dumps({"execute_tools": True, "width": 6, "simulations": 10}))
    with small_tools(tmp_path) as service, ToolsClient(service.url, attempts=1) as client:
        available = client.list_tools()
        service.stop()
        searching = Search(ToyExpander(), LANGUAGE, settings, client, available)
        (tree,) = searching.run(asked)
    lost = [node for node in tree.nodes if "lost" in node.ending]
    assert lost
    assert all(node.outcome is None and node.rollout_outcome is None for node in lost)
    assert not any(node.role for node in lost)
    assert searching.rollout_failures.total() >= len(lost)
    assert tree.simulations == 10
