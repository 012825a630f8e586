"""Judged items with given numbers of right ones, for the tables of BFCL. Not a test."""

from collections.abc import Iterator, Mapping

from components.contracts.records import EvaluationItem


def judged_items(suites: Mapping[str, tuple[int, int]], *, unparsed: int = 0) -> Iterator[EvaluationItem]:
    """suites: name -> (right, items). unparsed: how many of the wrong ones of each suite could not be parsed."""
    for suite, (right, items) in suites.items():
        for index in range(items):
            yield EvaluationItem(
                id=f"{suite}_{index}",
                suite=suite,
                kind="question",
                question="",
                gold=(),
                answer=None,
                correct=index < right,
                exact_match=index < right,
                calls=0,
                first_turn_calls=0,
                passed_calls=0,
                answerable_calls=0,
                tools_called=(),
                errors=(),
                seconds=0.0,
                tokens=0,
                trace_id="",
                unparsed=right <= index < right + unparsed,
            )
