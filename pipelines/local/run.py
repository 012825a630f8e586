"""A whole local run: services up, the compiled DAG through kfp.local, results into `runs/`, services down."""

import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console

from components.contracts.errors import InputError
from pipelines.arguments import DEMO as DEMO_PRESET
from pipelines.arguments import Arguments
from pipelines.catalog import PIPELINES
from pipelines.compile import package_path
from pipelines.local.dag import PLAN, Plan, TakenOver
from pipelines.local.earlier_run import EarlierRun, at_work
from pipelines.local.failure_report import write_failure_report
from pipelines.local.follow import follow
from pipelines.local.processes import StopRequest, running, stop_on_signals
from pipelines.local.restart import NewRun, taken_over
from pipelines.local.services import BUCKET, STORE, object_store, tools_service
from pipelines.local.spec import component_of, has_arms, local_name, read_spec, task_names, task_retries
from pipelines.local.terminal import StageDisplay

DEMO = "demo://"  # questions about the passages that the same name gives as a corpus
DEMO_MODEL = "demo://smollm2-135m-instruct"
CHILDREN = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
    # Keeps the working folder out of sys.path: there our folder docker/ passes for the docker package.
    "PYTHONSAFEPATH": "1",
}
ARMS_AT_ONCE = 2  # of a loop, in kfp.local
URI = re.compile(r"^[a-z0-9]+://")


class StageFailure(Exception):
    """A stage failed; the message is one line, `report` says what to do, `log` has the rest."""

    def __init__(self, message: str, log: Path, report: Path | None = None) -> None:
        super().__init__(message)
        self.log = log
        self.report = report


@dataclass(frozen=True)
class RunFolder:
    """`runs/<time>/`, which `runs/latest` points at once the run has succeeded."""

    path: Path

    @classmethod
    def create(cls, runs: Path) -> "RunFolder":
        """A new folder, named after the time."""
        name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        for suffix in ("", *(f"-{number}" for number in range(2, 100))):
            try:
                (runs / f"{name}{suffix}").mkdir(parents=True)
            except FileExistsError:
                continue
            return cls((runs / f"{name}{suffix}").resolve())
        raise InputError(f"{runs}: could not make a new folder for the run")

    @property
    def log(self) -> Path:
        """All that kfp.local and the stages said."""
        return self.path / "log.txt"

    def publish(self, seconds: float) -> Path:
        """Move the results up, add the wall time to summary.json, point `latest` here. Gives the folder."""
        results = self.path / "results"
        summary = json.loads((results / "summary.json").read_text(encoding="utf-8"))
        summary["seconds"] = round(seconds, 1)
        text = json.dumps(summary, indent=1, sort_keys=True) + "\n"
        (results / "summary.json").write_text(text, encoding="utf-8")
        for entry in sorted(results.iterdir()):
            entry.rename(self.path / entry.name)
        results.rmdir()
        link = self.path.parent / f".latest-{os.getpid()}"
        link.symlink_to(self.path.name)
        link.replace(self.path.parent / "latest")
        return self.path


def run_locally(
    arguments: Arguments, runs: Path, console: Console, *, stage: str = "", earlier: Path | None = None
) -> Path:
    """Run a pipeline here; gives the run's folder, with summary.json and report.html.

    stage: what to begin with; what comes before is taken over from `earlier`, the folder of a run, by default the
    newest in `runs` that has it.

    Raises:
        InputError: something given can't be used, or a service does not come up.
        StageFailure: a stage failed.
        Interrupted: Ctrl-C or SIGTERM. In every case all that was started is stopped.
    """
    begun = time.monotonic()
    parameters, corpus = _local_parameters(arguments)
    package = _package(arguments)
    for name in ("artifact_store", "tools_url"):
        if not parameters.get(name):
            parameters.pop(name, None)  # the run starts its own
    given = tuple(parameters)
    taken: dict[str, TakenOver] = {}
    source: EarlierRun | None = None
    if stage:
        new = NewRun.of(arguments.pipeline, package, parameters, corpus)
        source, taken = taken_over(new, stage, runs, earlier)
    folder = RunFolder.create(runs)
    environment = {**os.environ, **CHILDREN}
    plan = Plan(
        pipeline=arguments.pipeline,
        package=folder.path / f"{arguments.pipeline}.yaml",
        parameters=parameters,
        folder=folder.path,
        artifact_store="",
        corpus=corpus,
        taken_over=taken,
    )
    plan.package.write_text(package, encoding="ascii", newline="\n")
    with stop_on_signals() as stop, at_work(folder.path), ExitStack() as stack:
        scratch = folder.path / "tmp"
        scratch.mkdir()
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        environment["TMPDIR"] = str(scratch)  # kfp leaves a folder behind for every task
        with console.status("Starting the object store and the tools service") as status:
            if not parameters.get("artifact_store"):
                if source:
                    _copy_store(source.folder, folder.path, stop)
                environment = {k: v for k, v in environment.items() if not k.startswith("AWS_")}
                environment |= stack.enter_context(object_store(folder.path, environment, stop))
                parameters["artifact_store"] = f"s3://{BUCKET}/artifacts"
                parameters.setdefault("checkpoint_root", f"s3://{BUCKET}/checkpoints")
            if not parameters.get("tools_url"):
                if corpus == DEMO:
                    corpus = _write_demo_corpus(folder, environment, stop)
                service = stack.enter_context(tools_service(folder.path, corpus, environment, stop))
                parameters["tools_url"] = service.pop("url")
                environment |= service
            status.stop()
        if source:
            console.print(f"taken over from {source.folder}", highlight=False, soft_wrap=True)
        started = tuple(name for name in parameters if name not in given)
        places = {"artifact_store": parameters["artifact_store"], "parameters": parameters}
        _execute(plan.model_copy(update={**places, "started": started}), folder, environment, stop, console)
    return folder.publish(time.monotonic() - begun)


