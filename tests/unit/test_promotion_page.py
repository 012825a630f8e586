"""The run's report and an evaluation's in a real browser: filters, keys, themes, no request, nothing on the console."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.records import Question, Trace
from components.contracts.report_page.layout import PACKAGE
from components.contracts.tool_errors import ToolError
from components.evaluation.report import render_report as render_evaluation
from components.evaluation.summary import summarize
from components.promotion.run import run
from components.scoring.bfcl.scores import GROUP_SIZES
from tests.evaluation_samples import (
    judged,
    make_questions,
    trace,
    trained,
    untrained,
    write_evaluation,
    write_inputs,
)
from tests.headless_browser import CHROMIUM, Browser, open_browser
from tests.judged_bfcl import judged_items

HOSTILE = (
    "</script><script>document.title='owned'</script><!--<script> <img src=x onerror=\"document.title='owned'\"> "
    "{{ 7*7 }} {% raw %} \u2028 ]]> &lt;b&gt; javascript:alert(1) 'quoted' \"quoted\""
)

with_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


def hostile(asked: Question) -> Trace:
    """The question, the answer, the call, the reply: all of it tries to become markup."""
    loud = asked.model_copy(update={"text": f"{asked.text} {HOSTILE}"})
    return trace(loud, answer=HOSTILE, tool=HOSTILE, reply=HOSTILE, text=f"Action: {HOSTILE}")


def write_page(folder: Path, *, count: int = 8, bad: bool = False) -> Path:
    """The report of a run with a policy on the way, from real artifacts."""
    policies = {"before": hostile, "after": hostile} if bad else {"before": untrained, "after": trained}
    inputs = write_inputs(folder / "inputs", count=count, **policies)
    title = HOSTILE if bad else "after SFT"
    half = [
        (hostile if bad else trained if index % 2 else untrained)(asked)
        for index, asked in enumerate(make_questions(count))
    ]
    between = write_evaluation(folder / "between", half, adapter="b" * 64, title=title)
    run(
        before=dsl.Dataset(uri=str(inputs["before"].folder)),
        after=dsl.Dataset(uri=str(inputs["after"].folder)),
        adapter=dsl.Model(uri=str(inputs["adapter"].folder)),
        labeled=dsl.Dataset(uri=str(inputs["labeled"].folder)),
        settings='{"samples": 200}',
        artifact_store="",
        comparison=dsl.Dataset(uri=str(folder / "comparison")),
        model_card=dsl.Markdown(uri=str(folder / "card.md")),
        metrics=dsl.Metrics(uri="metrics"),
        report=dsl.HTML(uri=str(folder / "report.html")),
        between=dsl.Dataset(uri=str(between.folder)),
    )
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("browser") / "profile") as opened:
        opened.resize(1280, 900)
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page"))


def shown(browser: Browser) -> int:
    return int(browser.ask("document.querySelectorAll('#list button').length"))


def quiet(browser: Browser, page: Path) -> bool:
    """Nothing on the console, and nothing asked for but the page itself."""
    return browser.console == [] and browser.requests == [page.as_uri()]


@with_browser
def test_filters_leave_what_they_say(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert shown(browser) == 24
    counts: dict[str, int] = browser.ask(
        "Object.fromEntries([...document.querySelectorAll('#filters input[name=outcome]')]"
        ".map((input) => [input.value, Number(input.nextElementSibling.lastChild.textContent)]))"
    )
    assert counts[""] == 24 == sum(counts.values()) - 24
    browser.ask("document.querySelector('#filters input[name=outcome][value=fixed]').click()")
    assert shown(browser) == counts["fixed"] > 0
    said = browser.ask("document.querySelector('#list .tag').textContent")
    assert said.startswith("fixed")
    browser.ask("document.querySelector('#filters input[name=outcome][value=\"\"]').click()")
    browser.ask("document.querySelector('#filters input[name=kind][value=no_tool]').click()")
    assert shown(browser) == 8
    browser.ask("document.getElementById('search').focus()")
    browser.press(*"number: 11")
    assert shown(browser) == 1
    assert browser.ask("document.querySelector('#detail h3').textContent") == "Repeat this number: 11"
    browser.press(*"zzz")
    assert shown(browser) == 0
    assert "No item fits" in browser.ask("document.getElementById('detail').textContent")
    assert quiet(browser, page)


@with_browser
def test_an_item_is_opened_and_left_by_keys_alone(browser: Browser, page: Path) -> None:
    browser.open(page)
    for _ in range(200):
        browser.press("Tab")
        if browser.ask("document.activeElement.closest('#list') !== null"):
            break
    assert browser.ask("document.activeElement.matches('#list button[aria-current=true]')")
    browser.press("ArrowDown", "ArrowDown")
    chosen = browser.ask("document.activeElement.querySelector('.what').textContent")
    assert browser.ask("[...document.querySelectorAll('#list button')].indexOf(document.activeElement)") == 2
    browser.press("Enter")
    assert browser.ask("document.activeElement.id") == "detail"
    assert browser.ask("document.querySelector('#detail h3').textContent") == chosen
    assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    sides = browser.ask("[...document.querySelectorAll('#detail .side h4')].map((side) => side.textContent)")
    assert sides == ["Before", "After"]
    browser.press("Escape", "End")
    assert browser.ask("document.activeElement.querySelector('.what').textContent") != chosen
    assert browser.ask("[...document.querySelectorAll('#list button')].indexOf(document.activeElement)") == 23
    browser.ask("document.getElementById('tab-0').focus()")
    browser.press("ArrowRight")
    assert browser.ask("document.activeElement.getAttribute('aria-selected')") == "true"
    assert shown(browser) == 12
    assert browser.ask("document.querySelectorAll('#detail .block.trained').length") > 0
    assert browser.ask("document.querySelectorAll('#detail mark.given').length") == 1
    assert quiet(browser, page)


@with_browser
def test_an_item_shows_gold_calls_and_verdicts_of_both_sides(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.ask("document.getElementById('search').focus()")
    browser.press(*"arithmetic-14")
    assert browser.ask("document.querySelector('#detail .gold code').textContent") == "14"
    sides: list[str] = browser.ask(
        "[...document.querySelectorAll('#detail .side')].map((side) => side.textContent)"
    )
    before, after = sides
    error = list(ToolError)[14 % 6].value.replace("_", " ")
    assert error in before.split("Parsed calls")[1]
    assert "✕" in before.split("Parsed calls")[0]
    assert "✓ right" in after
    assert 'calculator(expression="0")' in after
    assert "Answer: 14" in after
    prompt = browser.ask("document.querySelector('#detail .prompt').textContent")
    assert "You may call tools." in prompt
    assert "wikipedia_search(query)" in prompt


@with_browser
def test_the_theme_follows_the_system_until_it_is_chosen(browser: Browser, page: Path) -> None:
    color = "getComputedStyle(document.body).backgroundColor"
    browser.prefer("dark")
    browser.open(page)
    dark = browser.ask(color)
    browser.prefer("light")
    light = browser.ask(color)
    assert light != dark
    browser.ask("document.querySelector('#themes input').focus()")
    browser.press("ArrowRight", "ArrowRight")
    assert browser.ask("document.querySelector('#themes input:checked').value") == "dark"
    assert browser.ask(color) == dark
    browser.open(page)
    assert browser.ask(color) == dark
    browser.press("Tab")
    assert browser.ask("document.activeElement.className") == "skip"
    browser.ask("document.querySelector('#themes input[value=auto]').click()")
    assert browser.ask(color) == light
    assert quiet(browser, page)


@with_browser
@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_is_wider_than_the_window(browser: Browser, page: Path, width: int) -> None:
    browser.resize(width, 900)
    try:
        browser.open(page)
        browser.ask("for (const one of document.querySelectorAll('details')) one.open = true")
        assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.resize(1280, 900)


@with_browser
def test_headings_are_in_order_and_controls_have_names(browser: Browser, page: Path) -> None:
    browser.open(page)
    levels: list[int] = browser.ask(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((heading) => Number(heading.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert (
        browser.ask(
            "[...document.querySelectorAll('button,input,select,summary')]"
            ".filter((one) => !(one.textContent || one.labels?.[0]?.textContent || '').trim()).length"
        )
        == 0
    )
    ids: list[str] = browser.ask("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    assert browser.ask(
        "[...document.querySelectorAll('[aria-labelledby]')]"
        ".every((one) => document.getElementById(one.getAttribute('aria-labelledby')))"
    )


@with_browser
def test_hostile_text_stays_text(browser: Browser, tmp_path: Path) -> None:
    page = write_page(tmp_path, count=3, bad=True)
    browser.open(page)
    browser.ask("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.ask("for (const one of document.querySelectorAll('#list button')) one.click()")
    assert browser.ask("document.title").startswith("Whetstone: ")
    assert browser.ask("document.querySelectorAll('img').length") == 0
    assert HOSTILE in browser.ask("document.querySelector('#detail h3').textContent")
    assert quiet(browser, page)


@with_browser
def test_a_script_that_is_not_the_pages_own_does_not_run(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.html"
    planted = (
        "<script>document.title = 'owned'</script><p id=here onclick=\"document.title = 'owned'\"></p></body>"
    )
    changed.write_text(page.read_text().replace("</body>", planted))
    browser.open(changed)
    browser.ask("document.getElementById('here').click()")
    assert browser.ask("document.title") == "Whetstone: promoted"
    assert any("Content Security Policy" in line for line in browser.console)


@with_browser
def test_an_evaluations_page_has_the_same_browser(browser: Browser, tmp_path: Path) -> None:
    done = [judged(trained(asked)) for asked in make_questions(12)]
    items = [
        item.model_copy(update={"suite": "popqa"}) if item.kind == "places" else item for _, item in done
    ]
    summary = summarize(items, {}, no_tool_kinds=("no_tool",))
    page = tmp_path / "evaluation.html"
    page.write_text(render_evaluation(HOSTILE, summary, items, (one for one, _ in done)), encoding="utf-8")
    browser.open(page)
    assert shown(browser) == 36
    browser.ask("document.querySelector('#filters input[name=suite][value=popqa]').click()")
    assert shown(browser) == 12
    browser.ask("document.querySelector('#filters input[name=outcome][value=wrong]').click()")
    assert shown(browser) == sum(not item.correct for item in items if item.suite == "popqa") > 0
    assert browser.ask("document.querySelector('#detail .side h4').textContent") == HOSTILE
    assert browser.ask("document.querySelectorAll('img, #tabs [role=tab]').length") == 0
    assert quiet(browser, page)


@with_browser
def test_an_evaluations_page_shows_verdicts_by_execution(browser: Browser, tmp_path: Path) -> None:
    verdicts: dict[str, tuple[bool | None, str]] = {
        "arithmetic": (None, HOSTILE),
        "places": (False, "the class says no"),
        "no_tool": (True, ""),
    }
    done = [judged(trained(asked)) for asked in make_questions(2)]
    items = []
    for _, item in done:
        correct, note = verdicts[item.kind]
        items.append(item.model_copy(update={"executed_correct": correct, "execution_note": note}))
    page = tmp_path / "executed.html"
    summary = summarize(items, {}, no_tool_kinds=("no_tool",))
    page.write_text(render_evaluation("mine", summary, items, (one for one, _ in done)), encoding="utf-8")
    browser.open(page)
    said = {}
    for kind in verdicts:
        browser.ask(f"document.querySelector('#filters input[name=kind][value={kind}]').click()")
        said[kind] = browser.ask("document.querySelector('#detail .executed').textContent")
    assert said == {
        "arithmetic": f"not executable {HOSTILE}",
        "places": "✕ wrong the class says no",
        "no_tool": "✓ right",
    }
    assert quiet(browser, page)


@with_browser
def test_an_evaluations_page_has_bfcls_sums_and_says_why_one_is_absent(
    browser: Browser, tmp_path: Path
) -> None:
    groups = [name for name in GROUP_SIZES if not name.startswith("multi_turn")]
    items = list(judged_items({f"bfcl:{name}": (1, 4) for name in groups}, unparsed=1))
    done = [judged(trained(asked)) for asked in make_questions(len(items))][: len(items)]
    traces = [
        one.model_copy(update={"question": one.question.model_copy(update={"id": item.id})})
        for (one, _), item in zip(done, items, strict=True)
    ]
    summary = summarize(items, {}, no_tool_kinds=())
    page = tmp_path / "bfcl.html"
    page.write_text(render_evaluation("mine", summary, items, traces), encoding="utf-8")
    browser.open(page)
    table = "document.querySelector('[aria-label=BFCL]')"
    rows: list[str] = browser.ask(f"[...{table}.querySelectorAll('tr')].map((row) => row.innerText)")
    assert rows[0].split("\t") == [
        *("Version", "Overall", "Non live", "Live", "Multi turn", "Relevance", "Irrelevance", "Not parsed"),
    ]
    assert rows[2].split("\t") == [
        "v4",
        "\u2013",
        "25.0 %",
        "25.0 %",
        "\u2013",
        "25.0 %",
        "25.0 % (50.0 %)",
        "13",
    ]
    text = browser.ask("document.querySelector('main').textContent")
    assert "BFCL v3 has no overall here: not judged: multi_turn_base, " in text
    assert "multi_turn_long_context." in text
    assert "BFCL v4 has no overall here: 40 % of it are web search and memory" in text
    assert "Fewer than all questions were judged of simple_python, " in text
    assert quiet(browser, page)


def test_the_leaderboard_has_every_policy_with_its_interval(page: Path) -> None:
    text = page.read_text()
    board = text.split('id="leaderboard"')[1].split("</section>")[0]
    rows = re.findall(r'<th scope="row">([^<]+)', board)
    assert rows == ["before", "after SFT", "after"]
    assert len(re.findall(r'<span class="interval">\d+\.\d to \d+\.\d</span>', board)) == 3
    assert 'id="suites"' not in text


def test_colours_can_be_read_in_both_themes() -> None:
    from importlib import resources

    css = (resources.files(PACKAGE) / "templates/theme.css").read_text()
    colors = {name: pair for name, *pair in re.findall(r"--([a-z-]+): light-dark\((#\w+), (#\w+)\)", css)}
    pairs: list[tuple[str, str, float]] = [
        (ink, ground, 4.5)
        for ink in ("ink", "quiet", "accent", "good", "bad")
        for ground in ("page", "card", "sunken")
    ]
    pairs += [("good", "good-soft", 4.5), ("bad", "bad-soft", 4.5), ("ink", "bad-soft", 4.5)]
    pairs += [("ink", "call", 4.5), ("ink", "given", 4.5), ("ink", "good-soft", 4.5)]
    pairs += [(mark, "card", 3.0) for mark in ("edge", "focus", "before", "after")]
    pairs += [(mark, "page", 3.0) for mark in ("edge", "focus", "before", "after")]
    for theme in (0, 1):
        for ink, ground, least in pairs:
            found = contrast(colors[ink][theme], colors[ground][theme])
            assert found >= least, (theme, ink, ground, found)


def contrast(first: str, second: str) -> float:
    """The contrast of two colours as WCAG 2 has it, from 1 to 21."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def embedded(text: str) -> Any:
    """The browser's data of a page."""
    return json.loads(text.split('<script type="application/json" id="data">')[1].split("</script>")[0])


def test_the_data_can_not_leave_its_script(tmp_path: Path) -> None:
    text = write_page(tmp_path, count=2, bad=True).read_text()
    raw = text.split('id="data">')[1].split("</script>")[0]
    assert "<" not in raw
    assert HOSTILE in embedded(text)["texts"]
