"""Finished trees, kept one file each, so that a search that was killed takes them over.

A file appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from components.contracts.jsonl import write_records
from components.contracts.search_records import SearchTree
from components.storage import Storage, finished_work


class FinishedTrees:
    """Trees by their question's id, in a storage's own folder."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def keep(self, tree: SearchTree) -> None:
        """Store a finished tree.

        Raises:
            InputError: the store or the disk does not take it; those before are unharmed.
        """
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "tree.json"
            write_records(path, [tree])
            self._storage.put_file(path, _name(tree.question.id))

    def get(self, question_id: str) -> SearchTree | None:
        """The tree of a question; None when there is none, or one that can't be read (a line says so)."""
        name = _name(question_id)
        if not self._storage.exists(name):
            return None
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "tree.json"
            self._storage.get_file(name, path)
            try:
                tree = SearchTree.model_validate_json(path.read_bytes(), strict=True)
            except ValidationError:
                print(f"[mcts] the kept tree of question {question_id!r} is damaged; it is searched again")
                return None
        return tree if tree.question.id == question_id else None

    def clear(self) -> None:
        """Delete all of them."""
        self._storage.delete_prefix("")


@contextmanager
def open_finished(checkpoint_root: str, decides: Mapping[str, str]) -> Iterator[FinishedTrees]:
    """The finished trees of exactly this search (see `finished_work`); they stay until `clear` is called.

    Raises:
        InputError: the store can't be reached.
    """
    with finished_work(checkpoint_root, "mcts", decides, what="finished trees") as storage:
        yield FinishedTrees(storage)


def _name(question_id: str) -> str:
    digest = hashlib.sha256(question_id.encode(errors="surrogatepass")).hexdigest()[:40]
    return f"trees/{digest[:2]}/{digest}.json"
