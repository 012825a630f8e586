"""Publication: what is published, where, and what is refused."""

from pathlib import Path

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.promotion.run import run as promote
from components.publication.__main__ import main
from components.publication.run import run
from components.storage import fetch
from tests.evaluation_samples import trained, untrained, write_adapter, write_inputs
from tests.object_store import ObjectStore


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Artifact]:
    return write_inputs(tmp_path, count=12)


def compared(inputs: dict[str, Artifact], output: Path, store: str = "") -> dsl.Dataset:
    """The comparison that promotion makes of these inputs."""
    opened = [dsl.Dataset(uri=str(inputs[name].folder)) for name in ("before", "after", "adapter", "labeled")]
    comparison = dsl.Dataset(uri=str(output / "comparison"))
    pages = (
        dsl.Markdown(uri=str(output / "card.md")),
        dsl.Metrics(uri=""),
        dsl.HTML(uri=str(output / "page.html")),
    )
    promote(*opened, '{"samples": 200}', store, comparison, *pages)
    return comparison


def publish(
    adapter: Artifact, comparison: dsl.Dataset, folder: Path, publish_to: str, store: str = ""
) -> str:
    report = dsl.Markdown(uri=str(folder / "published.md"))
    place = run(dsl.Model(uri=str(adapter.folder)), comparison, publish_to, store, report)
    assert (place or "nowhere") in (folder / "published.md").read_text()
    return place


def test_the_adapter_is_published_with_its_card_and_again_changes_nothing(
    inputs: dict[str, Artifact], tmp_path: Path
) -> None:
    comparison = compared(inputs, tmp_path)
    place = publish(inputs["adapter"], comparison, tmp_path, str(tmp_path / "models"))
    [folder] = (tmp_path / "models").iterdir()
    assert str(folder) == place
    published = open_artifact(folder, "adapter/1")
    assert published.manifest.lineage["adapter"] == inputs["adapter"].digest
    assert published.manifest.lineage["evaluation_after"] == inputs["after"].digest
    assert published.path("adapter_model.safetensors").read_bytes() == b"weights"
    assert published.path("README.md").read_text() == (tmp_path / "card.md").read_text()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "models").rglob("*")}
    assert publish(inputs["adapter"], comparison, tmp_path, str(tmp_path / "models")) == place
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "models").rglob("*")} == files


def test_an_empty_place_is_nowhere(
    inputs: dict[str, Artifact], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(inputs["adapter"], compared(inputs, tmp_path), tmp_path, "") == ""
    assert "[publication] published nowhere: publish_to is empty" in capsys.readouterr().out


def test_models_go_to_object_storage(inputs: dict[str, Artifact], tmp_path: Path, s3: ObjectStore) -> None:
    store = f"s3://{s3.bucket}/publication/artifacts"
    place = publish(
        inputs["adapter"], compared(inputs, tmp_path, store), tmp_path, f"s3://{s3.bucket}/models", store
    )
    assert place.startswith(f"s3://{s3.bucket}/models/")
    open_artifact(fetch(place, tmp_path / "fetched"), "adapter/1")


def test_what_was_kept_back_or_is_another_is_refused(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    other = write_adapter(tmp_path / "other", steps=3)
    with pytest.raises(InputError, match=r"comparison: it is of adapter [0-9a-f]{12}, expected one of"):
        publish(other, compared(inputs, tmp_path / "good"), tmp_path, str(tmp_path / "models"))
    worse = write_inputs(tmp_path / "worse", count=12, before=trained, after=untrained)
    with pytest.raises(
        InputError, match=r"adapter [0-9a-f]{12} was kept back; only a promoted one is published"
    ):
        publish(worse["adapter"], compared(worse, tmp_path / "bad"), tmp_path, str(tmp_path / "models"))
    assert not (tmp_path / "models").exists()


def test_from_a_shell(
    inputs: dict[str, Artifact], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison = compared(inputs, tmp_path)
    arguments = ["--adapter", str(inputs["adapter"].folder), "--comparison", comparison.path]
    arguments += ["--publish-to", str(tmp_path / "models"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    [folder] = (tmp_path / "models").iterdir()
    assert capsys.readouterr().out.splitlines()[-1] == str(folder)
    assert (tmp_path / "out" / "report.md").read_text().rstrip().endswith(f"published to {folder}.")
