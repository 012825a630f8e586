"""The report for people: trees to unfold, in one self-contained page without scripts. All texts are escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from jinja2 import Environment, PackageLoader

from components.contracts.search_records import BufferEntry, SearchNode, SearchTree
from components.mcts.pairs import (
    EQUAL_TEXT,
    GAP,
    NO_OUTCOME,
    NOT_JUDGED,
    ONE_STEP,
    OVERLAP,
    PAIR,
    REASONS,
    TRUNCATED,
    overlap,
)
from components.mcts.settings import MCTSSettings
from components.mcts.tally import Tally
from components.mcts.tree import TERMINAL
from components.scoring.calls import show_calls

SHOWN_CHARACTERS = 4000  # of each message
SHOWN_NODES = 3000  # of all trees; about 1 KB each

_MEANING = {
    PAIR: "the best step over the worst",
    ONE_STEP: "all samples were the same step, so there is nothing to compare",
    TRUNCATED: "the token limit cut the best or the worst step",
    NO_OUTCOME: "what the best or the worst step leads to was not found out",
    NOT_JUDGED: "the model judged the best or the worst step, but not the other",
    EQUAL_TEXT: "both steps read the same",
    GAP: "the two steps are worth nearly the same",
    OVERLAP: "the two steps share nearly all of their tokens",
}


@dataclass
class NodeView:
    """One step as the page shows it. tags: (css class, text); figures: (name, value, title); why: (verdict, explanation)."""

    text: str = ""
    role: str = ""
    tags: list[tuple[str, str]] = field(default_factory=list)
    open: bool = False
    verdict: str = ""
    why: tuple[str, str] | None = None
    figures: list[tuple[str, str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    rollout: str = ""
    rollout_end: str = ""
    replies: list[tuple[str, str]] = field(default_factory=list)
    children: list[NodeView] = field(default_factory=list)


@dataclass(frozen=True)
class TreeView:
    """One tree as the page shows it. messages: (role, content)."""

    title: str
    summary: str
    golds: list[str]
    messages: list[tuple[str, str]]
    root: NodeView


def render_report(
    trees: Sequence[SearchTree],
    tally: Tally,
    buffer: Sequence[BufferEntry],
    settings: MCTSSettings,
    *,
    off: bool = False,
) -> str:
    """The page: counts, verdicts, the given trees, and the head of the buffer. off: the stage did nothing."""
    environment = Environment(
        loader=PackageLoader("components.mcts"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2").render(
        off=off,
        settings=settings,
        counts=tally.counts(),
        failures=sorted(tally.failures.items(), key=lambda one: (-one[1], one[0])),
        verdicts=[(name, tally.verdicts[name], _explain(name, settings)) for name in (PAIR, *REASONS)],
        trees=[view_tree(tree, settings, unfolded=number == 0) for number, tree in enumerate(_within(trees))],
        buffer=sorted(buffer, key=lambda entry: entry.rank),
    )


def _within(trees: Sequence[SearchTree]) -> list[SearchTree]:
    """The first trees, as many as have SHOWN_NODES together; one in any case."""
    sums = accumulate(len(tree.nodes) for tree in trees)
    return [
        tree
        for number, (tree, nodes) in enumerate(zip(trees, sums, strict=True))
        if not number or nodes <= SHOWN_NODES
    ]


def view_tree(tree: SearchTree, settings: MCTSSettings, *, unfolded: bool) -> TreeView:
    """A tree's view. unfolded: the steps that have been visited are open from the start."""
    views: list[NodeView] = []
    children: dict[int, list[SearchNode]] = {}
    for node in tree.nodes:
        children.setdefault(node.parent, []).append(node)
    for number, node in enumerate(tree.nodes):
        view = _view_node(node, children.get(number, []), settings)
        view.open = unfolded and bool(children.get(number))
        if node.parent >= 0:
            views[node.parent].children.append(view)
            if tree.nodes[node.parent].turn != node.turn:
                before = len(tree.turns[tree.nodes[node.parent].turn].messages)
                said = tree.turns[node.turn].messages[before + 1 :]
                view.replies = [(f"{one.role} {one.name}".strip(), _short(one.content)) for one in said]
        views.append(view)
    pairs = sum(node.role == "chosen" for node in tree.nodes)
    states = len(tree.nodes)
    return TreeView(
        title=_short(tree.question.text, 300),
        summary=f"{tree.question.id}: {pairs} pairs, {states} states, {tree.simulations} simulations",
        golds=[show_calls(calls) for calls in tree.question.golds] or list(tree.question.answers),
        messages=[(one.role, _short(one.content)) for one in tree.turns[0].messages],
        root=views[0],
    )


def _view_node(node: SearchNode, children: Sequence[SearchNode], settings: MCTSSettings) -> NodeView:
    view = NodeView(
        text=node.text or ("(the turn ends)" if node.terminal else "(nothing)"),
        role=node.role,
        verdict=node.pair,
        why=_why(node, children, settings),
    )
    if node.role:
        view.tags.append((node.role, node.role))
    if node.outcome is not None:
        view.tags.append(("right", "O +1") if node.outcome > 0 else ("wrong", "O \N{MINUS SIGN}1"))
    elif node.rollout_outcome is not None:
        view.tags.append(("right", "→ +1") if node.rollout_outcome > 0 else ("wrong", "→ \N{MINUS SIGN}1"))
    if node.ending not in ("", TERMINAL):
        view.tags.append(("", node.ending))
    evaluation = "-" if node.self_evaluation is None else f"{node.self_evaluation:.3f}"
    view.figures = [
        ("p", f"{node.prior:.3f}", "prior"),
        ("N", str(node.visits), "visits"),
        ("Q", _signed(node.q), "value of taking this step"),
        ("r", _signed(node.reward), "reward of this step"),
        ("C", evaluation, "self-evaluation"),
    ]
    view.facts = [
        ("V, the value of what follows", _signed(node.value)),
        ("tokens", str(len(node.token_ids))),
        ("log-probability", _signed(sum(node.logprobs))),
    ]
    view.rollout = node.rollout
    view.rollout_end = {1: "right in the end", -1: "wrong in the end"}.get(
        node.rollout_outcome or 0, "not judged"
    )
    return view


def _why(node: SearchNode, children: Sequence[SearchNode], settings: MCTSSettings) -> tuple[str, str] | None:
    if not node.pair:
        return None
    best = max(children, key=lambda one: one.q)
    worst = min(reversed(children), key=lambda one: one.q)
    gap, common = best.q - worst.q, overlap(best.token_ids, worst.token_ids)
    figures = f"Q {_signed(best.q)} over {_signed(worst.q)}: gap {gap:.3f}, overlap {common:.2f}."
    if node.pair == PAIR:
        return "A pair:", figures
    if node.pair == ONE_STEP:
        return "No pair:", f"{_explain(ONE_STEP, settings)}."
    return "No pair:", f"{_explain(node.pair, settings)}. {figures}"


def _explain(verdict: str, settings: MCTSSettings) -> str:
    bounds = {
        GAP: f" (less than {settings.min_gap:g} apart)",
        OVERLAP: f" (more than {settings.max_overlap:g})",
    }
    return _MEANING[verdict] + bounds.get(verdict, "")


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def _short(text: str, most: int = SHOWN_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most} characters more)"
