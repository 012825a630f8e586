"""The benchmark of retrieval: what it exits with."""

import json
import sys
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import retrieval
from tools_service.bm25 import Bm25Index


def run(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["retrieval", "--passages", "50"])
    return retrieval.main()


def test_without_its_peer_it_says_so_and_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rank_bm25", None)  # an import of it now fails
    assert run(monkeypatch) == 2
    error = capsys.readouterr().err
    assert "rank-bm25, is not installed" in error
    assert len(error.splitlines()) == 1


def test_equal_scores_exit_0_and_others_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retrieval, "VOCABULARY", 500)
    assert run(monkeypatch) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["scores_bitwise_equal"] is True
    whole = Bm25Index.scores

    def nearly(index: Any, query: list[str]) -> np.ndarray[Any, Any]:
        return np.nextafter(whole(index, query), 1.0)

    monkeypatch.setattr(Bm25Index, "scores", nearly)
    assert run(monkeypatch) == 1
    assert "differ from rank-bm25's" in capsys.readouterr().err
