"""Ground truth for the labeller: the tools service's executor under its seeded faults, in foreign wordings, codes stripped."""

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from pydantic import JsonValue

from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema
from tools_service.calculator import calculator
from tools_service.execution import Call, Executor
from tools_service.faults import FaultInjector, FaultPlan, Truth
from tools_service.registry import Registry
from tools_service.retrievers import index_of_corpus, open_retriever
from tools_service.search import make_wikipedia_search

RATE = 0.075  # of each category: 60 % of the calls fail


class ForeignFaults(FaultInjector):
    """The service's injector, its draws and truth log unchanged, with other words for each category."""

    def __init__(self, plan: FaultPlan, words: Mapping[ToolError, Sequence[str]]) -> None:
        super().__init__(plan)
        self._words = words

    def draw(self, name: str, arguments: Mapping[str, JsonValue]) -> tuple[ToolError, str] | None:
        """The category as the injector draws it; a wording by the call's digest."""
        drawn = super().draw(name, arguments)
        if drawn is None:
            return None
        digest = hashlib.sha256(json.dumps([self.plan.seed, name, arguments]).encode()).digest()
        words = self._words[drawn[0]]
        text = words[int.from_bytes(digest[:4], "big") % len(words)]
        parameter, value = next(iter(arguments.items()), ("input", ""))
        places = {"<tool>": name, "<parameter>": parameter, "<value>": str(value)}
        for place, by in places.items():
            text = text.replace(place, by)
        return drawn[0], text


def make_tools(folder: Path, wordings: ModuleType) -> Registry:
    """Calculator, search over the wordings' articles, and a service that replies what the wordings say."""
    corpus = folder / "passages.jsonl"
    rows = [
        json.dumps({"id": n, "title": title, "text": text})
        for n, (title, text) in enumerate(wordings.ARTICLES)
    ]
    corpus.write_text("\n".join(rows) + "\n", encoding="utf-8")

    def foreign_service(request: str, page: int = 1) -> str:
        """Replies as some service that is not ours would.

        Args:
            request: what to ask for
            page: which page of the reply
        """
        return str(wordings.REPLIES[page % len(wordings.REPLIES)])

    registry = Registry()
    registry.add(calculator, quick=True)
    registry.add(make_wikipedia_search(open_retriever("bm25", str(index_of_corpus("bm25", corpus)))))
    registry.add(foreign_service)
    return registry


def make_calls(count: int, wordings: ModuleType) -> list[Call]:
    """Valid calls of the three tools, in turn; the same for the same count and wordings."""
    calls: list[Call] = []
    for number in range(count):
        arguments: dict[str, JsonValue]
        if number % 3 == 0:
            name, arguments = "calculator", {"expression": f"{number} + 1"}
        elif number % 3 == 1:
            title = wordings.ARTICLES[number // 3 % len(wordings.ARTICLES)][0]
            name, arguments = "wikipedia_search", {"query": f"{title} {number}"}
        else:
            name, arguments = "foreign_service", {"request": f"item {number}", "page": number // 3}
        calls.append(Call(id=str(number), name=name, arguments=arguments))
    return calls


def inject(count: int, wordings: ModuleType, seed: int) -> tuple[list[Truth], list[ToolSchema]]:
    """The truth of `count` calls run by the executor under faults, and the tools' schemas.

    wordings: a wording module (`tests.battery.labeller.wordings` says what is in one).
    """
    plan = FaultPlan(seed=seed, rates=dict.fromkeys(ToolError, RATE), typed=False)

    async def run(registry: Registry) -> list[Truth]:
        faults = ForeignFaults(plan, wordings.FAILURES)
        executor = Executor(registry, threads=1, faults=faults)
        calls = make_calls(count, wordings)
        try:
            for start in range(0, count, 200):
                await executor.run(calls[start : start + 200])
        finally:
            executor.close()
        return list(faults.rows)

    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("WHETSTONE_CACHE", folder)
        registry = make_tools(Path(folder), wordings)
        return asyncio.run(run(registry)), list(registry.schemas())
