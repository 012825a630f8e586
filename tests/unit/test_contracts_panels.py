"""Several plots as one figure: one drawing, one x axis, marks across all panels."""

import re
from xml.etree import ElementTree

import pytest

from components.contracts.curves import CURVE_STYLE, Plot, Series, render_curve
from components.contracts.panels import render_panels

PANELS = [
    Plot("Accuracy", [Series("all", [(0, 0.2), (1, 0.5), (2, 0.4)]), Series("b", [(0, 0.1)])], percent=True),
    Plot("Calls", [Series("", [(0, 3), (1, 4)], marks={1: "Too <many>."})], "calls"),
    Plot("Nothing", [Series("", [])]),
]


def test_one_drawing_with_one_x_axis() -> None:
    text = render_panels("All", PANELS, x_label="round", across=(0, 2), width=380, height=150)
    root = ElementTree.fromstring(text)
    assert root.attrib["viewBox"] == "0 0 380 480"
    places = [group.attrib["transform"] for group in root.iter("g")]
    assert places == ["translate(0 0)", "translate(0 150)", "translate(0 300)"]
    words = [node.text for node in root.iter("text")]
    assert words.count("round") == 1
    assert [name for name in words if name in ("Accuracy", "Calls", "Nothing")] == [
        "Accuracy",
        "Calls",
        "Nothing",
    ]
    assert "no values" in words
    first, second = (
        line.attrib["points"].split() for line in root.iter("polyline") if line.attrib["class"] == "s0"
    )
    assert [place.split(",")[0] for place in first] == ["48.0", "207.0", "366.0"]
    assert [place.split(",")[0] for place in second] == ["48.0", "207.0"], "the same x in every panel"
    for group, bottom in zip(root.iter("g"), (140, 140, 170), strict=True):
        for line in group.iter("polyline"):
            assert all(0 <= float(place.split(",")[1]) <= bottom for place in line.attrib["points"].split())


def test_a_mark_goes_through_all_panels_and_is_said_once() -> None:
    text = render_panels("All", PANELS, x_label="round", across=(0, 2))
    root = ElementTree.fromstring(text)
    [line] = [node for node in root.iter("path") if node.attrib.get("class") == "across"]
    assert line.attrib["d"] == "M207.0 26V440"
    assert sum(node.attrib.get("class") == "mark" for node in root.iter("path")) == 1
    assert [node.text for node in root.iter("title")] == ["Too <many>."]
    spoken = root.attrib["aria-label"]
    assert spoken.startswith(
        "All. Accuracy: all, 0.2 at 0, 0.5 at 1, 0.4 at 2; b, 0.1 at 0. Calls: calls by round; "
    )
    assert spoken.count("At 1: Too <many>.") == 1
    assert ".across" in CURVE_STYLE


def test_a_panel_is_what_the_plot_is_by_itself() -> None:
    alone = render_curve("Calls", PANELS[1].series, y_label="calls", x_label="round", width=380, height=190)
    inside = render_panels("All", [PANELS[1]], x_label="round", across=(0, 1), width=380, height=160)
    lines = r"<polyline[^>]*>"
    assert re.findall(lines, alone) == re.findall(lines, inside)


def test_text_is_legible_on_a_phone() -> None:
    """At 390 px, less the page's own edges, a unit of the drawing is nearly a pixel."""
    root = ElementTree.fromstring(render_panels("All", PANELS, x_label="round", across=(0, 2)))
    width = float(root.attrib["viewBox"].split()[2])
    assert 12 * (390 - 60) / width > 10


def test_no_panel_is_refused() -> None:
    with pytest.raises(ValueError, match="All: no panel"):
        render_panels("All", [], x_label="", across=(0, 1))
