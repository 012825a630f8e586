"""TriviaQA, GSM8K, NQ-Open and PopQA in the forms in which they are published, each under its own kind."""

import csv
import gzip
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_raw, read_records
from components.contracts.records import Question
from components.ingest.formats import detect_format, named_format
from components.ingest.rows import Draft, RowError
from components.ingest.run import run
from components.scoring.answers import is_correct, is_exact

HUGGING_FACE: dict[str, Any] = {
    "question": "Which lake is the largest in Africa?",
    "question_id": "tc_33",
    "question_source": "http://www.example.org/",
    "entity_pages": {"doc_source": [], "filename": [], "title": [], "wiki_context": []},
    "search_results": {"description": [], "rank": [], "title": [], "url": []},
    "answer": {
        "aliases": ["Lake Victoria", "Victoria Nyanza", "Lake_Nyanza"],
        "normalized_aliases": ["lake victoria", "victoria nyanza", "lake nyanza", "nam lolwe"],
        "matched_wiki_entity_name": "Lake Victoria",
        "normalized_matched_wiki_entity_name": "lake victoria",
        "normalized_value": "victoria",
        "type": "WikipediaEntity",
        "value": "Victoria",
    },
}
HIDDEN = {
    **HUGGING_FACE,
    "question": "Which one is hidden?",
    "question_id": "tc_34",
    "answer": {"aliases": [], "normalized_aliases": [], "normalized_value": "", "type": "", "value": "<unk>"},
}
AUTHORS: dict[str, Any] = {
    "Data": [
        {
            "Answer": {
                "Aliases": ["Lake Victoria"],
                "HumanAnswers": ["the Victoria lake"],
                "MatchedWikiEntityName": "Lake Victoria",
                "NormalizedAliases": ["lake victoria", "victoria nyanza"],
                "NormalizedValue": "victoria",
                "Type": "WikipediaEntity",
                "Value": "Victoria",
            },
            "Question": "Which lake is the largest in Africa?",
            "QuestionId": "tc_33",
            "QuestionSource": "http://www.example.org/",
        },
        {"Question": "Which one is hidden?", "QuestionId": "tc_34", "SearchResults": []},
        "no question",
    ],
    "Domain": "Unfiltered",
    "VerifiedEval": False,
    "Version": 1.0,
}


def ingested(folder: Path, questions: Path | str, **settings: Any) -> tuple[list[Question], list[Any], str]:
    """(all questions, the quarantine's rows, the report) of one run of the stage."""
    asked, traces, report = (
        SimpleNamespace(path=str(folder / name)) for name in ("set", "traces", "page.md")
    )
    metrics = SimpleNamespace(log_metric=lambda *_: None)
    given = json.dumps({"held_out_share": 0, "train_on_long_tail": "always", **settings})
    run(str(questions), given, "", asked, traces, metrics, report)
    artifact = open_artifact(folder / "set", "questions/1")
    found = [
        one
        for name in ("train.jsonl", "held_out.jsonl")
        for one in read_records(artifact.path(name), Question)
    ]
    rows = [row for _, row in read_raw(artifact.path("quarantine.jsonl"))]
    return found, rows, (folder / "page.md").read_text()


def test_triviaqa_of_hugging_face() -> None:
    known = detect_format([HUGGING_FACE], "train.jsonl")
    draft = known.convert(HUGGING_FACE)
    assert (known.name, known.kind) == ("triviaqa", "triviaqa")
    assert isinstance(draft, Draft)
    # one normalised alias says what no other does; the others are there already
    assert draft.answers == ("Victoria", "Lake Victoria", "Victoria Nyanza", "Lake_Nyanza", "nam lolwe")
    assert draft.id == "triviaqa-tc_33"
    assert (draft.subject, draft.answer_type) == ("", "text")
    with pytest.raises(RowError, match="answer: missing gold answer"):
        known.convert(HIDDEN)


def test_the_authors_triviaqa_is_one_object_with_many_questions(tmp_path: Path) -> None:
    path = tmp_path / "unfiltered-web-train.json"
    path.write_text(json.dumps(AUTHORS, indent=2))
    [question], aside, report = ingested(tmp_path, path)
    assert question.kind == "triviaqa"
    assert question.id == "triviaqa-tc_33"
    assert question.answers == ("Victoria", "Lake Victoria", "the Victoria lake", "victoria nyanza")
    assert [(row["field"], row["reason"]) for row in aside] == [
        ("Answer", "missing gold answer"),
        ("question", "missing or empty, expected text"),
    ]
    assert "3 rows read = 1 kept + 2 set aside" in report


def test_triviaqa_in_a_table_has_its_answer_as_json(tmp_path: Path) -> None:
    path = tmp_path / "trivia.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "question_id", "answer"])
        writer.writerow(["Which lake?", "tc_33", json.dumps(HUGGING_FACE["answer"])])
    [question], _, _ = ingested(tmp_path, path)
    assert (question.kind, question.answers[0]) == ("triviaqa", "Victoria")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("Victoria", "answer: expected an object with value and aliases, got str"),
        (None, "answer: missing gold answer"),
        ({"value": ["a", {}], "aliases": []}, r"answer\.value: expected text or a number"),
        ({"value": " ", "aliases": [None, ""]}, "answer: missing gold answer"),
    ],
)
def test_a_triviaqa_row_without_an_answer_says_so(answer: Any, message: str) -> None:
    with pytest.raises(RowError, match=message):
        named_format("triviaqa").convert({**HUGGING_FACE, "answer": answer})


