"""The page over the rounds: whole, escaped, self-contained, the same whichever round comes last."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from components.rounds.words import few_questions_note
from tests.rounds_samples import BETTER, WORSE, Policy, Shop, practised

VOID = {"meta", "link"}


class Balance(HTMLParser):
    """Fails on a tag that is not closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """Closed by itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path).begin()


def test_three_rounds_with_one_that_hurt(shop: Shop) -> None:
    shop.train(BETTER, title="after <b>one</b>")
    shop.train(replace(WORSE, called=0), traces=practised(2))
    shop.hand_on(BETTER)
    page = shop.page()
    Balance().feed(page)
    assert "<b>one" not in page
    assert "after &lt;b&gt;one&lt;/b&gt;" in page
    assert page.count("<svg") == 1
    assert page.count('class="mark"') == 3, "accuracy, tool use, diversity"
    assert page.count('class="across"') == 2, "round 2's policy, and what round 1's sampled"
    assert "After &lt;b&gt;one&lt;/b&gt; is the best: right on 67.5 % of" in page
    assert "Handed on: round 2 hurt and what after &lt;b&gt;one&lt;/b&gt; sampled had collapsed" in page
    assert page.count('<li class="hurt">') == 1
    assert all(
        name in page
        for name in ("Accuracy fall, severe.", "Tool use collapse, severe.", "Diversity collapse")
    )


def test_nothing_is_loaded_and_nothing_runs(shop: Shop) -> None:
    shop.train(BETTER)
    page = shop.page()
    assert not re.search(r"https?:|<script|@import|url\(|<img| on\w+=", page)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_the_artifact_holds_the_same_page(shop: Shop) -> None:
    shop.train(BETTER)
    assert (shop.output / "history/report.html").read_text(encoding="utf-8") == shop.page()


def test_the_accuracy_has_its_interval_and_differences_name_their_round(shop: Shop) -> None:
    shop.train(BETTER)
    shop.train(Policy(right=13, called=18))
    shop.train(Policy(right=12, called=18))
    page = shop.page()
    difference = shop.records()[1].differences["base"]["overall"]["accuracy"]
    assert difference is not None
    assert page.count('class="band f0"') == 1
    assert page.count('class="bar s0" d="M') >= 4
    assert f"base: <b>+{100 * difference.mean:.1f}</b>" in page
    assert "2: <b>\u22122.5</b>" in page


def test_practice_without_log_probs_or_traces_shows_dashes(shop: Shop) -> None:
    silent = [
        one.model_copy(update={"turns": tuple(t.model_copy(update={"retokenized": True}) for t in one.turns)})
        for one in practised(3)
    ]
    shop.train(BETTER, traces=silent)
    page = shop.page()
    assert shop.records()[-1].practice.sampled_nats is None  # type: ignore[union-attr]
    assert "no values" in page
    row = page.split("nats a sampled token</small></th>")[1].split("</tr>")[0]
    assert row.count("\u2013") == 2


def points_of(page: str, panel: str) -> list[str]:
    """The x places of a panel's first line."""
    line = page.split(f">{panel}</text>")[1].split('<polyline class="s0" points="')[1].split('"')[0]
    return [place.split(",")[0] for place in line.split()]


def test_practice_stands_where_its_policy_was_judged(shop: Shop) -> None:
    shop.train(BETTER)
    shop.train(BETTER, traces=practised(2))
    page = shop.page()
    judged, sampled = points_of(page, "Accuracy"), points_of(page, "Diversity of the traces")
    assert len(judged) == 3
    assert sampled == judged[:2], "the base model's and round 1's; round 2's has sampled nothing yet"
    [sign] = re.findall(r'class="mark" d="M([0-9.]+) ', page)
    assert sign == judged[1]
    one, two = page.split('<span class="name">1 ')[1].split('<span class="name">2 ')
    assert "Diversity collapse, severe." in one
    assert ", hurt" not in one
    assert "Diversity collapse, severe." not in two
    assert "What round 1 sampled had collapsed: diversity collapse." in two
    row = page.split("nats a sampled token</small></th>")[1].split("</tr>")[0]
    assert row.endswith("<td>\u2013</td>")
    assert row.count("\u2013") == 1


def test_few_questions_are_told_with_the_width_of_the_interval(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.train(BETTER)
    found = shop.records()[-1].differences["best"]["overall"]["accuracy"]
    assert found is not None
    width = f"{100 * (found.high - found.low):.1f} points wide"
    said = f"Only 40 validation questions: the 95 % interval of the accuracy of round 1 against the base model is {width}"
    assert said in shop.page()
    assert f"[rounds] {said}" in capsys.readouterr().out


def test_from_a_hundred_questions_on_nothing_is_said(shop: Shop) -> None:
    shop.train(BETTER)
    records = shop.records()
    assert few_questions_note(records, 0.95)
    many = records[0].groups["overall"].model_copy(update={"questions": 100})
    records[0] = records[0].model_copy(update={"groups": {**records[0].groups, "overall": many}})
    assert few_questions_note(records, 0.95) == ""
