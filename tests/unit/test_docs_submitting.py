"""The pages on submitting: what they tell people to type is typed here, against a server that speaks the v2beta1 API."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from packaging.requirements import Requirement

from pipelines.arguments import declared_parameters
from pipelines.catalog import PIPELINES
from pipelines.compile import compiled_path
from pipelines.submit.guide import BEGIN, END, PAGE, parameter_tables, write_page
from tests.kfp_stub import KfpStub, kfp_stub

ROOT = Path(__file__).parents[2]
IN_CI = ROOT / "docs" / "in-ci.md"
ACTIONS = ROOT / "docs" / "examples" / "github-actions.yaml"
TEKTON = ROOT / "docs" / "examples" / "tekton.yaml"
ADDRESS = "http://127.0.0.1:8888"
GIVEN = {
    "questions": "s3://bucket/questions.jsonl",
    "sft_accelerators": "1",
    "sft_settings": '{"epochs":2}',
}


@pytest.fixture(autouse=True)
def no_endpoint_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("KFP_", "KF_PIPELINES_"))]:
        monkeypatch.delenv(name)


def shell(
    command: str, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
    )


def kfp(stub: KfpStub, *words: str) -> Result:
    """The `kfp` command, in this process."""
    from kfp.cli.cli import cli

    return CliRunner().invoke(cli, ["--endpoint", stub.url, *words], obj={})


def commands(page: Path, *beginning: str) -> Iterator[str]:
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S):
        for line in block.splitlines():
            if line.strip().startswith(beginning):
                yield line.strip()


def parameters_of(stub: KfpStub) -> list[dict[str, Any]]:
    return [run["runtime_config"]["parameters"] for run in stub.runs]


def test_kfp_run_create_as_the_page_has_it() -> None:
    (command,) = commands(IN_CI, f"kfp --endpoint {ADDRESS} run create")
    with kfp_stub(["FAILED"]) as stub:
        done = shell(command.replace(ADDRESS, stub.url))
        given = parameters_of(stub)
        (run,) = stub.runs
    assert done.returncode == 0, done.stderr  # accepted is all it says
    assert given == [GIVEN]
    assert (run["display_name"], stub.experiments[0]["display_name"]) == ("nightly", "ci")


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1)])
def test_the_state_that_kfp_waited_for_becomes_the_exit_code(state: str, code: int, tmp_path: Path) -> None:
    (create,) = commands(IN_CI, f"kfp --endpoint {ADDRESS} --output json")
    (check,) = commands(IN_CI, "python3 -c")
    with kfp_stub([state]) as stub:
        both = f"{create.replace(ADDRESS, stub.url)}\n{check}".replace(
            "/tmp/run.json", f"{tmp_path}/run.json"
        )
        done = shell(both)
    assert (done.returncode, done.stderr.splitlines()[-1] == state) == (code, code != 0), done.stderr


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("sft_accelerators=1", "input parameter sft_accelerators requires type string"),
        ('sft_settings={"epochs":2}', "input parameter sft_settings requires type string"),
        ("sft_imge=one", "parameter(s) provided are not required by pipeline: sft_imge"),
    ],
)
def test_what_kfp_is_told_wrongly_the_server_refuses(word: str, said: str) -> None:
    file = str(compiled_path("self_training"))
    with kfp_stub() as stub:
        result = kfp(stub, "run", "create", "-e", "ci", "-f", file, "questions=q", word)
        assert not stub.runs
    assert result.exit_code == 1
    assert said in str(result.exception)


def test_an_uploaded_version_is_run_by_its_ids() -> None:
    file = str(compiled_path("self_training"))
    with kfp_stub(tasks={"ingest": "SUCCEEDED"}) as stub:
        create = next(commands(PAGE, f"kfp --endpoint {ADDRESS} pipeline create ")).split()[3:-1]
        version = next(commands(PAGE, f"kfp --endpoint {ADDRESS} pipeline create-version")).split()[3:-1]
        again = [kfp(stub, *words, file) for words in (create, version, create)]
        uploaded = stub.versions[-1]
        ids = ["-p", uploaded["pipeline_id"], "-v", uploaded["pipeline_version_id"]]
        result = kfp(stub, "run", "create", "-e", "ci", *ids, "questions=q")
        listed = [kfp(stub, "run", "list"), kfp(stub, "pipeline", "list"), kfp(stub, "experiment", "list")]
        by_id = kfp(stub, "run", "get", stub.runs[0]["run_id"])
        (run,) = stub.runs
    assert [one.exit_code for one in again] == [0, 0, 1], [one.output for one in again]
    assert "409" in str(again[2].exception)
    assert [one["display_name"] for one in stub.versions] == ["self-training", "0.1.0"]
    assert result.exit_code == 0, result.output
    assert run["pipeline_version_reference"]["pipeline_version_id"] == uploaded["pipeline_version_id"]
    assert [one.exit_code for one in (*listed, by_id)] == [0] * 4
    assert run["run_id"] in listed[0].output


def test_what_the_dry_run_tells_to_type_submits_the_same() -> None:
    words = "self_training questions=s3://b/q.jsonl preset=demo sft.epochs=2 sft_accelerators=4"
    given = f"""{words} 'node_selector={{"pool":"gpu pool"}}'"""
    with kfp_stub() as stub:
        shown = shell(f"whetstone submit {given} --dry-run --host {stub.url}")
        command = shown.stdout[shown.stdout.index("kfp --endpoint") :]
        done = shell(command)
        submitted = shell(f"whetstone submit {given} --host {stub.url} --no-wait")
        first, second = parameters_of(stub)
    assert (done.returncode, submitted.returncode) == (0, 0), done.stderr + submitted.stderr
    assert first == second
    assert first["node_selector"] == {"pool": "gpu pool"}


def test_the_example_in_python_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    monkeypatch.chdir(ROOT)
    with kfp_stub() as stub:
        (tmp_path / "example.py").write_text(code.replace(ADDRESS, stub.url), encoding="utf-8")
        runpy.run_path(str(tmp_path / "example.py"))
        (given,) = parameters_of(stub)
    assert capsys.readouterr().out.splitlines()[-1] == "SUCCEEDED"
    assert given["sft_accelerators"] == "1"
    assert isinstance(given["sft_settings"], str)


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1)])
@pytest.mark.parametrize("job", ["by-kfp", "by-whetstone"])
def test_github_actions_example(job: str, state: str, code: int, tmp_path: Path) -> None:
    workflow = yaml.safe_load(ACTIONS.read_text(encoding="utf-8"))
    assert set(workflow) == {"name", True, "permissions", "env", "jobs"}  # YAML 1.1 reads `on` as true
    (tmp_path / "pipelines").symlink_to(ROOT / "pipelines")
    with kfp_stub([state], token="let-me-in") as stub:
        values = {
            "vars.KFP_ENDPOINT": stub.url,
            "vars.KFP_NAMESPACE": "",
            "secrets.KFP_TOKEN": "let-me-in",
            "vars.QUESTIONS": GIVEN["questions"],
            "github.workflow": "practice",
            "github.run_id": "7",
            "github.run_attempt": "1",
        }
        environment = {
            name: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: values[found[1]], text)
            for name, text in workflow["env"].items()
        }
        steps = workflow["jobs"][job]["steps"]
        assert not [step for step in steps if "${{" in step.get("run", "")]  # what others write is never code
        done = [shell(step["run"], tmp_path, environment) for step in steps if step.get("shell") == "bash"]
        given = parameters_of(stub)
        (run,) = stub.runs
    assert [one.returncode for one in done][-1] == code, done[-1].stderr
    assert all(one.returncode == 0 for one in done[:-1])
    assert given == [GIVEN]
    assert run["display_name"] == "practice 7.1"
    assert "let-me-in" not in "".join(one.stdout + one.stderr for one in done)


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("CANCELED", 1)])
def test_tekton_example(state: str, code: int, tmp_path: Path) -> None:
    task, task_run = yaml.safe_load_all(TEKTON.read_text(encoding="utf-8"))
    assert task_run["spec"]["taskRef"]["name"] == task["metadata"]["name"]
    declared = {one["name"]: one.get("default") for one in task["spec"]["params"]}
    given = {one["name"]: one["value"] for one in task_run["spec"]["params"]}
    assert set(given) <= set(declared)
    assert {name for name, default in declared.items() if default is None} <= set(given)
    (step,) = task["spec"]["steps"]
    mounts = {one["name"]: one["mountPath"] for one in step["volumeMounts"]}
    token = next(one["value"] for one in step["env"] if one["name"] == "KF_PIPELINES_SA_TOKEN_PATH")
    assert token == f"{mounts['token']}/token"
    (tmp_path / "token").write_text("let-me-in", encoding="utf-8")
    with kfp_stub([state], token="let-me-in", multi_user=True) as stub:
        values = {**declared, **given, "endpoint": stub.url}
        words = [word for argument in step["args"] for word in _substituted(argument, values)]
        variables = {
            "KFP_NAMESPACE": "team-a",
            "KF_PIPELINES_SA_TOKEN_PATH": str(tmp_path / "token"),
        }
        assert set(variables) == {one["name"] for one in step["env"]}
        done = subprocess.run(
            [Path(sys.executable).parent / step["command"][0], *words],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=120,
        )
        posted = parameters_of(stub)
        (experiment,) = stub.experiments
    assert done.returncode == code, done.stderr
    assert posted == [GIVEN]
    assert experiment["namespace"] == "team-a"


def _substituted(argument: str, values: Mapping[str, Any]) -> Sequence[str]:
    """An argument of a step as Tekton makes it: `$(params.x)` is a text, `$(params.x[*])` alone all texts of a list."""
    whole = re.fullmatch(r"\$\(params\.(\w+)\[\*\]\)", argument)
    if whole:
        return list(values[whole[1]])
    return [re.sub(r"\$\(params\.(\w+)\)", lambda found: str(values[found[1]]), argument)]


def test_the_page_has_the_parameters_of_all_pipelines() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    assert written.strip() == parameter_tables().strip(), "run `python -m pipelines.submit.guide`"
    names = {name for pipeline in PIPELINES for name in declared_parameters(pipeline)}
    assert set(re.findall(r"^\| `(\w+)` \|", written, re.M)) == names


def test_writing_the_page_keeps_what_is_around_the_tables(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n", encoding="utf-8")
    write_page(page)
    write_page(page)
    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\n{parameter_tables()}\n{END}after\n"


def test_the_packages_that_the_page_installs_are_enough() -> None:
    """What submitting imports comes from them, or from what they require."""
    (told,) = re.findall(r"`pip install (kfp==\S+ kfp-kubernetes.+?)`", IN_CI.read_text(encoding="utf-8"))
    (in_actions,) = re.findall(
        r"pip install (kfp==\S+ kfp-kubernetes.+)", ACTIONS.read_text(encoding="utf-8")
    )
    assert told == in_actions
    code = (
        "import sys; from pipelines.cli import app, main; sys.argv = 'w submit self_training questions=q'.split()\n"
        "try: main()\nexcept SystemExit: pass\nprint(*{name.split('.')[0] for name in sys.modules})"
    )
    imported = shell(
        f"{sys.executable} - <<'END'\n{code}\nEND\n", environment={"KFP_ENDPOINT": "http://127.0.0.1:9"}
    )
    assert imported.returncode == 0, imported.stderr
    distributions = packages_distributions()
    needed = {one.lower() for name in imported.stdout.split() for one in distributions.get(name, ())[:1]}
    assert needed - _closure(told.split()) <= {"whetstone", "setuptools", "coverage", "pytest-cov"}


def _closure(requirements: Sequence[str]) -> set[str]:
    names: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in names or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        names |= {name, name.replace("-", "_")}
        waiting += requires(requirement.name) or []
    return names
