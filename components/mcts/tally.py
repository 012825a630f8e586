"""What a search came to, counted over its finished trees."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from components.contracts.search_records import SearchTree
from components.mcts.pairs import PAIR, REASONS


@dataclass
class Tally:
    """Sums over trees. verdicts: PAIR and REASONS -> states; failures: reason -> expansions.

    states with children == pairs + those dropped by reason == expansions.
    """

    trees: int = 0
    simulations: int = 0
    expansions: int = 0
    nodes: int = 0
    solved: int = 0  # trees in which a terminal state or a roll-out was right
    mixed: int = 0  # of those, trees in which another was wrong
    verdicts: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, tree: SearchTree) -> None:
        """Count one more tree."""
        self.trees += 1
        self.simulations += tree.simulations
        self.expansions += tree.expansions
        self.nodes += len(tree.nodes)
        outcomes = {node.outcome for node in tree.nodes} | {node.rollout_outcome for node in tree.nodes}
        self.solved += 1 in outcomes
        self.mixed += {1, -1} <= outcomes
        self.verdicts.update(node.pair for node in tree.nodes if node.pair)
        self.failures.update(tree.failures)

    @property
    def pairs(self) -> int:
        """Pairs over all trees."""
        return self.verdicts[PAIR]

    def counts(self) -> dict[str, int]:
        """Flat whole numbers, for a manifest and for metrics."""
        return {
            "trees": self.trees,
            "simulations": self.simulations,
            "expansions": self.expansions,
            "failed_expansions": self.failures.total(),
            "nodes": self.nodes,
            "solved_trees": self.solved,
            "mixed_trees": self.mixed,
            "pairs": self.pairs,
            **{f"dropped_{reason.replace(' ', '_')}": self.verdicts[reason] for reason in REASONS},
        }
