"""BFCL's tables from hand-made groups, with sums worked out by hand."""

import pytest

from components.contracts.errors import InputError
from components.scoring.bfcl.scores import bfcl_scores
from tests.judged_bfcl import judged_items

NON_LIVE = {
    "bfcl:simple_python": (3, 4),  # with java and javascript: (0.75 + 0.5 + 0.25) / 3 = 0.5
    "bfcl:simple_java": (1, 2),
    "bfcl:simple_javascript": (1, 4),
    "bfcl:multiple": (1, 1),
    "bfcl:parallel": (0, 2),
    "bfcl:parallel_multiple": (1, 2),
    "bfcl:irrelevance": (1, 4),
}
LIVE = {
    "bfcl:live_simple": (3, 4),
    "bfcl:live_multiple": (1, 4),
    "bfcl:live_parallel": (1, 1),
    "bfcl:live_parallel_multiple": (0, 1),
    "bfcl:live_irrelevance": (3, 4),
    "bfcl:live_relevance": (2, 2),
}
MULTI_TURN = {
    f"bfcl:multi_turn_{name}": (right, 4)
    for name, right in (("base", 4), ("miss_func", 2), ("miss_param", 1), ("long_context", 1))
}
AGENTIC = {
    "bfcl:web_search_base": (1, 2),
    "bfcl:web_search_no_snippet": (0, 2),
    "bfcl:memory_kv": (1, 1),
    "bfcl:memory_vector": (0, 1),
    "bfcl:memory_rec_sum": (1, 2),
}
EVERYTHING = {**NON_LIVE, **LIVE, **MULTI_TURN, **AGENTIC}


def test_version_4() -> None:
    found = bfcl_scores(judged_items(EVERYTHING), "v4")
    assert found["non_live"] == pytest.approx((0.5 + 1 + 0 + 0.5) / 4)  # irrelevance is apart
    assert found["live"] == pytest.approx(5 / 10)
    assert found["multi_turn"] == pytest.approx(0.5)
    assert found["irrelevance"] == pytest.approx((0.25 + 0.75) / 2)
    assert found["relevance"] == 1.0
    agentic = (0.25 + 0.5) / 2
    assert found["overall"] == pytest.approx(0.1 * (0.5 + 0.5 + 0.5) + 0.3 * 0.5 + 0.4 * agentic)
    assert found["missing"] == {}


def test_version_3() -> None:
    found = bfcl_scores(judged_items(EVERYTHING), "v3")
    assert found["non_live"] == pytest.approx((0.5 + 1 + 0 + 0.5 + 0.25) / 5)
    assert found["live"] == pytest.approx((5 + 3 + 2) / 16)
    assert found["overall"] == pytest.approx((0.45 + 0.625 + 0.5) / 3)


def test_what_needs_a_group_that_was_not_run_is_none_and_says_which() -> None:
    given = {
        name: counts for name, counts in EVERYTHING.items() if "java" not in name and "memory" not in name
    }
    found = bfcl_scores(judged_items(given), "v4")
    assert (found["overall"], found["non_live"]) == (None, None)
    assert found["live"] == pytest.approx(0.5)
    assert found["missing"]["non_live"] == ["simple_java", "simple_javascript"]
    assert found["missing"]["overall"] == [
        "simple_java",
        "simple_javascript",
        "memory_kv",
        "memory_vector",
        "memory_rec_sum",
    ]
    assert set(found["missing"]) == {"overall", "non_live"}
    assert found["no_overall"].startswith(
        "BFCL v4 has no overall here: 40 % of it are web search and memory, "
    )
    assert found["no_overall"].endswith("; not judged: simple_java, simple_javascript.")


def test_why_there_is_no_overall_is_said_in_a_sentence() -> None:
    assert bfcl_scores(judged_items(EVERYTHING), "v4")["no_overall"] == ""
    single = {**NON_LIVE, **LIVE}
    assert bfcl_scores(judged_items({**single, **MULTI_TURN}), "v3")["no_overall"] == ""
    assert "not judged" not in bfcl_scores(judged_items({**single, **MULTI_TURN}), "v4")["no_overall"]
    named = "multi_turn_base, multi_turn_miss_func, multi_turn_miss_param, multi_turn_long_context"
    assert (
        bfcl_scores(judged_items(single), "v3")["no_overall"]
        == f"BFCL v3 has no overall here: not judged: {named}."
    )
    few = bfcl_scores(judged_items({"bfcl:multiple": (1, 2)}), "v3")["no_overall"]
    assert few.endswith("simple_python, simple_java, simple_javascript, parallel and 12 more.")


def test_groups_with_fewer_items_than_the_benchmark_are_named() -> None:
    found = bfcl_scores(
        judged_items({"bfcl:simple_javascript": (50, 50), "bfcl:live_relevance": (2, 3)}), "v4"
    )
    assert found["partial"] == ["live_relevance"]
    assert found["groups"]["simple_javascript"] == {"accuracy": 1.0, "items": 50, "parse_failures": 0}


def test_parse_failures_are_apart_and_right_on_irrelevance_only_in_the_official_numbers() -> None:
    suites = {"bfcl:irrelevance": (1, 4), "bfcl:live_irrelevance": (2, 4), "bfcl:live_relevance": (1, 4)}
    found = bfcl_scores(judged_items(suites, unparsed=2), "v4")
    assert found["irrelevance"] == pytest.approx((0.25 + 0.5) / 2)
    assert found["official"]["irrelevance"] == pytest.approx((0.75 + 1.0) / 2)
    assert found["relevance"] == found["official"]["relevance"] == 0.25
    assert found["parse_failures"] == 6
    assert found["official"]["overall"] is None


def test_other_suites_and_retired_groups_are_in_no_mean() -> None:
    suites = {"bfcl:exec_simple": (1, 2), "api_bank:1": (0, 3), **LIVE}
    found = bfcl_scores(judged_items(suites), "v4")
    assert found["live"] == pytest.approx(0.5)
    assert found["groups"]["exec_simple"]["accuracy"] == 0.5
    assert "api_bank:1" not in found["groups"]


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(InputError, match="BFCL version 'v2': expected one of v4, v3"):
        bfcl_scores([], "v2")
