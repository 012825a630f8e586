"""What the report holds: everything that is promised, within its size, and nothing from anywhere else."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from kfp import dsl

from components.contracts.artifacts import Artifact
from components.contracts.axes import nice_step
from components.contracts.curves import running_mean
from components.contracts.records import Question, Trace
from components.promotion.charts import error_bars, loss_curve
from components.promotion.run import run
from components.promotion.viewer import CHANGES, STATES, state_of
from tests.evaluation_samples import labeled, question, trace, untrained, write_inputs


def make_report(folder: Path, *, count: int = 12, settings: str = '{"samples": 200}') -> str:
    inputs = write_inputs(folder / "inputs", count=count)
    return promote(inputs, folder, settings)


def promote(inputs: dict[str, Artifact], folder: Path, settings: str) -> str:
    """The page that the stage writes."""
    run(
        dsl.Dataset(uri=str(inputs["before"].folder)),
        dsl.Dataset(uri=str(inputs["after"].folder)),
        dsl.Model(uri=str(inputs["adapter"].folder)),
        dsl.Dataset(uri=str(inputs["labeled"].folder)),
        settings,
        "",
        dsl.Dataset(uri=str(folder / "comparison")),
        dsl.Markdown(uri=str(folder / "card.md")),
        dsl.Metrics(uri="metrics"),
        dsl.HTML(uri=str(folder / "report.html")),
    )
    return (folder / "report.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def embedded(text: str) -> Any:
    """The item browser's data."""
    return json.loads(text.split('<script type="application/json" id="data">')[1].split("</script>")[0])


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    text = make_report(tmp_path)
    page = Page(text)
    loading = {"src", "srcset", "href", "action", "data", "poster", "xlink:href"}
    assert all(value.startswith(("#", "data:,")) for name, value in page.attributes if name in loading)
    assert not re.search(r"https?://|//[a-z0-9-]+\.[a-z]|@import|url\(", text)
    assert {"link", "iframe", "object", "embed", "base", "form", "img"} & set(page.tags) == {"link"}


def test_everything_that_is_promised_is_on_the_page(tmp_path: Path) -> None:
    text = make_report(tmp_path)
    for words in (
        "Promoted",
        "Accuracy on questions that need a tool went from",
        "Questions that need no tool",
        "Arithmetic questions",
        "wikipedia_search",
        "Answerable rate",
        "What was wrong",
        "Failed calls",
        "Leaderboard",
        "Training loss",
        "learning_rate",
    ):
        assert words in text
    questions, training = embedded(text)["sets"]
    assert len(questions["entries"]) == questions["total"] == 36
    assert {entry["outcome"] for entry in questions["entries"]} <= set(CHANGES)
    assert {entry["outcome"] for entry in training["entries"]} == set(STATES)


def test_the_page_stays_small_and_says_what_it_left_out(tmp_path: Path) -> None:
    def talkative(asked: Question) -> Trace:
        noise = " ".join(f"{asked.id}-{n}" for n in range(110))
        return trace(asked, answer=noise, tool="calculator", reply=f"reply {noise}", text=f"Action: {noise}")

    inputs = write_inputs(tmp_path / "inputs", count=134, before=talkative, after=talkative)
    text = promote(inputs, tmp_path, '{"samples": 100}')
    assert len(text.encode()) < 2_000_000
    questions, _ = embedded(text)["sets"]
    assert 0 < len(questions["entries"]) < 402
    assert questions["total"] == 402
    shown = [entry["kind"] for entry in questions["entries"]]
    assert max(map(shown.count, set(shown))) - min(map(shown.count, set(shown))) <= 1


def test_texts_that_grow_when_escaped_are_counted_as_they_are_written(tmp_path: Path) -> None:
    def angular(asked: Question) -> Trace:
        noise = f"{asked.id} {'<&>' * 400}"
        return trace(asked, answer=noise, tool="calculator", reply=f"reply {noise}", text=f"Action: {noise}")

    inputs = write_inputs(tmp_path / "inputs", count=60, before=angular, after=angular)
    text = promote(inputs, tmp_path, '{"samples": 100}')
    assert len(text.encode()) < 2_000_000
    assert 0 < len(embedded(text)["sets"][0]["entries"]) < 180


def test_hundreds_of_tools_do_not_swell_the_page(tmp_path: Path) -> None:
    tool = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    offered = [
        {"type": "function", "function": {"name": f"tool_{n}", "description": "d" * 40, "parameters": tool}}
        for n in range(300)
    ]

    def crowded(asked: Question) -> Trace:
        return untrained(asked).model_copy(update={"tools": json.dumps(offered)})

    inputs = write_inputs(tmp_path / "inputs", count=4, before=crowded, after=crowded)
    text = promote(inputs, tmp_path, '{"samples": 100}')
    assert text.count('<details class="group">') < 80
    assert "260 more tools stand in summary.json." in text
    assert len(text.encode()) < 800_000


def test_kinds_and_suites_beyond_forty_are_counted(tmp_path: Path) -> None:
    def in_its_own(asked: Question) -> Trace:
        number = int(asked.id.rpartition("-")[2])
        own = {"kind": f"kind {number}"} if asked.kind == "places" else {}
        suite = {"suite": f"suite:{number}"} if asked.kind == "arithmetic" else {}
        return untrained(asked.model_copy(update=own | suite))

    inputs = write_inputs(tmp_path / "inputs", count=42, before=in_its_own, after=in_its_own)
    text = promote(inputs, tmp_path, '{"samples": 100}')
    # groups: all, with and without a tool, 42 kinds; suites: 42, the own, all together
    assert "5 more groups stand in summary.json." in text
    assert "4 more suites stand in summary.json with all metrics." in text
    assert "more tool" not in text


def test_four_hundred_usual_questions_all_fit(tmp_path: Path) -> None:
    text = make_report(tmp_path, count=133, settings='{"samples": 100}')
    assert len(embedded(text)["sets"][0]["entries"]) == 399
    assert len(text.encode()) < 2_000_000


def test_limits_of_the_settings_hold(tmp_path: Path) -> None:
    settings = '{"samples": 100, "report_items": 7, "report_training_traces": 0}'
    questions, training = embedded(make_report(tmp_path, settings=settings))["sets"]
    assert len(questions["entries"]) == 7
    assert training["entries"] == []
    assert training["total"] == 18


def test_states_of_training_traces() -> None:
    one = trace(question("arithmetic", 12), answer="12", tool="calculator")
    assert state_of(labeled(one, "", "")) == "trained"
    assert state_of(labeled(one, "x", "")) == "partly masked"
    assert state_of(labeled(one, "x", "x")) == "not trained"


def test_charts() -> None:
    assert loss_curve([]) is None
    assert loss_curve([{"step": 1, "loss": float("nan")}, {"step": 2, "loss": 1.0}]) is None
    curve = loss_curve([{"step": step, "loss": 1 / step} for step in range(1, 2001)])
    assert curve is not None
    assert curve.svg.count("<polyline") == 2
    assert (curve.first, curve.steps) == (1.0, 2000)
    assert loss_curve([{"step": 1, "loss": 0.0}, {"step": 2, "loss": 0.0}]) is not None
    assert [bar.title for bar in error_bars({"a_b": 1, "c": 0}, {"a_b": 2, "c": 0, "d": 5})] == ["d", "a b"]
    assert error_bars({}, {}) == []
    assert [nice_step(value) for value in (0.03, 0.2, 7)] == [0.05, 0.2, 10.0]
    assert running_mean([1, 2, 6], 1) == [1.5, 3, 4]
