"""The stage on real artifacts: rows by title, what it writes, and what it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from kfp import dsl

from components.ablation.__main__ import main
from components.ablation.component import ablation
from components.ablation.measures import MEASURES
from components.ablation.rows import moved_of
from components.ablation.run import run
from components.ablation.settings import HEADERS, AblationSettings, Measure
from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem
from components.storage import open_input, write_output
from tests.ablation_samples import TITLES, answered, judged_by_gold, write_arms, write_moved, write_row

FAST = '{"samples": 200}'
RIGHT = {
    title: [index < 4 + number for index in range(20)] for number, title in enumerate(("base model", *TITLES))
}


@pytest.fixture
def arms(tmp_path: Path) -> dict[str, list[Artifact]]:
    return write_arms(tmp_path / "arms", RIGHT)


def gather(arms: dict[str, list[Artifact]], output: Path, *, settings: str = FAST, store: str = "") -> Any:
    """Run the stage; the metrics it logged."""
    metrics = dsl.Metrics(uri="metrics")
    lists = [
        [dsl.Artifact(uri=str(one.folder)) for one in arms[name]]
        for name in ("without", "with", "sft", "ppo")
    ]
    run(
        *lists,
        settings,
        store,
        dsl.Dataset(uri=str(output / "comparison")),
        metrics,
        dsl.HTML(uri=str(output / "report.html")),
        dsl.Markdown(uri=str(output / "table.md")),
        dsl.Dataset(uri=str(arms["base"][0].folder)),
    )
    return metrics.metadata


def test_rows_are_told_by_their_titles_and_come_in_the_papers_order(
    arms: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    metrics = gather(arms, tmp_path / "out")
    summary = json.loads((tmp_path / "out/comparison/summary.json").read_text())
    assert [row["title"] for row in summary["rows"]] == ["base model", *TITLES]
    assert summary["questions"] == {"overall": 20, "needs_tool": 20, "seen_tools": 20}
    found = {row["title"]: row for row in summary["rows"]}
    shares = {title: row["groups"]["overall"]["calls_cf"]["value"] for title, row in found.items()}
    assert shares == {title: sum(right) / 20 for title, right in RIGHT.items()}
    assert found["none"]["groups"]["overall"]["calls_cf"]["difference"] is None
    assert found["All"]["groups"]["seen_tools"]["calls_cf"]["difference"]["mean"] == pytest.approx(7 / 20)
    assert found["base model"]["groups"]["overall"]["calls_cf"]["difference"]["mean"] == pytest.approx(-0.05)
    moved = {title: (row["moved"]["sft"], row["moved"]["ppo"]) for title, row in found.items()}
    assert moved["base model"] == (None, None)
    assert (moved["none"], moved["IRM"]) == ((1.0, None), (1.0, 0.25))
    assert (moved["MAE & PKT"], moved["All"]) == ((4.0, None), (4.0, 1.0))
    assert metrics["all_calls_cf"] == shares["All"]
    assert metrics["mae_irm_moved_ppo"] == 0.5


def test_pages_are_self_contained_and_say_one_seed(arms: dict[str, list[Artifact]], tmp_path: Path) -> None:
    gather(arms, tmp_path / "out")
    artifact = open_artifact(tmp_path / "out/comparison", "ablation/1")
    page = artifact.path("report.html").read_text()
    assert page == (tmp_path / "out/report.html").read_text()
    assert not re.search(r"""(?:src|href)=["']?https?://""", page)
    assert "MAE &amp; PKT" in page
    for text in (page, (tmp_path / "out/table.md").read_text()):
        assert "one training with one seed" in text
    assert set(artifact.manifest.lineage) == {f"evaluation {title}" for title in ("base model", *TITLES)}


