"""The report: self-contained, safe with hostile text, small, and alive in a real browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.curves import nice_step, running_mean
from components.contracts.records import Question, Trace
from components.contracts.tool_errors import ToolError
from components.evaluation.report import render_report as render_evaluation
from components.evaluation.summary import summarize
from components.promotion.charts import dumbbell, error_bars, loss_curve
from components.promotion.run import run
from components.promotion.trace_view import LONGEST_TEXT, TextTable, prefilled_characters, view_trace
from components.promotion.viewer import state_of
from components.scoring.bootstrap import Interval
from tests.evaluation_samples import (
    judged,
    labeled,
    make_questions,
    question,
    trace,
    trained,
    untrained,
    write_inputs,
)

HOSTILE = (
    "</script><script>document.title='owned'</script><!--<script> <img src=x onerror=\"document.title='owned'\"> "
    "{{ 7*7 }} {% raw %} \u2028 ]]> &lt;b&gt; javascript:alert(1) 'quoted' \"quoted\""
)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def hostile(asked: Question) -> Trace:
    """The question, the answer, the call, the reply: all of it tries to become markup."""
    loud = asked.model_copy(update={"text": f"{asked.text} {HOSTILE}"})
    return trace(loud, answer=HOSTILE, tool=HOSTILE, reply=HOSTILE, text=f"Action: {HOSTILE}")


def make_report(
    folder: Path, *, count: int = 12, bad: bool = False, settings: str = '{"samples": 200}'
) -> str:
    policies = {"before": hostile, "after": hostile} if bad else {"before": untrained, "after": trained}
    inputs = write_inputs(folder / "inputs", count=count, **policies)
    run(
        dsl.Dataset(uri=str(inputs["before"].folder)),
        dsl.Dataset(uri=str(inputs["after"].folder)),
        dsl.Model(uri=str(inputs["adapter"].folder)),
        dsl.Dataset(uri=str(inputs["labeled"].folder)),
        "",
        settings,
        "",
        dsl.Dataset(uri=str(folder / "comparison")),
        dsl.Markdown(uri=str(folder / "card.md")),
        dsl.Metrics(uri="metrics"),
        dsl.HTML(uri=str(folder / "report.html")),
    )
    return (folder / "report.html").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Tags, attributes and the embedded data of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.data_text = ""
        self._in_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._in_data = tag == "script" and ("id", "data") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data_text += data


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    text = make_report(tmp_path)
    page = Page(text)
    loading = {"src", "srcset", "href", "action", "data", "poster", "xlink:href"}
    assert all(value.startswith(("#", "data:,")) for name, value in page.attributes if name in loading)
    assert not re.search(r"https?://|//[a-z0-9-]+\.[a-z]|@import|url\(", text)
    assert {"link", "iframe", "object", "embed", "base", "form", "img"} & set(page.tags) == {"link"}


def test_both_color_schemes_and_small_screens_are_cared_for(tmp_path: Path) -> None:
    text = make_report(tmp_path)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert "@media (max-width:" in text
    assert ":focus-visible" in text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    tame, loud = Page(make_report(tmp_path / "tame")), Page(make_report(tmp_path / "loud", bad=True))
    assert set(loud.tags) == set(tame.tags)
    assert loud.tags.count("script") == tame.tags.count("script") == 2
    assert not any(name.startswith("on") for name, _ in loud.attributes)
    data = json.loads(loud.data_text)
    assert any(HOSTILE in entry["question"] for entry in data["questions"])
    assert HOSTILE in data["texts"]


def test_hostile_text_stays_text_in_the_evaluations_report() -> None:
    items = [judged(hostile(asked))[1] for asked in make_questions(2)]
    text = render_evaluation(HOSTILE, summarize(items, {HOSTILE: []}, no_tool_kinds=("no_tool",)), items)
    page = Page(text)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "49" not in re.sub(r"<style>.*</style>", "", text, flags=re.S)


def test_everything_that_is_promised_is_on_the_page(tmp_path: Path) -> None:
    text = make_report(tmp_path)
    for words in (
        "Promoted",
        "Accuracy on questions that need a tool went from",
        "Questions that need no tool",
        "Arithmetic questions",
        "wikipedia_search",
        "Answerable rate",
        "Failed calls",
        "Training loss",
        "learning_rate",
    ):
        assert words in text
    data = json.loads(Page(text).data_text)
    assert len(data["questions"]) == 36
    assert {entry["change"] for entry in data["questions"]} <= {
        "fixed",
        "broken",
        "still wrong",
        "still right",
    }
    assert {entry["change"] for entry in data["training"]} == {"trained", "partly masked", "not trained"}


def test_the_page_stays_small_and_says_what_it_left_out(tmp_path: Path) -> None:
    def talkative(asked: Question) -> Trace:
        noise = " ".join(f"{asked.id}-{n}" for n in range(110))
        return trace(asked, answer=noise, tool="calculator", reply=f"reply {noise}", text=f"Action: {noise}")

    inputs = write_inputs(tmp_path / "inputs", count=134, before=talkative, after=talkative)
    run(
        dsl.Dataset(uri=str(inputs["before"].folder)),
        dsl.Dataset(uri=str(inputs["after"].folder)),
        dsl.Model(uri=str(inputs["adapter"].folder)),
        dsl.Dataset(uri=str(inputs["labeled"].folder)),
        "",
        '{"samples": 100}',
        "",
        dsl.Dataset(uri=str(tmp_path / "comparison")),
        dsl.Markdown(uri=str(tmp_path / "card.md")),
        dsl.Metrics(uri="metrics"),
        dsl.HTML(uri=str(tmp_path / "report.html")),
    )
    text = (tmp_path / "report.html").read_text()
    assert len(text.encode()) < 2_000_000
    data = json.loads(Page(text).data_text)
    assert 0 < len(data["questions"]) < 402
    assert sum(count for *_, count in data["totals"]) == 402
    shown = [entry["kind"] for entry in data["questions"]]
    assert max(map(shown.count, set(shown))) - min(map(shown.count, set(shown))) <= 1


def test_four_hundred_usual_questions_all_fit(tmp_path: Path) -> None:
    text = make_report(tmp_path, count=133, settings='{"samples": 100}')
    assert len(json.loads(Page(text).data_text)["questions"]) == 399
    assert len(text.encode()) < 2_000_000


def test_limits_of_the_settings_hold(tmp_path: Path) -> None:
    settings = '{"samples": 100, "report_items": 7, "report_training_traces": 0}'
    data = json.loads(Page(make_report(tmp_path, settings=settings)).data_text)
    assert len(data["questions"]) == 7
    assert data["training"] == []
    assert data["training_total"] == 18


def test_a_trace_shows_calls_replies_masks_and_prefilled_text() -> None:
    asked = question("arithmetic", 12)
    one = trace(asked, answer="12", tool="calculator", error=ToolError.PARSE_FAILURE, prefilled=3)
    texts = TextTable()
    view: Any = view_trace(labeled(one, "call failed: parse_failure", ""), texts)
    system, user, call, reply, answer = view["blocks"]
    assert [block["role"] for block in (system, user)] == ["system", "user"]
    assert call["prefilled"] == len("Action: calculator[expression =")
    assert call["trained"] is False
    assert call["why"] == "call failed: parse_failure"
    assert call["calls"] == ["calculator[expression = 12 + 0]"]
    assert reply["error"] == "parse_failure"
    assert answer["trained"] is True
    assert texts.texts[answer["text"]] == "Answer: 12"
    assert answer["prefilled"] == 0


def test_a_prefilled_answer_is_told_from_its_text() -> None:
    one = trace(question("arithmetic", 12), answer="12", tool="calculator")
    given = one.turns[1].model_copy(update={"prefilled": 2})
    assert prefilled_characters(one, given) == len("Answer:")


def test_prefilled_text_that_can_not_be_told_is_said_so() -> None:
    asked = question("arithmetic", 12)
    strange = trace(asked, tool="calculator", prefilled=3, text="Something else")
    assert prefilled_characters(strange, strange.turns[0]) == -1
    unknown = strange.model_copy(update={"call_format": "no such format"})
    assert prefilled_characters(unknown, unknown.turns[0]) == -1
    plain = trace(asked, tool="calculator")
    assert prefilled_characters(plain, plain.turns[0]) == 0


def test_a_reply_that_came_after_the_end_is_shown_as_unseen() -> None:
    one = trace(question("arithmetic", 12), tool="calculator")
    ended = one.model_copy(update={"messages": one.messages[:3], "turns": one.turns[:1]})
    view: Any = view_trace(ended, TextTable())
    *_, last = view["blocks"]
    assert last["role"] == "tool"
    assert last["unseen"] is True


def test_texts_are_shared_and_long_ones_cut() -> None:
    texts = TextTable()
    assert texts.add("a") == texts.add("a") == 0
    number = texts.add("x" * (LONGEST_TEXT + 5))
    assert texts.texts[number].endswith("(+5 characters)")
    assert texts.take_new() == texts.texts
    assert texts.take_new() == []


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
    assert dumbbell(None, 0.5, None)["before"] is None
    inside = dumbbell(0.2, 1.4, Interval(1.2, 1.0, 1.4))
    assert inside["after"] == 173
    assert [nice_step(value) for value in (0.03, 0.2, 7)] == [0.05, 0.2, 10.0]
    assert running_mean([1, 2, 6], 1) == [1.5, 3, 4]


def open_in_browser(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The page's DOM after its scripts ran, and what they wrote to the console."""
    assert BROWSER is not None
    command = [
        BROWSER,
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", f"--user-data-dir={profile}"),
        *("--dump-dom", page.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
@pytest.mark.parametrize("bad", [False, True], ids=["usual", "hostile"])
def test_the_page_works_in_a_browser(tmp_path: Path, bad: bool) -> None:
    page = tmp_path / "report.html"
    # The other tab, a filter, a search and a key, as a reader would; what they show ends up in the DOM.
    reader = """<script>
      const list = document.getElementById("list");
      const count = () => list.querySelectorAll("button").length;
      const seen = { all: count(), title: document.title };
      list.querySelector("button").focus();
      list.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
      seen.second = [...list.querySelectorAll("button")].indexOf(list.querySelector("[aria-current]"));
      document.querySelector("#kinds input[value=no_tool]").click();
      seen.kind = count();
      document.getElementById("search").value = "number: 11";
      document.getElementById("search").dispatchEvent(new Event("input"));
      seen.search = count();
      seen.sides = document.querySelectorAll("#detail .side").length;
      document.getElementById("search").value = "";
      document.getElementById("search").dispatchEvent(new Event("input"));
      document.getElementById("tab-training").click();
      seen.training = count();
      seen.trained = document.querySelectorAll("#detail .block.trained").length;
      seen.given = document.querySelectorAll("#detail mark.given").length;
      seen.wide = document.documentElement.scrollWidth > innerWidth;
      document.body.dataset.seen = JSON.stringify(seen);
    </script></body>"""
    page.write_text(make_report(tmp_path, bad=bad).replace("</body>", reader), encoding="utf-8")
    dom, console = open_in_browser(page, tmp_path / "profile")
    assert console == []
    found = re.search(r'data-seen="([^"]*)"', dom)
    assert found is not None
    seen = json.loads(found[1].replace("&quot;", '"'))
    title = "Whetstone: not promoted" if bad else "Whetstone: promoted"
    assert seen == {
        "all": 36,
        "title": title,
        "second": 1,
        "kind": 12,
        "search": 1,
        "sides": 2,
        "training": 18,
        "trained": 2,
        "given": 1,
        "wide": False,
    }


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
def test_a_broken_page_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "broken.html"
    page.write_text("<script>nothing.here()</script>")
    assert open_in_browser(page, tmp_path / "profile")[1] != []
