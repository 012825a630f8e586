"""The tree's numbers against their definitions, recomputed from a log of what was visited."""

import random
from dataclasses import dataclass, field
from math import exp, sqrt
from typing import Any

import pytest

from components.mcts.tree import Child, Node, Tree, prior_of


@dataclass
class Log:
    """What an observer knows: the states' own figures by path, and which path each simulation ended at."""

    children: dict[tuple[int, ...], list[Child]] = field(default_factory=dict)
    ends: list[tuple[int, ...]] = field(default_factory=list)


class WatchedTree(Tree):
    """A tree that notes where each simulation ended."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.log = Log()

    def _back_up(self, leaf: Node) -> None:
        self.log.ends.append(leaf.path)
        super()._back_up(leaf)


def random_child(random_: random.Random) -> Child:
    kind = random_.random()
    prior, evaluation = random_.random(), random_.choice([0.0, 0.25, random_.random()])
    if kind < 0.2:
        return Child(prior, evaluation, outcome=random_.choice([1, -1]), ending="terminal")
    if kind < 0.25:
        return Child(prior, evaluation, outcome=-1, ending="truncated")
    return Child(prior, evaluation, ahead=random_.choice([1, -1, None]))


def brute_force_visits(log: Log, path: tuple[int, ...]) -> int:
    return sum(end[: len(path)] == path for end in log.ends)


def brute_force_total(log: Log, path: tuple[int, ...]) -> float:
    if not path:
        return 0.0
    child = log.children[path[:-1]][path[-1]]
    return (child.outcome or 0) + child.self_evaluation


def brute_force_value(log: Log, path: tuple[int, ...], gamma: float) -> float:
    if path in log.children:
        places = [(*path, place) for place in range(len(log.children[path]))]
        weights = [max(1, brute_force_visits(log, one)) for one in places]
        qs = [brute_force_q(log, one, gamma) for one in places]
        return sum(weight * q for weight, q in zip(weights, qs, strict=True)) / sum(weights)
    ahead = log.children[path[:-1]][path[-1]].ahead if path else None
    return float(ahead or 0)


def brute_force_q(log: Log, path: tuple[int, ...], gamma: float) -> float:
    reward = brute_force_total(log, path) - brute_force_total(log, path[:-1])
    return reward + gamma * brute_force_value(log, path, gamma)


def grow(random_: random.Random, tree: WatchedTree, width: int, leaves: int) -> tuple[Log, int]:
    """Grow a tree to its end, with several leaves under way at once and answers in any order."""
    log, failed = tree.log, 0
    while not tree.done:
        chosen: list[Node] = []
        while len(chosen) < leaves and (node := tree.select()) is not None:
            chosen.append(node)
        assert len({node.path for node in chosen}) == len(chosen)
        random_.shuffle(chosen)
        for node in chosen:
            if random_.random() < 0.1:
                tree.fail(node, "out of memory")
                failed += 1
            else:
                children = [random_child(random_) for _ in range(random_.randint(1, width))]
                log.children[node.path] = children
                tree.expand(node, children)
        assert tree.finished <= tree.started <= tree.simulations
    return log, failed


def check(tree: Tree, log: Log, failed: int, depth: int) -> None:
    assert len(log.ends) == tree.finished == tree.root.visits <= tree.simulations
    assert tree.finished == tree.simulations or (tree.root.ending.startswith("failed") and tree.finished == 1)
    assert sum(tree.failures.values()) == failed
    assert tree.expansions == len(log.children)
    for node in tree.walk():
        assert node.pending == 0, "a virtual loss was left"
        assert node.depth == len(node.path) <= depth
        assert node.visits == brute_force_visits(log, node.path)
        assert node.value == pytest.approx(brute_force_value(log, node.path, tree.gamma), abs=1e-12)
        assert node.q == pytest.approx(brute_force_q(log, node.path, tree.gamma), abs=1e-12)
        assert not (node.ending and node.children)


def test_ten_thousand_random_trees_against_the_definition() -> None:
    for seed in range(10_000):
        random_ = random.Random(seed)
        width, depth = random_.randint(1, 4), random_.randint(1, 4)
        tree = WatchedTree(
            depth=depth,
            simulations=random_.randint(1, 14),
            c=random_.choice([0.0, 1.0, 2.5]),
            gamma=random_.choice([1.0, 0.9, 0.0]),
            virtual_loss=random_.choice([0.0, 1.0]),
        )
        log, failed = grow(random_, tree, width, leaves=random_.randint(1, 4))
        check(tree, log, failed, depth)


def test_a_long_search_against_the_definition() -> None:
    random_ = random.Random(3)
    tree = WatchedTree(depth=4, simulations=600)
    log, failed = grow(random_, tree, width=3, leaves=3)
    check(tree, log, failed, depth=4)


def test_selection_is_puct_by_hand() -> None:
    tree = Tree(depth=2, simulations=10, c=1.0)
    root = tree.select()
    assert root is tree.root
    tree.expand(root, [Child(0.5, 0.1), Child(0.9, 0.0), Child(0.2, 0.3)])
    # Scores Q + p * sqrt(1) / 1: 0.6, 0.9, 0.5.
    second = tree.select()
    assert second is root.children[1]
    tree.expand(second, [Child(1.0, 0.2, ahead=-1), Child(1.0, 0.0, outcome=1, ending="terminal")])
    # Q of the grandchildren: 0.2 - 1 and 1. V = (-0.8 + 1) / 2, Q = 0 + 0.1, N = 1.
    assert second.visits == 1
    assert second.q == pytest.approx(0.1)
    # V of the root: (0.1 + 0.1 + 0.3) / 3, each of weight 1.
    assert root.value == pytest.approx(0.5 / 3)
    # sqrt(2): 0.1 + 0.5 * 1.414 = 0.807; 0.1 + 0.9 * 1.414 / 2 = 0.736; 0.3 + 0.2 * 1.414 = 0.583.
    assert tree.select() is root.children[0]


def test_equal_scores_take_the_first_child() -> None:
    tree = Tree(depth=3, simulations=3)
    root = tree.select()
    assert root is not None
    tree.expand(root, [Child(0.5), Child(0.5), Child(0.5)])
    assert tree.select() is root.children[0]


def test_virtual_loss_parts_simulations_that_are_under_way_together() -> None:
    tree = Tree(depth=3, simulations=9)
    root = tree.select()
    assert root is not None
    assert tree.select() is None, "the root alone is under way"
    tree.expand(root, [Child(0.5), Child(0.5)])
    first, second = tree.select(), tree.select()
    assert [first, second] == root.children
    assert tree.select() is None
    assert (root.pending, root.children[0].pending) == (2, 1)
    tree.fail(root.children[1], "too long")
    tree.expand(root.children[0], [Child(0.5)])
    assert [node.pending for node in tree.walk()] == [0] * 4


def test_a_root_that_fails_ends_the_tree() -> None:
    tree = Tree(depth=3, simulations=50)
    root = tree.select()
    assert root is not None
    tree.fail(root, "prompt too long")
    assert tree.done
    assert tree.select() is None
    assert tree.failures == {"prompt too long": 1}
    assert root.visits == 1


def test_simulations_that_end_in_terminal_states_need_no_expansion() -> None:
    tree = Tree(depth=3, simulations=20)
    root = tree.select()
    assert root is not None
    tree.expand(root, [Child(0.5, outcome=1, ending="terminal"), Child(0.5, outcome=-1, ending="terminal")])
    assert tree.select() is None
    assert tree.done
    assert tree.finished == root.visits == 20
    assert tree.expansions == 1
    assert root.children[0].visits > root.children[1].visits
    assert sum(child.visits for child in root.children) == 19


def test_depth_bounds_the_tree() -> None:
    tree = Tree(depth=1, simulations=5)
    root = tree.select()
    assert root is not None
    tree.expand(root, [Child(0.5, ahead=1)])
    assert tree.select() is None
    assert tree.done
    assert root.children[0].ending == "depth"
    assert root.children[0].q == 1.0, "what its roll-out came to"


def test_what_was_not_selected_can_neither_be_expanded_nor_fail() -> None:
    tree = Tree(depth=2, simulations=5)
    with pytest.raises(ValueError, match="under way"):
        tree.expand(tree.root, [Child(1.0)])
    root = tree.select()
    assert root is not None
    with pytest.raises(ValueError, match="at least one child"):
        tree.expand(root, [])
    tree.expand(root, [Child(1.0)])
    with pytest.raises(ValueError, match="under way"):
        tree.fail(root, "again")


def test_the_prior_is_the_lengths_power_of_the_likelihood() -> None:
    assert prior_of([-1.0, -2.0, -0.5]) == pytest.approx(exp(-3.5 / 3**1.25))
    assert prior_of([]) == 1.0
    assert prior_of([-0.5] * 16) == pytest.approx(exp(-8 / 32))
    assert sqrt(16) * 8 == 16**1.25
