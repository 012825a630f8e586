"""The end that all pipelines share, both ways, through kfp.local: promotion, and publication only when it says so."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp import compiler, dsl

from components.contracts.artifacts import open_artifact
from components.contracts.records import Question, Trace
from pipelines.declare import PUBLISH, declared
from pipelines.local.dag import Plan
from pipelines.spec.validate import check_compiled
from pipelines.steps import promote
from pipelines.tasks import Run
from tests.evaluation_samples import trained, untrained, write_inputs

Policy = Callable[[Question], Trace]


def run_end(folder: Path, before: Policy, after: Policy, publish_to: str) -> Path:
    """Compile and run that end on real artifacts; the folder of its tasks."""
    inputs = write_inputs(folder / "inputs", count=12, before=before, after=after)

    @declared("the-end", "The end of a pipeline", ("promotion",), PUBLISH)
    def the_end(run: Run) -> None:
        """Promote and publish."""
        given: dict[str, Any] = {
            name: dsl.importer(
                artifact_uri=str(inputs[name].folder),
                artifact_class=dsl.Model if name == "adapter" else dsl.Dataset,
                reimport=False,
            ).output
            for name in ("before", "after", "adapter", "labeled")
        }
        promote(run, **given)

    package = folder / "the_end.yaml"
    compiler.Compiler().compile(the_end, str(package))
    check_compiled(package.read_text())
    parameters = {"questions": "", "promotion_settings": '{"samples": 200}', "publish_to": publish_to}
    plan = Plan(
        pipeline="self_training", package=package, parameters=parameters, folder=folder, artifact_store=""
    )
    (folder / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.local.dag", "plan.json"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (root,) = (folder / "pipeline").iterdir()
    return root


def decided(root: Path) -> Any:
    return json.loads((root / "promotion/comparison/summary.json").read_text())["decision"]["promoted"]


def output_of(task: Path) -> Any:
    return json.loads((task / "executor_output.json").read_text())["parameterValues"]["Output"]


def test_a_promoted_adapter_is_published(tmp_path: Path) -> None:
    root = run_end(tmp_path, untrained, trained, str(tmp_path / "models"))
    assert decided(root) is True
    assert output_of(root / "promotion") == "promoted"
    (folder,) = (tmp_path / "models").iterdir()
    assert output_of(root / "publication") == str(folder)
    published = open_artifact(folder, "adapter/1")
    compared = open_artifact(root / "promotion/comparison", "comparison/1")
    assert published.path("README.md").read_text() == compared.path("model_card.md").read_text()


def test_one_that_is_kept_back_is_not_and_nothing_fails(tmp_path: Path) -> None:
    root = run_end(tmp_path, trained, untrained, str(tmp_path / "models"))
    assert decided(root) is False
    assert output_of(root / "promotion") == "kept back"
    assert not (root / "publication").exists()
    assert not (tmp_path / "models").exists()