def test_payloads_are_fetched_from_a_store_but_no_weights(
    arms: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    store = str(tmp_path / "store")
    for name, schema in (("base", "evaluation/1"), ("without", "evaluation/1"), ("sft", "adapter/1")):
        for index, artifact in enumerate(arms[name]):
            folder = tmp_path / f"stored-{name}-{index}"
            with write_output(folder, schema, store) as writer:
                for entry in artifact.manifest.files:
                    (writer.folder / entry.path).write_bytes(artifact.path(entry.path).read_bytes())
                writer.lineage.update(artifact.manifest.lineage)
                writer.details.update(artifact.manifest.details)
            arms[name][index] = open_artifact(folder, schema)
            assert arms[name][index].digest == artifact.digest
    gather(arms, tmp_path / "out", store=store)
    assert open_input(tmp_path / "out/comparison", "ablation/1", store).path("summary.json").is_file()
    assert [entry.name for entry in arms["sft"][0].folder.iterdir()] == ["manifest.json"]


def test_a_missing_row_is_named(arms: dict[str, list[Artifact]], tmp_path: Path) -> None:
    arms["with"].pop()
    with pytest.raises(InputError, match=r"none is called 'All'; expected one for each of the 8 rows"):
        gather(arms, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_row_that_comes_twice_is_named(arms: dict[str, list[Artifact]], tmp_path: Path) -> None:
    arms["with"].append(arms["without"][0])
    with pytest.raises(InputError, match=r"two are called 'MAE & PKT', expected one a row"):
        gather(arms, tmp_path / "out")


def test_a_row_that_nobody_expects_is_named(arms: dict[str, list[Artifact]], tmp_path: Path) -> None:
    items = [judged_by_gold(f"q{index}", True) for index in range(20)]
    arms["with"][0] = write_row(tmp_path / "odd", "IRN", items)
    with pytest.raises(InputError, match=r"one is called 'IRN' \(did you mean 'IRM'\?\)"):
        gather(arms, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"questions": "r" * 64}, "judged different question sets"),
        ({"temperature": 1.0}, "made under different settings.temperature"),
        ({"adapter": "a" * 64}, "judged adapter aaaaaaaaaaaa, which is none of those given"),
    ],
)
def test_rows_that_can_not_be_compared_are_refused(
    arms: dict[str, list[Artifact]], tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    items = [judged_by_gold(f"q{index}", True) for index in range(20)]
    arms["without"][0] = write_row(tmp_path / "odd", "MAE & PKT", items, **changes)
    with pytest.raises(InputError, match=said) as caught:
        gather(arms, tmp_path / "out")
    assert "MAE & PKT" in str(caught.value)


def test_other_questions_and_no_questions_are_refused(
    arms: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    arms["without"][0] = write_row(tmp_path / "odd", "MAE & PKT", [judged_by_gold("other", True)])
    with pytest.raises(InputError, match="judged different questions"):
        gather(arms, tmp_path / "out")
    arms["without"][0] = write_row(tmp_path / "empty", "MAE & PKT", [])
    with pytest.raises(InputError, match="evaluation 'MAE & PKT': holds no item"):
        gather(arms, tmp_path / "out")


def test_the_base_model_may_not_be_called_like_a_row(arms: dict[str, list[Artifact]], tmp_path: Path) -> None:
    items = [judged_by_gold(f"q{index}", True) for index in range(20)]
    arms["base"] = [write_row(tmp_path / "odd", "none", items)]
    with pytest.raises(InputError, match="base: it is called 'none' like a row"):
        gather(arms, tmp_path / "out")


def test_the_command_line(
    arms: dict[str, list[Artifact]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--base", str(arms["base"][0].folder), "--settings", FAST, "--output", str(tmp_path / "out")]
    words += ["--evaluations", *(str(one.folder) for one in arms["without"] + arms["with"])]
    assert main([*words, "--adapters", *(str(one.folder) for one in arms["sft"] + arms["ppo"])]) == 0
    assert "| All | 100.0 (+0.0: +0.0 to +0.0) |" in capsys.readouterr().out
    assert main(words) == 2
    assert "which is none of those given" in capsys.readouterr().err


def test_torch_is_not_needed() -> None:
    code = "import sys, components.ablation.run; print({'torch', 'transformers'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


GRID = AblationSettings.parse('{"preset": "demo"}')


def write_grid(folder: Path, *, variant_of_sft: str = "single_step") -> dict[str, list[Artifact]]:
    """The grid's rows: prompts, then arms whose SFT or DPO handed its adapter on. Right answers grow by the row.

    Without tools the base model knows q0 and q1; with a tool every row from "SFT tools" on calls in each question.
    """
    found: dict[str, list[Artifact]] = {"prompts": [], "arms": [], "sft": [], "dpo": []}
    for number, title in enumerate(GRID.rows):
        trained = not title.startswith("zero-shot")
        items = [answered(f"q{index}", index < 2 + number // 2, calls=int(trained)) for index in range(8)]
        variant = {"zero-shot plain": "plain", "zero-shot CoT": "cot", "SFT no tool": "cot"}.get(
            title, variant_of_sft
        )
        adapter = ""
        if trained:
            tuned = write_moved(folder / f"sft {title}", 0.0 if title.startswith("DPO") else 2.0)
            last = tuned
            if title.startswith("DPO"):
                last = write_moved(folder / f"dpo {title}", 0.5, initial=tuned.digest)
            found["sft"].append(tuned)
            found["dpo"].append(last)
            adapter = last.digest
        row = write_row(folder / f"row {title}", title, items, adapter=adapter, variant=variant)
        found["arms" if trained else "prompts"].insert(0, row)
    return found


def gather_grid(grid: dict[str, list[Artifact]], output: Path, settings: str, **more: Any) -> dict[str, Any]:
    lists = [
        [dsl.Artifact(uri=str(one.folder)) for one in grid[name]]
        for name in ("prompts", "arms", "sft", "dpo")
    ]
    run(
        *lists,
        settings,
        "",
        dsl.Dataset(uri=str(output / "comparison")),
        dsl.Metrics(uri="metrics"),
        dsl.HTML(uri=str(output / "report.html")),
        dsl.Markdown(uri=str(output / "table.md")),
        **more,
    )
    summary: dict[str, Any] = json.loads((output / "comparison/summary.json").read_text())
    return summary


def test_the_grid_tells_prompts_recipes_and_kinds_apart(tmp_path: Path) -> None:
    summary = gather_grid(write_grid(tmp_path), tmp_path / "out", '{"preset": "demo", "samples": 200}')
    assert [row["title"] for row in summary["rows"]] == list(
        GRID.rows
    )  # no base model above them: it is a row
    rows = {row["title"]: row for row in summary["rows"]}
    cells = {title: row["groups"]["overall"] for title, row in rows.items()}
    assert summary["reference"] == "zero-shot single-step"
    assert cells["zero-shot single-step"]["accuracy"] == {"value": 3 / 8, "difference": None}
    assert cells["DPO response"]["accuracy"]["value"] == 5 / 8
    assert cells["DPO response"]["accuracy"]["difference"]["mean"] == pytest.approx(2 / 8)
    assert cells["DPO response"]["exact_match"]["value"] == 5 / 8
    assert cells["SFT tools"]["invoke_rate"]["value"] == cells["SFT tools"]["called_share"]["value"] == 1.0
    assert cells["SFT tools"]["pass_rate"]["value"] == 1.0
    assert cells["SFT tools"]["answerable_rate"]["value"] == 0.0
    assert cells["zero-shot CoT"]["pass_rate"]["value"] is None
    assert rows["SFT mixture"]["moved"] == {"sft": 2.0, "dpo": None}
    assert rows["DPO conversation"]["moved"] == {"sft": 0.0, "dpo": 0.5}
    assert rows["zero-shot plain"]["moved"] == {"sft": None, "dpo": None}
    # The row without tools knows q0 and q1: one that calls everywhere overuses there and rescues what it has beyond.
    helped = {
        name: cells["DPO response"][name]["value"] for name in ("overuse", "harmed", "underuse", "rescued")
    }
    assert helped == {"overuse": 2 / 8, "harmed": 0.0, "underuse": 0.0, "rescued": 3 / 8}
    assert cells["zero-shot single-step"]["underuse"]["value"] == 6 / 8
    page = (tmp_path / "out/report.html").read_text()
    assert "DPO moved" in page
    assert "PPO" not in page
    assert "rescued" in (tmp_path / "out/table.md").read_text()


def test_another_evaluation_without_tools_tells_what_is_known(tmp_path: Path) -> None:
    items = [answered(f"q{index}", index == 7, calls=0) for index in range(8)]
    unaided = write_row(tmp_path / "unaided", "base model without tools", items, variant="cot")
    given = {"without_tools": dsl.Dataset(uri=str(unaided.folder))}
    settings = json.dumps({"preset": "demo", "samples": 200})
    summary = gather_grid(write_grid(tmp_path), tmp_path / "out", settings, **given)
    found = {row["title"]: row["groups"]["overall"] for row in summary["rows"]}["DPO response"]
    helped = {name: found[name]["value"] for name in ("overuse", "harmed", "rescued")}
    assert helped == {"overuse": 1 / 8, "harmed": 1 / 8, "rescued": 5 / 8}


def test_only_the_settings_that_may_differ_may(tmp_path: Path) -> None:
    grid = write_grid(tmp_path)
    with pytest.raises(InputError, match=r"made under different settings\.variant"):
        gather_grid(grid, tmp_path / "out", '{"preset": "demo", "may_differ": []}')
    items = [answered(f"q{index}", True, calls=1) for index in range(8)]
    hot = write_row(tmp_path / "hot", "zero-shot plain", items, temperature=1.0)
    grid["prompts"][-1] = hot
    with pytest.raises(InputError, match=r"made under different settings\.temperature"):
        gather_grid(grid, tmp_path / "out", '{"preset": "demo"}')


def test_a_row_without_tools_that_called_them_is_refused(tmp_path: Path) -> None:
    settings = json.dumps({"preset": "demo", "without_tools": "SFT tools"})
    with pytest.raises(InputError, match="was answered with a call, expected none"):
        gather_grid(write_grid(tmp_path), tmp_path / "out", settings)


def test_every_measure_has_one_name_for_all_tables() -> None:
    assert list(HEADERS) == list(get_args(Measure))
    assert set(HEADERS) == set(MEASURES)


def test_an_adapter_tells_how_far_its_root_moved_and_itself(tmp_path: Path) -> None:
    warm = write_moved(tmp_path / "warm", 3.0)
    first = write_moved(tmp_path / "first", 0.5, initial=warm.digest)
    second = write_moved(tmp_path / "second", 0.25, initial=first.digest)
    adapters = {one.digest: one.manifest for one in (warm, first, second)}
    assert moved_of("", adapters) == (None, None)
    assert moved_of(warm.digest, adapters) == (3.0, None)
    assert moved_of(first.digest, adapters) == (3.0, 0.5)
    assert moved_of(second.digest, adapters) == (3.0, 0.25)


def test_rows_come_one_by_one_as_well(arms: dict[str, list[Artifact]], tmp_path: Path) -> None:
    def given(name: str, artifact: Artifact) -> dict[str, Any]:
        return {name: dsl.Artifact(uri=str(artifact.folder))}

    rows = arms["without"][:2]
    titles = [str(row.manifest.details["title"]) for row in rows]
    ablation.python_func(
        settings=FAST,
        artifact_store="",
        comparison=dsl.Dataset(uri=str(tmp_path / "comparison")),
        metrics=dsl.Metrics(uri="metrics"),
        report=dsl.HTML(uri=str(tmp_path / "report.html")),
        table=dsl.Markdown(uri=str(tmp_path / "table.md")),
        overrides=json.dumps({"rows": titles, "reference": titles[0]}),
        **given("evaluation_1", rows[1]),
        **given("evaluation_8", rows[0]),
        **given("adapter_1", arms["sft"][0]),
        **given("adapter_4", arms["sft"][1]),
        **given("adapter_5", arms["sft"][2]),
        **given("adapter_8", arms["sft"][3]),
    )
    summary = json.loads((tmp_path / "comparison/summary.json").read_text())
    assert [row["title"] for row in summary["rows"]] == titles
    assert all(row["moved"]["sft"] is not None for row in summary["rows"])


def with_suites(arms: dict[str, list[Artifact]], folder: Path, suites: Any) -> None:
    """Write the arms' evaluations anew, with suites' items behind their own. suites: by the row's title."""
    for name in ("base", "without", "with"):
        for index, artifact in enumerate(arms[name]):
            title = str(artifact.manifest.details["title"])
            items = list(read_records(artifact.path("items.jsonl"), EvaluationItem))
            for suite in suites(title):
                items += [
                    judged_by_gold(f"{suite}/{number}", True, kind="suite").model_copy(
                        update={"suite": suite}
                    )
                    for number in range(5)
                ]
            own = [] if suites(title) == ("bring",) else items
            arms[name][index] = write_row(
                folder / title, title, own or items[-5:], adapter=artifact.manifest.lineage.get("adapter", "")
            )


def test_suites_that_rows_without_tools_are_not_asked_are_in_no_row(
    arms: dict[str, list[Artifact]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = ("base model", "MAE")
    with_suites(
        arms, tmp_path / "r", lambda title: ("popqa",) if title in plain else ("bfcl:simple_python", "popqa")
    )
    gather(arms, tmp_path / "out")
    summary = json.loads((tmp_path / "out/comparison/summary.json").read_text())
    assert summary["suites_left_out"] == ["bfcl:simple_python"]
    assert summary["questions"]["overall"] == 25  # the own twenty, and popqa, which needs no tools of its own
    found = {row["title"]: row["groups"]["overall"]["calls_cf"]["value"] for row in summary["rows"]}
    assert found == {title: (sum(right) + 5) / 25 for title, right in RIGHT.items()}
    assert "not every row was asked bfcl:simple_python" in capsys.readouterr().out
    page = (tmp_path / "out/report.html").read_text()
    assert "Rows without tools were not asked bfcl:simple_python," in page


def test_suites_that_all_rows_judged_count(arms: dict[str, list[Artifact]], tmp_path: Path) -> None:
    with_suites(arms, tmp_path / "r", lambda title: ("bfcl:simple_python",))
    gather(arms, tmp_path / "out")
    summary = json.loads((tmp_path / "out/comparison/summary.json").read_text())
    assert (summary["suites_left_out"], summary["questions"]["overall"]) == ([], 25)
    assert "were not asked" not in (tmp_path / "out/report.html").read_text()


def test_rows_that_share_no_question_are_refused(arms: dict[str, list[Artifact]], tmp_path: Path) -> None:
    with_suites(arms, tmp_path / "r", lambda title: ("bring",) if title == "MAE" else ())
    with pytest.raises(InputError, match="evaluation 'MAE': holds no question that all rows were asked"):
        gather(arms, tmp_path / "out")
