"""What the item browser of a page holds: a fair choice of entries, within a size."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeVar

from pydantic import JsonValue

from components.contracts.report_page.trace_view import TextTable

Entry = dict[str, JsonValue]
Value = TypeVar("Value")


@dataclass
class ItemBrowser:
    """Sets of entries that share one table of texts; each set is a tab of the browser.

    An entry has `id`, `question`, `gold` and `more_gold`, `outcome` (one of the set's), perhaps `suite`, `kind` and
    `fault`, by which it can be filtered, and `sides`: `view_trace` of each policy, in the order of the set's.
    """

    texts: TextTable = field(default_factory=TextTable)
    sets: list[dict[str, JsonValue]] = field(default_factory=list)

    def add(
        self,
        title: str,
        groups: Iterable[Sequence[Value]],
        view: Callable[[Value, TextTable], Entry],
        *,
        sides: Sequence[str],
        outcomes: Sequence[str],
        total: int,
        most: int,
        room: int,
    ) -> None:
        """Add a tab: up to `most` entries, which take up to `room` bytes; every group gets its turn.

        sides: what the policies are called; one empty name for a single trace. outcomes: in the order in
        which they are listed. total: how many there are beside those that are chosen.
        """
        entries: list[Entry] = []
        for value in in_turns(groups):
            if len(entries) >= most:
                break
            entry = view(value, self.texts)
            room -= sum(len(page_json(text)) + 1 for text in self.texts.new()) + len(page_json(entry)) + 1
            if room < 0:
                self.texts.drop()
                break
            self.texts.keep()
            entries.append(entry)
        entries.sort(key=lambda entry: outcomes.index(str(entry["outcome"])))
        self.sets.append(
            {
                "title": title,
                "sides": list(sides),
                "outcomes": list(outcomes),
                "total": total,
                "entries": list(entries),
            }
        )

    def as_json(self) -> str:
        """The browser's data for a `<script type="application/json">`."""
        return page_json({"sets": list(self.sets), "texts": list(self.texts.texts)})


def in_turns(groups: Iterable[Sequence[Value]]) -> Iterator[Value]:
    """One of each group, then a second of each, and so on."""
    for one in zip_longest(*groups):
        yield from (value for value in one if value is not None)


def page_json(value: JsonValue) -> str:
    """JSON in ASCII that can stand inside a `<script>`: no tag or comment can begin or end in it."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
