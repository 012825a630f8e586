"""A finished tree as a record."""

from __future__ import annotations

import hashlib
import json

from components.contracts.search_records import SearchNode, SearchTree, SearchTurn
from components.mcts.pairs import mark_pairs
from components.mcts.settings import MCTSSettings
from components.mcts.states import Asked, State, Turn
from components.mcts.tree import Node, Tree

# What decides which questions are searched, or how fast, but not what a tree comes to.
_BESIDE_THE_TREE = {"alpha", "concurrent", "data_share", "max_trees", "report_trees", "stratify"}


def settings_digest(settings: MCTSSettings) -> str:
    """32 hex digits; equal where trees of equal questions and policies would be equal."""
    text = json.dumps(settings.model_dump(mode="json", exclude=_BESIDE_THE_TREE), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def record_of(tree: Tree, asked: Asked) -> SearchTree:
    """The record of a finished tree, the verdict on each pair of siblings noted in its nodes."""
    settings, language = asked.settings, asked.language
    numbers: dict[int, int] = {}  # of the nodes, by identity
    turns: dict[Turn, int] = {}
    nodes: list[SearchNode] = []
    for node in tree.walk():
        numbers[id(node)] = len(nodes)
        state: State = node.payload
        turn = turns.setdefault(state.turn, len(turns))
        parent = numbers[id(node.parent)] if node.parent is not None else -1
        nodes.append(_node(node, state, parent, turn))
    return SearchTree(
        question=asked.question,
        seed=settings.seed,
        settings=settings_digest(settings),
        tools=json.dumps(asked.tools),
        turns=tuple(SearchTurn(messages=turn.conversation.messages, turns=turn.turns) for turn in turns),
        nodes=mark_pairs(nodes, settings),
        simulations=tree.finished,
        expansions=tree.expansions,
        failures=dict(sorted(tree.failures.items())),
        model=language.model,
        adapter=language.adapter,
        template_hash=language.template_hash,
        call_format=language.call_format,
        native_tools=language.native_tools,
        variant=settings.variant,
    )


def _node(node: Node, state: State, parent: int, turn: int) -> SearchNode:
    step = state.step
    return SearchNode(
        parent=parent,
        path=node.path,
        turn=turn,
        token_ids=step.token_ids if step else (),
        logprobs=step.logprobs if step else (),
        text=step.text if step else "",
        prior=node.prior,
        visits=node.visits,
        value=node.value,
        q=node.q,
        reward=node.reward,
        self_evaluation=step.self_evaluation if step else None,
        outcome=node.outcome,
        rollout_outcome=node.ahead,
        rollout=state.rollout,
        terminal=step.terminal if step else False,
        ending=node.ending,
    )
