"""Search: the hardest questions in, their trees and the pairs of best and worst next steps out."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.methods import is_on
from components.contracts.pages import write_page
from components.contracts.progress import Progress
from components.contracts.records import PreferencePair, Question
from components.contracts.search_records import BufferEntry, SearchTree
from components.mcts.buffer import rank_pool
from components.mcts.finished import settings_digest
from components.mcts.pairs import PAIR, pairs_of
from components.mcts.questions import read_pool, taken
from components.mcts.report import render_report
from components.mcts.resume import FinishedTrees, open_finished
from components.mcts.search import Search
from components.mcts.settings import MCTSSettings
from components.mcts.states import Asked, Language
from components.mcts.tally import Tally
from components.rollout.tools_client import ToolsClient
from components.storage import open_input, write_output

if TYPE_CHECKING:
    from components.mcts.expansion import Expander

METHOD = "mcts"
TREES, BUFFER, PAIRS = "trees.jsonl", "buffer.jsonl", "pairs.jsonl"


def run(
    question_set: Any,
    base_model: str,
    tools_url: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    pairs: Any,
    trees: Any,
    metrics: Any,
    report: Any,
    adapter: Any = None,
    overrides: str = "{}",
    method: str = "",
) -> None:
    """Search and write `trees/1` (`trees.jsonl`, `buffer.jsonl`) and `preference_pairs/1` (`pairs.jsonl`).

    question_set: artifact questions/1. adapter: artifact adapter/1 of the policy that searches, or None for the base
    model. pairs, trees, metrics, report: KFP artifacts. overrides: JSON object over `settings`. method: without mcts
    in it nothing is read, and there are no trees and no pairs. A search that was killed goes on with the trees that
    it had finished, under `checkpoint_root`.

    Raises:
        InputError: settings, artifacts, model or tools service can't be used; no question can be searched.
    """
    parsed = MCTSSettings.parse(settings, overrides)
    outputs = _Outputs(parsed, artifact_store, trees, pairs, metrics, report)
    if not is_on(METHOD, method):
        print(f"[mcts] off: method {method!r} does not search", flush=True)
        outputs.write((), (), None, {})
        return
    began = time.monotonic()
    opened = open_input(question_set.path, "questions/1", artifact_store)
    policy = open_input(adapter.path, "adapter/1", artifact_store) if adapter is not None else None
    pool = read_pool(opened, parsed)
    expander = open_expander(base_model, policy, parsed)
    language = language_of(expander, base_model, policy.digest if policy else "")
    lineage = {"question_set": opened.digest} | ({"adapter": policy.digest} if policy else {})
    decides = {**lineage, "base_model": base_model, "settings": settings_digest(parsed)}
    with ToolsClient(tools_url) as client:
        search = Search(expander, language, parsed)
        if parsed.execute_tools or not all(question.offered for question in pool):
            search.client, search.available = client, client.list_tools()
            decides["tools"] = json.dumps(search.available, sort_keys=True)
        with open_finished(checkpoint_root, decides) as finished:
            asked = [search.ask(question) for question in pool]
            buffer = rank_pool(asked, measure(asked, expander, parsed), parsed)
            questions = taken(pool, buffer)
            search_all(search, questions, finished)
            outputs.write(in_order(questions, finished), buffer, language, lineage)
            finished.clear()
    if not outputs.tally.pairs:
        dropped = ", ".join(f"{count} x {why}" for why, count in outputs.tally.verdicts.most_common())
        print(
            f"[mcts] no pair: of {outputs.tally.expansions} expanded states {dropped or 'none'}", flush=True
        )
    for reason, count in search.rollout_failures.most_common():
        print(f"[mcts] {count} roll-outs came to no outcome: {reason}", flush=True)
    metrics.log_metric("seconds", time.monotonic() - began)


def open_expander(base_model: str, policy: Artifact | None, settings: MCTSSettings) -> Expander:
    """The model that steps are sampled from."""
    from components.mcts.expansion import Expander

    return Expander.open(base_model, policy.folder if policy else None, settings)


def measure(asked: Sequence[Asked], expander: Expander, settings: MCTSSettings) -> list[float | None]:
    """The perplexity of each question's gold response under the policy that searches.

    Raises:
        InputError: none can be measured.
    """
    from components.mcts.perplexity import measure_perplexities

    found = measure_perplexities(asked, expander.policy, settings.engine.batch_size)
    if found.count(None) == len(found):
        raise InputError(
            f"question_set: none of {len(found)} gold responses has a text and fits the model's context and memory"
        )
    return found


def language_of(expander: Expander, base_model: str, adapter: str) -> Language:
    """What the search has to know of the expander's policy. adapter: its digest."""
    chat = expander.policy.chat
    return Language(
        decode=chat.decode,
        stop_ids=chat.stop_ids,
        call_format=chat.call_format,
        native_tools=chat.native_tools,
        template_hash=chat.template_hash,
        model=base_model,
        adapter=adapter,
    )


