"""The stage on real artifacts: rows by title, what it writes, and what it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.ablation.__main__ import main
from components.ablation.run import run
from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.storage import open_input, write_output
from tests.ablation_samples import TITLES, judged_by_gold, write_arms, write_row

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
        dsl.Dataset(uri=str(arms["base"][0].folder)),
        *lists,
        settings,
        store,
        dsl.Dataset(uri=str(output / "comparison")),
        metrics,
        dsl.HTML(uri=str(output / "report.html")),
        dsl.Markdown(uri=str(output / "table.md")),
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
        ({"questions": "r" * 64}, "made with different question_set"),
        ({"temperature": 1.0}, "made with different settings.temperature"),
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
