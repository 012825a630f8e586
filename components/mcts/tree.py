"""The search tree: plain numbers in plain Python, no tensor and no text.

Equations 5 to 9 of the iTool paper in the forms of Xie et al. (2024):

    score = Q + c * p * sqrt(N_parent) / (1 + N)        the child with the highest is taken; of equal ones the first
    r     = R(child) - R(parent),  R = O + C            O: +1 or -1 at terminal states, else 0; C: self-evaluation
    Q     = r + gamma * V(child)
    V     = sum(max(1, N) * Q) / sum(max(1, N))         over the children

A state without children has as V what its roll-out came to: the outcome of the terminal state that it reached, whose C
is taken to be the state's own. R of the root is 0.

One simulation walks down to a state without children, expands it, and backs up from there to the root. Several may be
under way at once: each edge of their paths then counts as visited, at a loss, until its simulation is backed up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any

LENGTH_POWER = 1.25
TERMINAL, TRUNCATED, DEPTH, FAILED = "terminal", "truncated", "depth", "failed"

_FRESH, _WAITING, _OPEN, _CLOSED = range(4)


def prior_of(logprobs: Sequence[float]) -> float:
    """p of a step by its tokens' log-probabilities (nats): exp(sum / length^1.25), in (0, 1]; 1 without tokens."""
    return exp(sum(logprobs) / len(logprobs) ** LENGTH_POWER) if logprobs else 1.0


@dataclass(frozen=True, slots=True)
class Child:
    """A next state, as the search found it.

    prior: p. self_evaluation: C in [0, 1]. outcome: O of a terminal state. ahead: the outcome of the state that the
    roll-out from here ended in. ending: TERMINAL or TRUNCATED where nothing can follow. payload: the caller's own.
    """

    prior: float
    self_evaluation: float = 0.0
    outcome: int | None = None
    ahead: int | None = None
    ending: str = ""
    payload: Any = None


class Node:
    """One state. visits: N. value: V. q: Q of the step that led here. reward: r of that step. total: R.

    outcome, ahead, ending, prior, payload: see `Child`; ending is also DEPTH, or FAILED with a reason.
    pending: simulations under way through the edge that leads here.
    """

    __slots__ = (
        "ahead",
        "children",
        "depth",
        "ending",
        "outcome",
        "parent",
        "payload",
        "pending",
        "place",
        "prior",
        "q",
        "reward",
        "status",
        "total",
        "value",
        "visits",
    )

    def __init__(self, parent: Node | None, place: int, child: Child, gamma: float) -> None:
        self.parent = parent
        self.place = place
        self.depth: int = parent.depth + 1 if parent is not None else 0
        self.children: list[Node] = []
        self.prior = child.prior
        self.outcome = child.outcome
        self.ahead = child.ahead
        self.total = (child.outcome or 0) + child.self_evaluation
        self.reward = self.total - (parent.total if parent is not None else 0.0)
        self.value = float(child.ahead or 0)
        self.q = self.reward + gamma * self.value
        self.visits = 0
        self.pending = 0
        self.ending = child.ending
        self.status = _CLOSED if child.ending else _FRESH
        self.payload = child.payload

    @property
    def path(self) -> tuple[int, ...]:
        """Places among siblings from the root down; () for the root."""
        places: list[int] = []
        node = self
        while node.parent is not None:
            places.append(node.place)
            node = node.parent
        return tuple(reversed(places))


class Tree:
    """One question's tree. `started` and `finished` simulations never exceed `simulations`."""

    def __init__(
        self,
        *,
        depth: int,
        simulations: int,
        c: float = 1.0,
        gamma: float = 1.0,
        virtual_loss: float = 1.0,
        payload: Any = None,
    ) -> None:
        """depth: steps from the root that are searched. payload: the root's."""
        self.depth = depth
        self.simulations = simulations
        self.c = c
        self.gamma = gamma
        self.virtual_loss = virtual_loss
        self.root = Node(None, 0, Child(prior=1.0, payload=payload), gamma)
        self.started = self.finished = self.expansions = 0
        self.failures: dict[str, int] = {}

    @property
    def done(self) -> bool:
        """Whether the budget is spent, or the root can't be expanded; and nothing is under way."""
        spent = self.started >= self.simulations or self.root.status == _CLOSED
        return spent and self.started == self.finished

    def select(self) -> Node | None:
        """The next state to expand, which is then under way; None when there is none for now.

        Simulations that end in a state that can't be expanded are done on the way. There is none where the budget is
        spent, or the best path leads to a state that is under way already.
        """
        while self.started < self.simulations and self.root.status != _CLOSED:
            node = self.root
            while node.status == _OPEN:
                node = self._best(node)
            if node.status == _WAITING:
                return None
            self.started += 1
            if node.status == _FRESH:
                node.status = _WAITING
                _count_pending(node, 1)
                return node
            self._back_up(node)
        return None

    def expand(self, node: Node, children: Sequence[Child]) -> None:
        """Give a selected state its children and back up.

        Raises:
            ValueError: there is no child; or the state was not selected.
        """
        if not children:
            raise ValueError("an expansion gives at least one child; use fail")
        self._arrive(node)
        node.children = [Node(node, place, child, self.gamma) for place, child in enumerate(children)]
        for child in node.children:
            if child.status == _FRESH and child.depth >= self.depth:
                child.status, child.ending = _CLOSED, DEPTH
        node.status = _OPEN
        self.expansions += 1
        self._back_up(node)

    def fail(self, node: Node, reason: str) -> None:
        """Note that a selected state could not be expanded: it stays without children, and the tree goes on.

        Raises:
            ValueError: the state was not selected.
        """
        self._arrive(node)
        node.status, node.ending = _CLOSED, f"{FAILED}: {reason}"
        self.failures[reason] = self.failures.get(reason, 0) + 1
        self._back_up(node)

    def walk(self) -> Iterator[Node]:
        """All states, each before its children, siblings in order."""
        stack = [self.root]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def _arrive(self, node: Node) -> None:
        if node.status != _WAITING:
            raise ValueError("the state is not under way: it was never selected, or is expanded already")
        _count_pending(node, -1)

    def _best(self, node: Node) -> Node:
        """The child with the highest PUCT score, the first of equal ones."""
        exploration = self.c * sqrt(node.visits + node.pending)
        best, highest = node.children[0], float("-inf")
        for child in node.children:
            visits, q = child.visits, child.q
            if child.pending:
                weight = visits or 1
                q = (weight * q - child.pending * self.virtual_loss) / (weight + child.pending)
                visits += child.pending
            score = q + exploration * child.prior / (1 + visits)
            if score > highest:
                best, highest = child, score
        return best

    def _back_up(self, leaf: Node) -> None:
        """Count a visit of every state up to the root, and renew V and Q on the way.

        Only what lies on the path changes, so that V is its definition over all children at any time.
        """
        gamma = self.gamma
        node: Node | None = leaf
        while node is not None:
            node.visits += 1
            if node.children:
                above = below = 0.0
                for child in node.children:
                    weight = child.visits or 1
                    above += weight * child.q
                    below += weight
                node.value = above / below
            node.q = node.reward + gamma * node.value
            node = node.parent
        self.finished += 1


def _count_pending(leaf: Node, change: int) -> None:
    node: Node | None = leaf
    while node is not None:
        node.pending += change
        node = node.parent