def test_parquet_is_read_row_by_row(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{key: HUGGING_FACE[key] for key in ("question", "question_id", "answer")}]
    rows += [
        {**rows[0], "question": f"Which lake is number {n}?", "question_id": f"tc_{n}"} for n in range(2500)
    ]
    path = tmp_path / "train-00000-of-00001.parquet"
    parquet.write_table(arrow.Table.from_pylist([*rows, HIDDEN | {"question_id": None}]), path)
    found, [aside], _ = ingested(tmp_path / "out", path)
    assert len(found) == 2501
    assert {one.kind for one in found} == {"triviaqa"}
    assert (aside["line"], aside["reason"]) == (2502, "missing gold answer")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"parquet: no Parquet file, or damaged") as caught:
        ingested(tmp_path / "again", path)
    assert "\n" not in str(caught.value)


def test_parquet_without_pyarrow_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"train\.parquet: Parquet needs pyarrow; .*\.jsonl$"):
        ingested(tmp_path / "out", tmp_path / "train.parquet")


NQ_ROW = {"question": "where did they film hot tub time machine", "answer": ["Fernie Alpine Resort"]}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("NQ-open.dev.jsonl", "nq"),
        ("s3://data/nq_open/train.jsonl", "nq"),
        ("natural_questions.json", "nq"),
        ("questions.jsonl", "plain"),
        ("enquiries.jsonl", "plain"),
        ("nq_open/old/deeper/train.jsonl", "plain"),
    ],
)
def test_nq_as_published_is_told_by_its_file(file: str, name: str) -> None:
    known = detect_format([NQ_ROW], file)
    assert known.name == name
    draft = known.convert(NQ_ROW)
    assert isinstance(draft, Draft)
    assert draft.answers == ("Fernie Alpine Resort",)
    assert detect_format([{**NQ_ROW, "answer": "#### 4"}], file).name == "gsm8k"


def popqa_row(number: int) -> dict[str, str]:
    """A row as in popQA.tsv."""
    subject, answers = f"Person {number}", json.dumps(["politician", 'a "pol"'])
    columns = {"id": str(4_222_362 + number), "subj": subject, "prop": "occupation", "obj": "politician"}
    columns |= {"subj_id": "1850297", "prop_id": "22", "obj_id": "2834605", "s_aliases": '["P."]'}
    columns |= {"o_aliases": "[]", "s_uri": "http://www.wikidata.org/entity/Q1", "o_uri": "", "s_pop": "142"}
    return columns | {"question": f"What is {subject}'s occupation?", "possible_answers": answers}


@pytest.mark.parametrize("form", ["quoted.tsv", "bare.tsv", "rows.jsonl"])
def test_popqa_as_published(tmp_path: Path, form: str) -> None:
    rows = [popqa_row(number) for number in range(3)]
    path = tmp_path / form
    with path.open("w", newline="") as file:
        if form == "quoted.tsv":  # as pandas writes it
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
        elif form == "bare.tsv":
            file.write(
                "\n".join("\t".join(line) for line in [list(rows[0]), *(row.values() for row in rows)])
            )
        else:
            file.write("\n".join(json.dumps({**row, "id": int(row["id"]), "s_pop": 142}) for row in rows))
    found, aside, _ = ingested(tmp_path / "out", path)
    assert not aside
    assert {one.kind for one in found} == {"popqa"}
    assert {one.answers for one in found} == {("politician", 'a "pol"')}
    assert {one.subject for one in found} == {"Person 0", "Person 1", "Person 2"}
    assert {one.id for one in found} == {f"popqa-{4_222_362 + number}" for number in range(3)}


def test_the_four_sets_side_by_side_keep_their_kinds(tmp_path: Path) -> None:
    gsm8k = {"question": "How many?", "answer": "48/2 = <<48/2=24>>24\n#### 1,024"}
    files = {
        "trivia.jsonl": [HUGGING_FACE],
        "gsm8k/train.jsonl": [gsm8k],
        "nq_open/NQ-open.train.jsonl": [NQ_ROW],
        "popqa.jsonl": [popqa_row(1)],
    }
    for name, rows in files.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    zipped = tmp_path / "data/nq_open/NQ-open.train.jsonl"
    (tmp_path / "data/nq_open/NQ-open.train.jsonl.gz").write_bytes(gzip.compress(zipped.read_bytes()))
    zipped.unlink()
    found, _, report = ingested(tmp_path / "out", tmp_path / "data")
    by_kind = {one.kind: one for one in found}
    assert set(by_kind) == {"triviaqa", "gsm8k", "nq", "popqa"}
    for kind in by_kind:
        assert f"| {kind} | 1 | 0 |" in report
    said = {
        "triviaqa": ("The lake is called LAKE  Nyanza.", "lake-nyanza", "Lake Victorian"),
        "gsm8k": ("So it is $1,024.00", "1024", "1025"),
        "nq": ("At Fernie Alpine Resort, mostly", "the fernie alpine resort", "Fernie"),
        "popqa": ("George was a politician", "A Politician!", "politicians"),
    }
    for kind, (accurate, exact, wrong) in said.items():
        assert is_correct(accurate, by_kind[kind])
        assert not is_exact(accurate, by_kind[kind]) or kind == "gsm8k"
        assert is_exact(exact, by_kind[kind])
        assert not is_correct(wrong, by_kind[kind])
