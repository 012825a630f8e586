"""The image contract: what a stage's image must provide, and what is said when it does not."""

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.image_contract import check_image
from components.policy.load import open_chat
from components.preferences.__main__ import main as preferences
from pipelines.local.log_lines import RaisedError, read_line
from tests.judged_traces import right_with
from tests.judged_traces import write_labeled as write_judged
from tests.stage_image import execute, foreign_image, replaced_image
from tests.tiny_model import build_tiny_model, make_trace, write_labeled

STAGES = sorted(path.parent.name for path in Path("components").glob("*/component.py"))
PAGE = Path("docs/your-own-image.md")
OWN_SFT = Path("docs/examples/own_sft")
GIVEN: dict[str, object] = {"pairs": 1, "settings": "{}", "report": None}
PUBLISH = {"publish_to": "", "artifact_store": ""}
GOOD = """
def run(adapter, comparison, report, **others):
    with open(report.path, "w") as page:
        page.write(f"{adapter.uri} {comparison.uri}")
    return "somewhere of ours"
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Puts a module in the place of a stage's."""

    def put(stage: str, **members: object) -> ModuleType:
        made = ModuleType(f"components.{stage}.run")
        made.__dict__.update(members)
        monkeypatch.setitem(sys.modules, made.__name__, made)
        return made

    return put


def face_of(stage: str) -> Any:
    return getattr(importlib.import_module(f"components.{stage}.component"), stage)


def another_kfp(version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image's package index that says so."""
    described = folder / f"kfp-{version}.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kfp\nVersion: {version}\n")
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_looks_at_its_image_before_anything_of_it_is_loaded(stage: str) -> None:
    container = face_of(stage).component_spec.implementation.container
    source = container.command[-1]
    helper, face = source.split(f"\ndef {stage}(")
    assert inspect.getsource(check_image).strip() in helper
    assert "from components." not in helper
    assert face.index(f'check_image("{stage}", ') < face.index(f"from components.{stage}.run import run")


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_called_by_the_names_of_its_run(
    stage: str, module: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each value under its own name; what preflight and ablation gather has other names than the face's parameters."""
    wanted = list(inspect.signature(importlib.import_module(f"components.{stage}.run").run).parameters)
    face = face_of(stage).python_func
    parameters = inspect.signature(face).parameters
    sent: dict[str, Any] = {name: f"<{name}>" for name in parameters}
    received: dict[str, Any] = {}
    module(stage, run=lambda **given: received.update(given) or "returned")
    returned = face(**sent)
    assert sorted(received) == sorted(wanted)
    same = {name: value for name, value in received.items() if name in sent}
    if stage == "ablation":  # its lists are put together
        same = {name: value for name, value in same.items() if not name.endswith(("evaluations", "adapters"))}
    assert same == {name: sent[name] for name in same}
    assert returned == ("returned" if inspect.signature(face).return_annotation is not None else None)


def test_a_run_that_takes_the_names_is_accepted(module: Callable[..., ModuleType]) -> None:
    def exactly(pairs: Any, settings: str, report: Any) -> None: ...
    def by_name(*, report: Any, settings: str, pairs: Any, more: int = 0) -> None: ...
    def with_others(report: Any, *rest: Any, **others: Any) -> None: ...

    class Callable_:
        def __call__(self, pairs: Any, settings: str = "", report: Any = None) -> None: ...

    for run in (exactly, by_name, with_others, Callable_()):
        module("dpo", run=run)
        check_image("dpo", GIVEN)


def _without_settings(pairs: Any, report: Any) -> None: ...
def _with_other_names(pairs: Any, settings: str, page: Any, epochs: int) -> None: ...
def _without_overrides_and_method(
    labeled: Any,
    base_model: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    adapter: Any,
    metrics: Any,
    report: Any,
    initial: Any = None,
) -> None: ...
def _by_position(pairs: Any, settings: str, report: Any, /) -> None: ...


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        (_without_settings, "does not take settings"),
        (_with_other_names, "does not take report; asks for page, epochs"),
        (_by_position, "does not take pairs, settings, report; asks for pairs, settings, report"),
    ],
)
def test_a_run_with_other_names_is_refused(
    run: Callable[..., None], problem: str, module: Callable[..., ModuleType]
) -> None:
    module("dpo", run=run)
    with pytest.raises(InputError) as refused:
        check_image("dpo", GIVEN)
    assert str(refused.value) == (
        f"image of stage dpo: run of components.dpo.run {problem}; "
        "it is called by name with pairs, settings, report (docs/your-own-image.md)"
    )


