"""What README and the pages tell people to type is typed here, as far as a minute and no cluster allow; see `Way`."""

import ast
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from pipelines.arguments import Arguments
from pipelines.cli import app
from pipelines.local.run import _local_parameters as local_parameters
from tests.docs_checkout import make_checkout
from tests.docs_commands import (
    CLUSTER_FENCE,
    FENCES,
    PAGES,
    ROOT,
    WAYS,
    Command,
    Way,
    all_commands,
    fences,
    prose,
    written_files,
)
from tests.kfp_stub import kfp_stub

API = "http://127.0.0.1:8888"
SECONDS = 120
KUBECTL = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
PROGRAMS = r"whetstone|python3?|make|sh|kubectl|kfp|pip|docker|cd|export|mkdir|cp"
SUBSTITUTED = re.compile(r"\$\([^()]*(?:\([^()]*\)[^()]*)*\)|\$\w+")  # $(command) and $NAME


def of(*ways: Way) -> list[Any]:
    """The commands of some ways, each once, as parameters of a test."""
    found = {one.text: one for one in all_commands() if one.beginning and one.way in ways}
    return [pytest.param(one, id=f"{one.page}:{one.line}") for one in found.values()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(autouse=True)
def clean_environment(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkout is where one is; nothing of somebody's settings is around."""
    for name in [one for one in os.environ if one.startswith(("KFP_", "KF_PIPELINES_", "WHETSTONE_TOOLS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("PWD", str(checkout))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MY_KEY", "a-key")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def local(text: str) -> str:
    """The command with the checkout's own folder in the place of /tmp."""
    return text.replace("/tmp/", "tmp/")


def whetstone(text: str) -> Result:
    """A `whetstone` command, in this process."""
    words = [os.path.expandvars(word) for word in shlex.split(local(text))]
    assert words[0] == "whetstone"
    return CliRunner().invoke(app, words[1:], prog_name="whetstone")


def shell(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", local(text)], capture_output=True, text=True, timeout=SECONDS
    )


def test_every_command_is_in_the_table_and_every_entry_on_a_page() -> None:
    unlisted = [str(one) for one in all_commands() if not one.beginning]
    assert not unlisted, "say in tests/docs_commands.py how they are executed"
    unused = set(WAYS) - {one.beginning for one in all_commands()}
    assert not unused, "no page has a command that begins so"


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_in_fences(page: str) -> None:
    kinds = {fence.kind for fence in fences(page)}
    assert kinds <= set(FENCES)
    assert "```" not in prose(page)
    stray = re.findall(rf"^(?: {{4,}}|\t)(?:\$ |[A-Z_]+=\S+ )?(?:{PROGRAMS})\b.*", prose(page), re.M)
    assert not stray, "in an indented block, which no test reads"
    for fence in fences(page):
        if fence.kind in ("sh", CLUSTER_FENCE):
            assert not re.search(r"^\s*#|<<|^\s*$|\s#\s", fence.text.rstrip("\n"), re.M), (
                f"{page}:{fence.line}: only commands"
            )


def test_commands_that_need_a_cluster_stand_in_its_fences() -> None:
    for one in all_commands():
        if one.way is Way.CLUSTER:
            assert one.on_cluster, str(one)


@pytest.mark.parametrize("page", PAGES)
def test_examples_in_python_can_be_read(page: str) -> None:
    for fence in fences(page):
        if fence.kind == "python":
            compile(fence.text, f"{page}:{fence.line}", "exec", flags=ast.PyCF_ONLY_AST)


def test_scripts_that_commands_start_are_written_on_the_page() -> None:
    for one in all_commands():
        if script := re.match(r"python (\w+\.py) ", one.text):
            assert script[1] in written_files(one.page), str(one)


class Reached(Exception):
    """Where something would be started."""


@pytest.mark.parametrize("command", of(Way.CHECKED, Way.PARSED))
def test_long_commands_are_understood(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object, **__: object) -> None:
        raise Reached

    def looked_at(arguments: Arguments) -> None:
        local_parameters(arguments)
        raise Reached

    monkeypatch.setattr("pipelines.local.run._local_parameters", looked_at)
    monkeypatch.setattr("pipelines.evaluate.run.keep_request", reached)
    monkeypatch.setattr("pipelines.local.results.print_results", reached)
    result = whetstone(command.text)
    assert isinstance(result.exception, Reached), f"{result.output} {result.exception!r}"


@pytest.mark.parametrize("command", of(Way.HERE))
def test_quick_commands_succeed(command: Command) -> None:
    if command.text.startswith("kubectl") and shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    if command.text.startswith("whetstone "):
        result = whetstone(command.text)
        assert result.exit_code == 0, f"{result.output} {result.exception!r}"
    else:
        done = shell(command.text)
        assert done.returncode == 0, done.stderr
        assert done.stdout or not command.text.startswith(("kubectl", "PYTHONPATH"))


@pytest.mark.parametrize("command", of(Way.API))
def test_submitting_commands_succeed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with kfp_stub(["SUCCEEDED"], tasks={"ingest": "SUCCEEDED"}) as stub:
        monkeypatch.setenv("KFP_ENDPOINT", stub.url)
        text = command.text.replace(API, stub.url)
        if "create-version" in text:
            before = next(one.text for one in all_commands() if " pipeline create --" in one.text)
            assert shell(before.replace(API, stub.url)).returncode == 0
        if text.startswith("whetstone "):
            result = whetstone(f"{text} --poll-seconds 0.05")
            assert result.exit_code == 0, f"{result.output} {result.exception!r}"
        else:
            done = shell(text)
            assert done.returncode == 0, done.stdout + done.stderr
        creates = "--dry-run" not in text and not text.startswith("python3") and " pipeline " not in text
        assert len(stub.runs) == creates


@pytest.mark.parametrize("command", of(Way.SERVED))
def test_servers_come_up_with_what_the_page_promises(command: Command) -> None:
    text, replaced = re.subn(r"--port \d+", "--port 0", command.text)
    assert replaced == 1
    with served(text) as client:
        offered = {
            tool["function"]["name"]: tool["function"] for tool in client.get("/tools").json()["tools"]
        }
        if "my_tools:weather" in text:
            assert "7 degrees" not in called(client, "weather", city="Oslo", days=8)["content"]
            assert "rain" in called(client, "weather", city="Oslo", days=2)["content"]
            assert called(client, "weather", city="Oslo", days=8)["error"]["code"] == "wrong_type_or_value"
            assert (
                "Italy" in called(client, "wikipedia_search", query="In which country is Imola?")["content"]
            )
        elif "petstore" in text:
            assert {"pets_listPets", "pets_getPet"} <= set(offered)
            assert "pets_addPet" not in offered
        else:
            assert "Friday" in called(client, "find_book", title="Dune")["content"]
            assert called(client, "find_book", title="Dunes")["error"]["code"] == "tool_call_failure"
            assert called(client, "count_books", on_the_shelf=True)["content"] == "2"


class served:
    """`with served(command) as client`: the command's server, stopped by SIGTERM."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __enter__(self) -> httpx.Client:
        self.process = subprocess.Popen(
            shlex.split(self.text), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("tools service: http"), line
        self.client = httpx.Client(
            base_url=line.split()[-1], timeout=20, transport=httpx.HTTPTransport(retries=5)
        )
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(40) == 0
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()


def called(client: httpx.Client, tool: str, **arguments: object) -> Any:
    return client.post(f"/tools/{tool}", json={"arguments": arguments}).json()


def test_the_tool_on_the_page_is_that_of_the_example() -> None:
    """Same name, parameters and description; the page leaves out what it does."""
    (shown,) = (one for one in fences("docs/your-own-tools.md") if one.kind == "python")
    path = re.match(r"# (\S+\.py)\n", shown.text)
    assert path is not None
    functions = [
        next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
        for text in (shown.text, (ROOT / path[1]).read_text(encoding="utf-8"))
    ]
    page, example = ((one.name, ast.dump(one.args), ast.get_docstring(one)) for one in functions)
    assert page == example


@pytest.mark.parametrize("command", of(Way.MAKE))
def test_make_knows_what_to_do(command: Command) -> None:
    """`make run` of the page; a `whetstone compile` of the page is a recipe of the Makefile."""
    if command.text.startswith("make "):
        done = shell(f"make --dry-run --assume-old .venv/.ready {command.text.removeprefix('make ')}")
        assert done.returncode == 0, done.stderr
        assert ".venv/bin/" in done.stdout
    else:
        recipes = re.findall(r"^\t\$\(BIN\)/(.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        assert command.text in recipes


@pytest.mark.parametrize("command", of(Way.CONTAINERS))
def test_image_commands_use_what_the_script_reads(command: Command) -> None:
    script = (ROOT / "docker" / "build.sh").read_text(encoding="utf-8")
    for word in shlex.split(command.text):
        name, equals, _ = word.partition("=")
        if equals:
            assert re.search(rf"\$\{{?{name}\b", script), name
    if command.text.startswith("make "):
        done = shell(command.text.replace("make", "make --dry-run --no-print-directory", 1))
        assert (done.returncode, done.stdout.strip()) == (0, "sh docker/build.sh"), done.stderr
    else:
        for name in shlex.split(command.text)[2:]:
            assert (ROOT / "docker" / name / "Dockerfile").is_file()


@pytest.mark.parametrize("command", of(Way.CLUSTER))
@KUBECTL
def test_cluster_commands_as_far_as_they_go_here(command: Command) -> None:
    text = SUBSTITUTED.sub("value", command.text)
    words = shlex.split(text)
    match words:
        case ["kubectl", "apply", "-k", folder]:
            assert "kind:" in ran(["kubectl", "kustomize", folder])
        case ["kubectl", "create", "secret", *_]:
            made = ran([*words, "--dry-run=client", "--output=yaml"])
            assert "kind: Secret" in made
        case ["kubectl", *rest]:
            verb = rest[: 2 if rest[0] == "rollout" else 1]
            assert_flags(words, ran(["kubectl", *verb, "--help"]) + ran(["kubectl", "options"]))
        case ["docker", "build", "--tag", _, folder]:
            assert (ROOT / folder / "Dockerfile").is_file()
        case ["docker", "push", tag]:
            assert any(f"docker build --tag {tag} " in one.text for one in all_commands())
        case _:
            at = words.index("-m")
            assert_flags(words[at:], ran([sys.executable, "-m", words[at + 1], "--help"]))


def ran(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_flags(words: list[str], manual: str) -> None:
    """All options of a command are in its help."""
    for flag in (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word) and word != "-m"):
        assert re.search(rf"(?<![\w-]){flag}\b", manual), flag


@pytest.mark.parametrize("name", ["questions.jsonl", "trajectories.jsonl"])
def test_example_files_go_through_ingest_whole(name: str, tmp_path: Path) -> None:
    words = ["-m", "components.ingest", "--questions", f"docs/examples/{name}", "--validation"]
    ran([sys.executable, *words, "--output", str(tmp_path / "ingested")])
    counts = json.loads((tmp_path / "ingested/question_set/manifest.json").read_text())["counts"]
    assert counts["read"] == counts["kept"] >= 50
    assert counts["quarantined"] == counts["contaminated"] == 0
    for side in ("train", "validation", "held_out"):
        assert counts[side] > 0, side
