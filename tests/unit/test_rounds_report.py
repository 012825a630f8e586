"""The page over the rounds: whole, escaped, self-contained, the same whichever round comes last."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

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
    assert page.count("<svg") == 6
    assert page.count('class="mark"') == 3, "accuracy, tool use, diversity"
    assert "Round 1 is the best: right on 67.5 % of the questions, where the base model is on 50.0 %." in page
    assert "Handed on: round 2 hurt" in page
    assert '<li class="hurt">' in page
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
    assert shop.records()[-1].practice.entropy is None  # type: ignore[union-attr]
    assert "no values" in page
    row = page.split("nats a sampled token</small></th>")[1].split("</tr>")[0]
    assert row.count("\u2013") == 2
