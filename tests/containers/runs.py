"""The compiled demo in containers: once as it is, with SFT killed on its way, and once with SFT by somebody else."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from components.contracts.manifests import read_manifest
from pipelines.arguments import parse_arguments
from pipelines.compile import compiled_path
from pipelines.local.spec import read_spec
from tests.containers.dag import ENVIRONMENT
from tests.containers.engine import ContainerError, Engine
from tests.containers.handler import Containers, Finished, executor_input
from tests.containers.images import OWN_SFT
from tests.containers.services import BUCKET, MODEL, Services

PIPELINE = "self_training"
SAVE_EVERY = 8  # optimizer steps between SFT's checkpoints
WEIGHTS = "adapter_model.safetensors"
RESUMED = "[sft] goes on after step"
# The demo, of fewer questions: so many that the gate opens, and publication runs too.
DEMO = (
    *("preset=demo", "questions=demo://", f"base_model={MODEL}", "method=sft,dpo"),
    *("ingest.max_train=40", "ingest.max_held_out=20", "trace_generation.num_samples=5"),
    f"sft.save_every={SAVE_EVERY}",
)
SMALL = (
    *("preset=demo", "questions=demo://", f"base_model={MODEL}"),
    *("ingest.max_train=8", "ingest.max_held_out=3", "trace_generation.num_samples=3"),
)


def run_demo(engine: Engine, services: Services, folder: Path) -> dict[str, Any]:
    """Run the whole pipeline, the first container of SFT killed after a checkpoint.

    Raises:
        ContainerError: it failed, or not every stage ran in a container that ended well.
    """
    publish = f"s3://{BUCKET}/published"
    finished = run_pipeline(
        engine, services, folder, [*DEMO, f"publish_to={publish}"], kill={"sft": SAVE_EVERY}
    )
    ended_well = {one.stage for one in finished if one.exit_code == 0 and not one.problem}
    promoted = "publication" in ended_well
    if missing := stages_of_pipeline() - ended_well - {"publication"}:
        raise ContainerError(f"dag: no container of {', '.join(sorted(missing))} ended well")
    failed = [one for one in finished if one.exit_code or one.problem]
    if [(one.stage, one.killed, one.exit_code) for one in failed] != [("sft", True, 137)]:
        told = ", ".join(f"{one.stage} {one.exit_code} {one.problem}" for one in failed) or "none"
        raise ContainerError(f"dag: failed: {told}; expected SFT alone, killed by us")
    summary = json.loads((folder / "results/summary.json").read_text(encoding="utf-8"))
    return {
        "containers": len(finished),
        "promoted": promoted,
        "stages": seconds_of(finished),
        "cpu_seconds": round(sum(one.cpu_seconds for one in finished), 1),
        "most_megabytes": {stage: most_megabytes(finished, stage) for stage in sorted(ended_well)},
        "accuracy": {name: summary["needs_tool"]["accuracy"][name] for name in ("before", "after")},
    }


def compare_with_undisturbed(engine: Engine, services: Services, folder: Path) -> dict[str, Any]:
    """Run SFT's container once more from the same inputs, undisturbed; both adapters must be the same to the bit.

    Raises:
        ContainerError: the second container did not resume, or the weights differ.
    """
    killed, resumed = [one for one in read_finished(folder) if one.stage == "sft"]
    lines = [
        line for line in resumed.log.read_text(encoding="utf-8").splitlines() if line.startswith(RESUMED)
    ]
    if not killed.killed or not lines:
        raise ContainerError(f"sft: the container after the kill did not resume (log: {resumed.log})")
    given = executor_input(resumed.command)
    given["inputs"]["parameterValues"]["checkpoint_root"] = f"s3://{BUCKET}/undisturbed"
    outputs, root = given["outputs"], folder / "undisturbed"
    root.mkdir()
    root.chmod(0o777)
    first = adapter_of(given)
    outputs["outputFile"] = str(root / "executor_output.json")
    for name, artifacts in outputs["artifacts"].items():
        artifacts["artifacts"][0]["uri"] = str(root / name)
    command = list(resumed.command)
    command[command.index("--executor_input") + 1] = json.dumps(given)
    containers = Containers(engine, root, services.inside, {})
    with (
        patch.dict(os.environ, services.outside),  # its outputs are looked at from here
        (folder / "log.txt").open("a") as log,
        redirect_stdout(log),
    ):
        done = containers.run(resumed.image, command, folder)
    if done.exit_code or done.problem:
        raise ContainerError(f"sft: undisturbed: exit code {done.exit_code} {done.problem} (log: {done.log})")
    digests = {weights(first), weights(adapter_of(given))}
    if len(digests) != 1:
        raise ContainerError(f"sft: resumed and undisturbed weights differ: {' '.join(sorted(digests))}")
    return {
        "line": lines[0],
        "weights": digests.pop(),
        "seconds": [killed.seconds, resumed.seconds, done.seconds],
    }


def run_with_own_sft(engine: Engine, services: Services, folder: Path) -> dict[str, Any]:
    """Run the pipeline, smaller, with the worked example's image in the place of SFT's.

    Raises:
        ContainerError: it failed, or SFT did not run in that image.
    """
    finished = run_pipeline(engine, services, folder, [*SMALL, f"sft_image={OWN_SFT}"])
    images = {one.stage: one.image for one in finished}
    others = {image for stage, image in images.items() if stage != "sft"}
    if images["sft"] != OWN_SFT or OWN_SFT in others:
        raise ContainerError(f"own image: SFT ran in {images['sft']}, others in {', '.join(sorted(others))}")
    return {
        "image": OWN_SFT,
        "containers": len(finished),
        "stages": {one.stage: one.seconds for one in finished},
    }


def run_pipeline(
    engine: Engine,
    services: Services,
    folder: Path,
    words: Sequence[str],
    *,
    kill: Mapping[str, int] | None = None,
) -> list[Finished]:
    """Run the committed pipeline with what the words say; gives its containers in the order in which they ended.

    Raises:
        ContainerError: the run failed.
    """
    folder.mkdir()
    root = folder / "pipeline"
    root.mkdir()
    root.chmod(0o777)  # the images' user is not the caller
    store = f"s3://{BUCKET}/{folder.name}"
    parameters = dict(parse_arguments(PIPELINE, words).parameters)
    parameters |= {
        "tools_url": services.tools_url,
        "artifact_store": f"{store}/artifacts",
        "checkpoint_root": f"{store}/checkpoints",
    }
    plan = {
        "pipeline": PIPELINE,
        "package": str(compiled_path(PIPELINE)),
        "parameters": parameters,
        "folder": str(folder),
        "artifact_store": parameters["artifact_store"],
    }
    content = {"plan": plan, "run": engine.run, "network": engine.network, "kill": dict(kill or {})}
    path = folder / "plan.json"
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    environment = {**os.environ, **services.outside, ENVIRONMENT: json.dumps(services.inside)}
    log = folder / "log.txt"
    # PYTHONSAFEPATH keeps the working folder out of sys.path, where our docker/ passes for a package that kfp looks for.
    environment |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "tests.containers.dag", str(path)]
    with log.open("w") as stream:
        done = subprocess.run(command, stdout=stream, stderr=stream, env=environment, cwd=folder, check=False)
    if done.returncode:
        last = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()][-1]
        raise ContainerError(f"{folder.name}: {last.strip()} (log: {log})")
    return read_finished(folder)


def seconds_of(finished: Sequence[Finished]) -> dict[str, list[float]]:
    """Seconds of every container of each stage."""
    return {
        name: [one.seconds for one in finished if one.stage == name]
        for name in {one.stage for one in finished}
    }


def most_megabytes(finished: Sequence[Finished], stage: str) -> int:
    """What the largest of a stage's containers had in memory at once."""
    return round(max(one.most_bytes for one in finished if one.stage == stage) / 1e6)


def read_finished(folder: Path) -> list[Finished]:
    """What `Containers` kept of each container of a run."""
    lines = (folder / "containers.jsonl").read_text(encoding="utf-8").splitlines()
    return [Finished.model_validate_json(line) for line in lines]


def stages_of_pipeline() -> set[str]:
    """The stages that the committed pipeline executes, by the names of their functions."""
    executors = read_spec(compiled_path(PIPELINE))["deploymentSpec"]["executors"].values()
    return {one["container"]["args"][-1] for one in executors}


def adapter_of(given: Mapping[str, Any]) -> Path:
    """Where a task's command has its adapter."""
    return Path(given["outputs"]["artifacts"]["adapter"]["artifacts"][0]["uri"])


def weights(adapter: Path) -> str:
    """SHA-256 of an adapter's weights."""
    (digest,) = (one.sha256 for one in read_manifest(adapter).files if one.path == WEIGHTS)
    return digest
