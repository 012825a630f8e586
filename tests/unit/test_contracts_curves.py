"""The line plot: well-formed, accessible, escaped, and honest about what it can't draw."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.axes import nice_step
from components.contracts.curves import CURVE_STYLE, MOST_POINTS, Series, over_steps, render_curve


def parse(text: str) -> ElementTree.Element:
    """The plot as XML; its numbers stay within the box."""
    root = ElementTree.fromstring(text)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for line in root.iter("polyline"):
        for place in line.attrib["points"].split():
            x, y = map(float, place.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    return root


def test_axes_title_and_series_are_named() -> None:
    text = render_curve(
        "Accuracy",
        [Series("all", [(0, 0.25), (1, 0.5)]), Series("no tool", [(0, 0.75), (1, 1.0)])],
        x_label="round",
        y_label="share",
        percent=True,
    )
    root = parse(text)
    words = [node.text for node in root.iter("text")]
    assert words[0] == "Accuracy"
    assert {"all", "no tool", "round", "share", "0 %", "40 %", "100 %", "0", "1"} <= set(words)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == (
        "Accuracy: share by round; all, 0.25 at 0, 0.5 at 1; no tool, 0.75 at 0, 1 at 1"
    )


def test_places_are_right() -> None:
    root = parse(render_curve("t", [Series("", [(0, 0), (1, 5), (2, 10)])], width=420, height=240))
    [line] = root.iter("polyline")
    places = [tuple(map(float, place.split(","))) for place in line.attrib["points"].split()]
    (left, bottom), (middle, half), (right, top) = places
    assert middle == pytest.approx((left + right) / 2, abs=0.1)
    assert half == pytest.approx((top + bottom) / 2, abs=0.1)
    assert (left, bottom) == (48, 200)


def test_what_others_wrote_is_escaped() -> None:
    bad = "<script>\"&'</script>"
    text = render_curve(
        bad, [Series(bad, [(0, 1)], marks={0: bad}), Series("b", [])], x_label=bad, y_label=bad
    )
    assert "<script" not in text
    root = parse(text)
    assert [node.text for node in root.iter("text")].count(bad) == 4
    assert [node.text for node in root.iter("title")] == [bad]


@pytest.mark.parametrize("series", [[], [Series("", [])], [Series("a", []), Series("b", [])]])
def test_nothing_to_draw_leaves_the_axes(series: list[Series]) -> None:
    root = parse(render_curve("Loss", series))
    assert "no values" in [node.text for node in root.iter("text")]
    assert not list(root.iter("polyline"))


@pytest.mark.parametrize("value", [0.0, 3.5, -2.0])
def test_a_single_point_is_drawn(value: float) -> None:
    root = parse(render_curve("Loss", [over_steps("", [value])]))
    assert len(list(root.iter("circle"))) == 1
    assert "1" in [node.text for node in root.iter("text")]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    for series in (
        Series("loss", [(1, 0.5), (2, bad)]),
        Series("loss", [(bad, 0.5)]),
        Series("loss", [(1, 0.5)], band=[(1, 0.0, bad)]),
    ):
        with pytest.raises(ValueError, match="Loss: loss: a number that is not finite"):
            render_curve("Loss", [series])


def test_more_series_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="5 series, expected at most 4"):
        render_curve("t", [Series(str(number), [(0, 1)]) for number in range(5)])


def test_a_long_series_is_thinned_and_keeps_its_ends() -> None:
    text = render_curve("Loss", [over_steps("", [1 / step for step in range(1, 5001)])])
    [line] = parse(text).iter("polyline")
    places = line.attrib["points"].split()
    assert len(places) <= MOST_POINTS + 1
    assert places[0].startswith("48.0,")
    assert places[-1].startswith("406.0,")
    assert "1 at 1, ..., 0.0002 at 5000" in text
    assert not list(parse(text).iter("circle"))


def test_bands_and_marks() -> None:
    series = Series(
        "", [(0, 0.5), (1, 0.6)], band=[(0, 0.5, 0.5), (1, 0.5, 0.7)], marks={1: "Entropy is gone."}
    )
    root = parse(render_curve("Accuracy", [series]))
    [area] = root.iter("polygon")
    assert len(area.attrib["points"].split()) == 4
    assert sum(node.attrib.get("class") == "mark" for node in root.iter("path")) == 1
    assert root.attrib["aria-label"].endswith("At 1: Entropy is gone.")


def test_nothing_is_loaded_and_nothing_runs() -> None:
    text = CURVE_STYLE + render_curve("t", [over_steps("a", [1, 2])])
    assert not re.search(r"https?:|url\(|@import|<script|href|on\w+=", text)
    assert "light-dark(" in text
    assert all(f".s{index}" in CURVE_STYLE and f".f{index}" in CURVE_STYLE for index in range(4))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=40),
        max_size=4,
    ),
    st.booleans(),
)
def test_any_finite_numbers_give_a_plot(values: list[list[float]], percent: bool) -> None:
    parse(render_curve("t", [over_steps("series", one) for one in values], percent=percent))


@pytest.mark.parametrize(("rough", "expected"), [(0.03, 0.05), (0.5, 0.5), (7, 10), (120, 200), (1, 1)])
def test_steps_of_the_axes(rough: float, expected: float) -> None:
    assert nice_step(rough) == pytest.approx(expected)


def test_names_stand_on_the_x_axis_in_place_of_numbers() -> None:
    text = render_curve(
        "t", [Series("", [(0, 0.5), (1, 0.25)])], x_label="level", x_names=("clean", "<heavy>"), percent=True
    )
    assert ">clean</text>" in text
    assert ">&lt;heavy&gt;</text>" in text
    assert ">1</text>" not in text
    assert ">level</text>" in text