@pytest.mark.parametrize("members", [{}, {"run": "a text"}])
def test_a_module_without_the_function_is_refused(
    members: dict[str, object], module: Callable[..., ModuleType]
) -> None:
    module("dpo", **members)
    with pytest.raises(InputError, match=r"^image of stage dpo: components\.dpo\.run has no function run \("):
        check_image("dpo", GIVEN)


@pytest.mark.parametrize("version", ["2.16.1", "3.0.0", "2.170.0"])
def test_another_kfp_is_refused(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    another_kfp(version, tmp_path, monkeypatch)
    with pytest.raises(
        InputError, match=re.escape(f"it needs kfp 2.17 and has {version}; install kfp==2.17.0")
    ):
        check_image("dpo", GIVEN)


def test_a_stage_from_a_shell_says_it_in_one_line(
    module: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    labeled = write_judged(tmp_path / "labeled", [right_with()])
    module("preferences", run=_without_settings)
    assert preferences(["--labeled", labeled.path, "--output", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(
        "image of stage preferences: run of components.preferences.run does not take labeled, "
    )
    assert shown.count("\n") == 1


def test_an_image_with_nothing_of_ours_runs_a_stage(tmp_path: Path) -> None:
    image = foreign_image(tmp_path / "image", "publication", GOOD)
    inputs = {"adapter": tmp_path / "adapter", "comparison": tmp_path / "comparison"}
    ended = execute(image, "publication", PUBLISH, inputs, tmp_path / "out")
    assert ended.code == 0, ended.errors
    assert ended.outputs["parameterValues"] == {"Output": "somewhere of ours"}
    assert (tmp_path / "out" / "report").read_text() == f"{inputs['adapter']} {inputs['comparison']}"


@pytest.mark.parametrize(
    ("stage", "source", "problem"),
    [
        ("", "", "it has no module components.publication.run; put it where Python looks"),
        ("ingest", GOOD, "it has no module components.publication.run; put it where Python looks"),
        (
            "publication",
            "import a_package_of_theirs\n" + GOOD,
            "components.publication.run: No module named 'a_package_of_theirs'",
        ),
        (
            "publication",
            "raise ImportError('their library is broken\\nin a long story')",
            "components.publication.run: their library is broken",
        ),
        (
            "publication",
            "def run(adapter, comparison, report, target): ...",
            "run of components.publication.run does not take publish_to, artifact_store; asks for target; "
            "it is called by name with adapter, comparison, publish_to, artifact_store, report",
        ),
    ],
)
def test_an_image_with_nothing_of_ours_is_refused_in_one_line(
    stage: str, source: str, problem: str, tmp_path: Path
) -> None:
    image = foreign_image(tmp_path / "image", stage, source)
    inputs = {"adapter": tmp_path / "adapter", "comparison": tmp_path / "comparison"}
    ended = execute(image, "publication", PUBLISH, inputs, tmp_path / "out")
    assert ended.code == 1
    assert ended.error == f"RuntimeError: image of stage publication: {problem} (docs/your-own-image.md)"


def test_a_local_run_knows_it_as_an_error_that_trying_again_cannot_help(tmp_path: Path) -> None:
    empty = tmp_path / "run.py"
    empty.touch()
    image = replaced_image(tmp_path / "image", "publication", empty)
    inputs = {"adapter": tmp_path / "adapter", "comparison": tmp_path / "comparison"}
    ended = execute(image, "publication", PUBLISH, inputs, tmp_path / "out")
    found = read_line(ended.error)
    assert isinstance(found, RaisedError)
    assert found.is_input_error
    assert str(found).startswith(
        "image of stage publication: components.publication.run has no function run ("
    )


def test_the_worked_example_is_an_sft_image_of_about_thirty_lines_that_the_pipeline_accepts(
    tmp_path: Path,
) -> None:
    """Its adapter is one that our own stages go on from."""
    lines = [line for name in ("Dockerfile", "run.py") for line in (OWN_SFT / name).read_text().splitlines()]
    assert sum(bool(line.strip()) for line in lines) <= 33
    image = replaced_image(tmp_path / "image", "sft", OWN_SFT / "run.py")
    base_model = build_tiny_model(tmp_path / "base")
    chat = open_chat(str(base_model), "hermes")
    traces = [make_trace(chat, number, trained=(number != 3, number != 3)) for number in range(6)]
    labeled = write_labeled(tmp_path / "labeled", traces)
    given = {"base_model": str(base_model), "settings": "{}", "artifact_store": "", "checkpoint_root": ""}
    ended = execute(image, "sft", given, {"labeled": labeled}, tmp_path / "out")
    assert ended.code == 0, ended.errors
    assert ended.outputs["artifacts"]["metrics"]["artifacts"][0]["metadata"]["loss"] > 0
    made = open_artifact(tmp_path / "out" / "adapter", "adapter/1")
    assert {entry.path for entry in made.manifest.files} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "policy.json",
    }
    assert "6 traces by an image of our own" in (tmp_path / "out" / "report").read_text()

    further = {**given, "settings": '{"dtype": "float32", "epochs": 1, "lora_rank": 4}'}
    inputs = {"labeled": labeled, "initial": tmp_path / "out" / "adapter"}
    gone_on = execute(Path.cwd(), "sft", further, inputs, tmp_path / "further")
    assert gone_on.code == 0, gone_on.errors
    assert (
        open_artifact(tmp_path / "further" / "adapter", "adapter/1").manifest.lineage["initial"]
        == made.digest
    )


def test_the_page_quotes_the_errors_as_they_are(
    module: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, object] = dict.fromkeys(inspect.signature(face_of("sft").python_func).parameters)
    told = []

    def look() -> None:
        with pytest.raises(InputError) as refused:
            check_image("sft", given)
        told.append(str(refused.value))

    monkeypatch.setitem(sys.modules, "components.sft.run", None)  # as if it were not there
    look()
    module("sft")
    look()
    module("sft", run=_without_overrides_and_method)
    look()
    another_kfp("2.16.1", tmp_path, monkeypatch)
    look()
    quoted = re.findall(r"`(image of stage sft: .*?)`", PAGE.read_text(encoding="utf-8"))
    assert len(quoted) == 4
    assert all(any(line.startswith(one.removesuffix(" ...")) for line in told) for one in quoted)


def test_a_folder_committed_as_the_page_says_is_an_artifact(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "policy.json").write_text("{}")
    (tmp_path / "inner" / "text.txt").write_text("é")
    commit, rule = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path.parent / "commit.py").write_text(commit)
    call = f"import commit, pathlib; commit.commit(pathlib.Path({str(tmp_path)!r}), 'adapter/1')"
    subprocess.run([sys.executable, "-c", call], check=True, cwd=tmp_path.parent)
    opened = open_artifact(tmp_path, "adapter/1")
    assert {entry.path for entry in opened.manifest.files} == {"policy.json", "inner/text.txt"}
    shown = subprocess.run([sys.executable, "-c", rule], check=True, capture_output=True, text=True).stdout
    assert "exit-handler-1/sft" in shown.splitlines()
    assert "exit-handler-1/ingest" not in shown.splitlines()


def test_the_example_replaces_one_file_of_the_stages_own_image() -> None:
    *_, copy = (OWN_SFT / "Dockerfile").read_text().splitlines()
    assert copy == "COPY run.py /opt/whetstone/components/sft/run.py"
    assert "PYTHONPATH=/opt/whetstone" in Path("docker/serve/Dockerfile").read_text()
