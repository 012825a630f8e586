"""The best assignment of calls to gold calls, for everything that compares parallel calls."""

from collections.abc import Sequence

import networkx


def best_pairs(weights: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The pairs (row, column) of the assignment with the largest sum, in the order of the rows.

    weights: (rows, columns), integers of either sign, as the matching is exact on integers only. Every
    row or every column, whichever are fewer, is in one pair.
    """
    if len(weights) == 1 and len(weights[0]) == 1:
        return [(0, 0)]
    graph = networkx.Graph()
    for row, line in enumerate(weights):
        for column, weight in enumerate(line):
            graph.add_edge(row, len(weights) + column, weight=weight)
    matching = networkx.max_weight_matching(graph, maxcardinality=True)
    return sorted((min(pair), max(pair) - len(weights)) for pair in matching)