def search_all(search: Search, questions: Sequence[Question], finished: FinishedTrees) -> None:
    """Search what is not finished yet, and keep every tree as soon as it is."""
    left = [question for question in questions if finished.get(question.id) is None]
    budget = search.settings.simulations
    over = (len(questions) - len(left)) * budget
    if over:
        print(
            f"[mcts] {len(questions) - len(left)} of {len(questions)} trees are finished already", flush=True
        )
    progress = Progress("mcts", len(questions) * budget, start=over)
    search.advanced = progress.advance
    for tree in search.run(left):
        finished.keep(tree)


def in_order(questions: Sequence[Question], finished: FinishedTrees) -> Iterator[SearchTree]:
    """The finished trees, the hardest question's first, one in memory at a time."""
    for question in questions:
        tree = finished.get(question.id)
        if tree is None:
            raise InputError(
                f"checkpoint_root: the finished tree of question {question.id!r} is gone; run again"
            )
        yield tree


@dataclass
class _Outputs:
    """Where everything is written, and what came of the search."""

    settings: MCTSSettings
    artifact_store: str
    trees: Any
    pairs: Any
    metrics: Any
    report: Any
    tally: Tally = field(default_factory=Tally)

    def write(
        self,
        found: Iterable[SearchTree],
        buffer: Sequence[BufferEntry],
        language: Language | None,
        lineage: Mapping[str, str],
    ) -> None:
        """Write both artifacts, the metrics and the page. language: None where the stage is off."""
        details = self.settings.model_dump(mode="json")
        with write_output(self.trees.path, "trees/1", self.artifact_store) as writer:
            writer.lineage.update(lineage)
            writer.details["settings"] = details
            written = writer.folder / TREES
            write_records(written, self._counted(found))
            writer.counts["pool"] = write_records(writer.folder / BUFFER, buffer)
            writer.counts.update(self.tally.counts())
            with write_output(self.pairs.path, "preference_pairs/1", self.artifact_store) as other:
                other.lineage.update(lineage)
                other.details.update(settings=details, kind="step")
                other.counts["pairs"] = write_records(other.folder / PAIRS, _pairs(written, language))
                other.counts.update(
                    {
                        name: count
                        for name, count in self.tally.counts().items()
                        if name.startswith("dropped_")
                    }
                )
            shown = _most_pairs(written, self.settings.report_trees)
        for name, value in {**self.tally.counts(), "pool": len(buffer)}.items():
            self.metrics.log_metric(name, float(value))
        page = render_report(shown, self.tally, buffer, self.settings, off=language is None)
        write_page(self.report.path, page)

    def _counted(self, found: Iterable[SearchTree]) -> Iterator[SearchTree]:
        for tree in found:
            self.tally.add(tree)
            yield tree


def _pairs(trees: Path, language: Language | None) -> Iterator[PreferencePair]:
    if language is not None:
        for tree in read_records(trees, SearchTree):
            yield from pairs_of(tree, language.decode, language.stop_ids)


def _most_pairs(trees: Path, most: int) -> list[SearchTree]:
    """The trees for the page: those with most pairs, of equal ones the hardest question's first."""

    def rank(numbered: tuple[int, SearchTree]) -> tuple[int, int]:
        number, tree = numbered
        return sum(node.pair == PAIR for node in tree.nodes), -number

    return [tree for _, tree in heapq.nlargest(most, enumerate(read_records(trees, SearchTree)), key=rank)]
