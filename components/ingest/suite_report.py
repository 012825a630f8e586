"""What became of each suite's rows: counts for the manifest, a table and notes for people."""

from collections.abc import Sequence

from components.ingest.suites import Suite


def suite_counts(suites: Sequence[Suite]) -> dict[str, int]:
    """Of all suites and, by name, of each: questions used, rows read, set aside and over the limit.

    `suites_read/x` == `suites/x` + `suites_set_aside/x` + `suites_over_limit/x`.
    """
    counts = {"suites": sum(len(suite.chosen) for suite in suites)}
    for suite in suites:
        counts |= {
            f"suites/{suite.name}": len(suite.chosen),
            f"suites_read/{suite.name}": suite.read,
            f"suites_set_aside/{suite.name}": suite.set_aside,
            f"suites_over_limit/{suite.name}": suite.over_limit,
        }
    return counts


def suite_rows(suites: Sequence[Suite]) -> list[tuple[object, ...]]:
    """A table's row for each suite."""
    return [(one.name, one.read, len(one.chosen), one.over_limit, one.set_aside) for one in suites]


def suite_notes(suites: Sequence[Suite]) -> list[str]:
    """What conversion noted, a sentence each."""
    return [
        f"{suite.name}: {number} rows: {note}."
        for suite in suites
        for note, number in sorted(suite.notes.items())
    ]