def _local_parameters(arguments: Arguments) -> tuple[dict[str, JsonValue], str]:
    """The run's parameters with local paths made absolute and looked at, and the corpus likewise."""
    parameters = {"base_model": DEMO_MODEL, **arguments.parameters}
    if "regression" in arguments.also and importlib.util.find_spec("lm_eval") is None:
        raise InputError(
            "with: regression needs lm-evaluation-harness here (pip install 'lm-eval[hf]==0.4.13'); its image has it"
        )
    if arguments.preset == DEMO_PRESET:
        parameters.setdefault("questions", PIPELINES[arguments.pipeline].demo_questions)
    if not parameters.get("questions"):
        raise InputError("questions: missing; expected questions=FILE or an s3:// URI")
    for key in ("artifact_store", "checkpoint_root", "publish_to", "base_model"):
        if parameters.get(key):
            parameters[key] = absolute(str(parameters[key]))
    sources = [absolute(part.strip()) for part in str(parameters["questions"]).split(",")]
    parameters["questions"] = ",".join(sources)
    corpus = absolute(arguments.corpus) if arguments.corpus else ""
    if DEMO in sources and not parameters.get("tools_url"):
        corpus = corpus or DEMO
    must_exist("questions", *sources)
    must_exist("corpus", corpus)
    if corpus and parameters.get("tools_url"):
        raise InputError("corpus: given together with tools_url; the service at that address has its own")
    if not parameters.get("artifact_store"):
        _refuse_stored(parameters, corpus)
    return parameters, corpus


def _refuse_stored(parameters: Mapping[str, JsonValue], corpus: str) -> None:
    """Refuse URIs of another object store where the run starts its own, whose credentials all stages get."""
    ingest = json.loads(str(parameters.get("ingest_settings") or "{}"))
    places = {
        key: parameters.get(key) for key in ("questions", "base_model", "publish_to", "checkpoint_root")
    }
    own = {f"ingest.{name}": ingest.get(name) for name in ("held_out", "suite_data")}
    for key, value in {**places, "corpus": corpus, **own}.items():
        if "s3://" in str(value):
            raise InputError(
                f"{key}: an s3:// URI needs artifact_store= in the same store; the local one starts empty"
            )


def _write_demo_corpus(folder: RunFolder, environment: dict[str, str], stop: StopRequest) -> str:
    """Let ingest write the passages that the demo's questions are about; gives the file."""
    path = folder.path / "corpus.jsonl"
    command = [sys.executable, "-m", "components.ingest.demo_corpus", str(path)]
    with running(command, environment=environment, log=folder.log) as process:
        while process.poll() is None:
            stop.sleep(0.1)
    if process.returncode != 0:
        raise InputError(f"corpus: the demo's passages could not be written (log: {folder.log})")
    return str(path)


def absolute(value: str) -> str:
    return value if URI.match(value) else str(Path(value).expanduser().resolve())


def must_exist(key: str, *values: str) -> None:
    for value in values:
        if value and not URI.match(value) and not Path(value).exists():
            raise InputError(f"{key}: {value}: no such file or folder")


def _package(arguments: Arguments) -> str:
    """The compiled YAML of what is to run."""
    with tempfile.TemporaryDirectory() as folder:
        form = {"without": arguments.without, "also": arguments.also}
        path = package_path(arguments.pipeline, arguments.rounds, Path(folder), **form)
        return path.read_text(encoding="ascii")


def _copy_store(earlier: Path, folder: Path, stop: StopRequest) -> None:
    """Begin with the objects of another run's store: artifacts' files, and checkpoints to go on from.

    Raises:
        InputError: the store is not there any more, or can't be copied.
    """

    def copy(source: str, target: str) -> None:
        stop.check()
        shutil.copy2(source, target)

    if not (earlier / STORE).is_dir():
        raise InputError(f"{earlier / STORE}: no such folder, and artifacts lie there; expected no --from")
    try:
        shutil.copytree(earlier / STORE, folder / STORE, copy_function=copy)
    except OSError as error:
        raise InputError(f"{earlier / STORE}: can't be copied into {folder}; expected room for it") from error


def _execute(
    plan: Plan, folder: RunFolder, environment: dict[str, str], stop: StopRequest, console: Console
) -> None:
    spec = read_spec(plan.package)
    if has_arms(spec):
        # kfp.local works on two of them at a time; with as many threads each as there are cores they crawl.
        threads = max(1, (os.cpu_count() or 1) // ARMS_AT_ONCE)
        environment = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive", **environment}
    path = folder.path / PLAN
    path.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
    command = [sys.executable, "-m", "pipelines.local.dag", str(path)]
    taken = {local_name(component_of(spec, one.split("/"))) for one in plan.taken_over}
    display = StageDisplay(console, task_names(spec), taken)
    with display:
        with running(command, environment=environment, log=None) as process:
            error = follow(process, folder.log, display, stop, task_retries(spec))
        if error:
            report = write_failure_report(
                spec,
                plan.parameters,
                error,
                folder=folder.path,
                log=folder.log,
                environment=environment,
                stop=stop,
            )
            raise StageFailure(error, folder.log, report)
