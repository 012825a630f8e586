"""What `make containers` looks at behind each container: the image of a task, and the outputs that it declares."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.contracts.artifacts import write_artifact
from components.contracts.errors import InputError
from tests.containers.handler import executor_input, look_at_outputs, resolve

KINDS = {"labeled": "system.Dataset", "metrics": "system.Metrics", "report": "system.HTML"}


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """The executor input of a task that has written all its outputs."""
    with write_artifact(tmp_path / "labeled", "labeled_traces/1") as writer:
        (writer.folder / "traces.jsonl").write_text("{}\n")
    (tmp_path / "report").write_text("<p>fine</p>")
    told = {"metrics": {"artifacts": [{"name": "metrics", "metadata": {"kept": 3}}]}}
    output = {"parameterValues": {"Output": [0, 1]}, "artifacts": told}
    (tmp_path / "executor_output.json").write_text(json.dumps(output))
    artifacts = {
        name: {"artifacts": [{"type": {"schemaTitle": kind}, "uri": str(tmp_path / name)}]}
        for name, kind in KINDS.items()
    }
    outputs = {
        "outputFile": str(tmp_path / "executor_output.json"),
        "parameters": {"Output": {"outputFile": str(tmp_path / "Output")}},
        "artifacts": artifacts,
    }
    return {"inputs": {"parameterValues": {"pipelinechannel--sft_image": "own/sft:1"}}, "outputs": outputs}


def test_all_outputs_are_found(given: dict[str, Any]) -> None:
    assert look_at_outputs(given) == (("Output", "labeled", "metrics", "report"), "")


def test_an_artifact_without_its_manifest_is_missed(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "labeled/manifest.json").unlink()
    found, problem = look_at_outputs(given)
    assert found == ("Output",)
    assert problem.startswith("output labeled:")


def test_a_file_changed_behind_the_manifest_is_noticed(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "labeled/traces.jsonl").write_text("[]\n")
    assert "damaged" in look_at_outputs(given)[1]


def test_an_empty_page_is_none(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    assert look_at_outputs(given)[1] == "output report: no file report"


@pytest.mark.parametrize(
    ("left_out", "problem"),
    [("parameterValues", "output Output: no value"), ("artifacts", "output metrics: no metrics")],
)
def test_what_the_executor_did_not_tell_is_missed(
    given: dict[str, Any], tmp_path: Path, left_out: str, problem: str
) -> None:
    path = tmp_path / "executor_output.json"
    output = json.loads(path.read_text())
    del output[left_out]
    path.write_text(json.dumps(output))
    assert look_at_outputs(given)[1] == problem


def test_a_container_that_wrote_nothing_did_not_do_its_task(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "executor_output.json").unlink()
    assert look_at_outputs(given)[1].startswith("no executor_output.json")


def test_an_image_given_as_a_parameter_is_that_parameters_value(given: dict[str, Any]) -> None:
    assert resolve("{{$.inputs.parameters['pipelinechannel--sft_image']}}", given) == "own/sft:1"
    assert resolve("whetstone/sft:0.1.0", given) == "whetstone/sft:0.1.0"
    given["inputs"]["parameterValues"]["pipelinechannel--sft_image"] = 3
    with pytest.raises(InputError, match="expected the name of an image"):
        resolve("{{$.inputs.parameters['pipelinechannel--sft_image']}}", given)


def test_the_executor_input_is_read_out_of_a_tasks_command() -> None:
    command = ["sh", "-c", "...", "--executor_input", '{"inputs": {}}', "--function_to_execute", "sft"]
    assert executor_input(command) == {"inputs": {}}
