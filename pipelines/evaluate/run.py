"""`whetstone evaluate`: benchmarks and one's own questions over a model, without a pipeline.

It calls the stages' own command lines: ingest turns suites into questions, evaluation judges the model on them, and a
second evaluation and promotion's comparison follow where a model to compare with is named. What a folder already holds
is not made again; an evaluation that was stopped goes on.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from rich.console import Console

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import Question
from components.contracts.settings import merged
from components.evaluation.settings import EvaluationSettings
from components.ingest.settings import IngestSettings
from components.ingest.suite_names import family_of
from pipelines.evaluate.folder import (
    ADAPTER,
    gone_if_refused,
    is_judged,
    is_made,
    keep_request,
    open_folder,
)
from pipelines.evaluate.model import EvaluatedModel, asked_alike, check_url, read_model
from pipelines.evaluate.tables import AGAINST, EVALUATION, print_evaluation
from pipelines.local.follow import lines_of
from pipelines.local.log_lines import RaisedError, StageProgress, read_line
from pipelines.local.processes import Interrupted, StopRequest, running, stop_on_signals
from pipelines.local.run import CHILDREN, StageFailure, absolute, must_exist
from pipelines.local.services import tools_service
from pipelines.local.terminal import StageDisplay

LOG = "log.txt"
INGEST, COMPARISON = "ingest", "promotion"
NAMES = {
    INGEST: "Questions",
    EVALUATION: "Evaluation",
    AGAINST: "Evaluation of the other",
    COMPARISON: "Comparison",
}
UNUSABLE = 2  # a stage's exit code for a mistake of the user's, told in its last line
MULTI_TURN = "bfcl:multi_turn"
EXECUTED_HERE = ("bfcl",)  # families whose tools need no service


@dataclass(frozen=True)
class Request:
    """What was asked for; equal requests make equal results. Local paths are absolute, secrets are not in it.

    data: where suites' files are, by family. questions: files of one's own, comma separated. limit: questions of each
    suite and each kind of one's own; 0 takes all. settings: JSON over the preset of the evaluation. against_...: of the
    model to compare with, where that is a server.
    """

    model: str
    suites: tuple[str, ...] = ()
    data: Mapping[str, str] | None = None
    questions: str = ""
    limit: int = 0
    call_format: str = ""
    preset: str = ""
    settings: str = ""
    against: str = ""
    model_name: str = ""
    trained_as: str = ""
    tools_url: str = ""
    corpus: str = ""
    against_model_name: str = ""
    against_trained_as: str = ""

    def ingest_settings(self) -> str:
        """Canonical JSON of what makes the questions; one's own are all held out.

        Raises:
            InputError: no suite and no questions, or an unknown suite or family.
        """
        if not (self.suites or self.questions):
            raise InputError(
                "--suite: missing; expected --suite NAME, such as bfcl:simple_python, or --questions FILE"
            )
        given: dict[str, JsonValue] = {"suites": list(self.suites), "suite_data": dict(self.data or {})}
        given |= {"held_out_share": 1.0, "train_on_long_tail": "never"}
        given |= {"suite_limit": self.limit, "max_held_out": self.limit} if self.limit else {}
        return IngestSettings.parse(json.dumps(given)).canonical()

    def evaluation_settings(self, model: EvaluatedModel) -> EvaluationSettings:
        """The preset, over it what the model needs, over that the user's own settings."""
        preset: dict[str, JsonValue] = {"preset": self.preset} if self.preset else {}
        needed = merged(preset, {"engine": dict(model.engine)})
        package = (self.data or {}).get("bfcl", "")
        if "://" not in package and any(suite.startswith(MULTI_TURN) for suite in self.suites):
            needed["bfcl_package"] = package
        return EvaluationSettings.parse(json.dumps(needed), self.settings)


def read_request(model: str, *, suites: Sequence[str], data: Sequence[str], **others: Any) -> Request:
    """The request of a command line, local paths made absolute and looked at. data: words FAMILY=URI.

    Raises:
        InputError: a word that is none, a file that is not there, or an address that can't be one.
    """
    places: dict[str, str] = {}
    for word in data:
        family, separator, uri = word.partition("=")
        if not (family and separator and uri):
            raise InputError(f"--data: {word!r}, expected FAMILY=URI, such as api_bank=FOLDER")
        places[family] = absolute(uri)
    names = tuple(one.strip() for word in suites for one in word.split(",") if one.strip())
    sources = [absolute(part.strip()) for part in others.pop("questions", "").split(",") if part.strip()]
    corpus = others.pop("corpus", "")
    corpus = absolute(corpus) if corpus else ""
    for option, paths in (
        ("--data", list(places.values())),
        ("--questions", sources),
        ("--corpus", [corpus]),
    ):
        must_exist(option, *paths)
    if others.get("tools_url"):
        check_url("--tools-url", others["tools_url"])
    for name in ("against", "trained_as", "against_trained_as"):
        others[name] = absolute(others[name]) if others.get(name) else ""
    return Request(absolute(model), names, places, ",".join(sources), corpus=corpus, **others)


def evaluate(
    request: Request, out: Path | None, key_variable: str, console: Console, *, against_key_variable: str = ""
) -> Path:
    """Judge the model and print the tables; gives the folder with all that was made.

    out: a folder of an earlier call with the same request is gone on with; None makes runs/evaluations/<time>.
    key_variable, against_key_variable: environment variables with servers' keys.

    Raises:
        InputError: something given can't be used.
        StageFailure: a stage failed.
        Interrupted: Ctrl-C or SIGTERM. In every case all that was started is stopped.
    """
    ingest = request.ingest_settings()
    folder = open_folder(asdict(request), out)
    with gone_if_refused(folder, out):
        found = _models(request, folder, key_variable, against_key_variable)
        settings = {task: request.evaluation_settings(model) for task, model in found.items()}
    keep_request(folder, asdict(request))
    environment = {**os.environ, **CHILDREN}
    with (
        _told_how_to_go_on(folder, console),
        stop_on_signals() as stop,
        StageDisplay(console, NAMES) as display,
    ):
        stages = _Stages(folder, environment, display, stop)
        place = folder / INGEST
        if not is_made(place / "question_set", request.questions):
            stages.run(INGEST, "--questions", request.questions, "--settings", ingest, "--output", str(place))
        left = {
            task: model
            for task, model in found.items()
            if not is_judged(folder / task, model.base_model, model.adapter)
        }
        questions = list(_questions(place / "question_set")) if left else []
        with _service(request, questions, stages) as service:
            for task, model in left.items():
                stages.evaluate(task, model, settings[task], place / "question_set", service)
        compared = folder / "comparison.json"
        if request.against and not compared.is_file():
            sides = [str(folder / task / "evaluation") for task in (AGAINST, EVALUATION)]
            words = ("compare", "--before", sides[0], "--after", sides[1], "--out", str(compared))
            stages.run(COMPARISON, *words)
    print_evaluation(console, folder)
    return folder


@contextmanager
def _told_how_to_go_on(folder: Path, console: Console) -> Iterator[None]:
    try:
        yield
    except Interrupted:
        console.print(f"the same command with --out {folder} goes on", highlight=False, soft_wrap=True)
        raise


def _models(
    request: Request, folder: Path, key_variable: str, against_key_variable: str
) -> dict[str, EvaluatedModel]:
    """The model, and the one to compare with, by their tasks."""
    found = {
        EVALUATION: read_model(
            request.model,
            folder / f"{EVALUATION}{ADAPTER}",
            call_format=request.call_format,
            server_model=request.model_name,
            key_variable=key_variable,
            trained_as=request.trained_as,
        )
    }
    if request.against:
        found[AGAINST] = read_model(
            request.against,
            folder / f"{AGAINST}{ADAPTER}",
            call_format=request.call_format,
            server_model=request.against_model_name,
            key_variable=against_key_variable,
            trained_as=request.against_trained_as,
            prefix="against-",
        )
    else:
        for option, given in (
            ("model-name", request.against_model_name),
            ("api-key-variable", against_key_variable),
            ("trained-as", request.against_trained_as),
        ):
            if given:
                raise InputError(f"--against-{option}: only beside --against URL, which is not given")
    found = asked_alike(found)
    if len({model.name for model in found.values()}) < len(
        found
    ):  # two folders, or two servers' models, named alike
        found = {
            task: replace(model, name=request.against if task == AGAINST else request.model)
            for task, model in found.items()
        }
    return found


@dataclass(frozen=True)
class _Stages:
    """Runs stages as commands, one after the other; what they say goes into one log."""

    folder: Path
    environment: Mapping[str, str]
    display: StageDisplay
    stop: StopRequest

    def evaluate(
        self,
        task: str,
        model: EvaluatedModel,
        settings: EvaluationSettings,
        questions: Path,
        service: Mapping[str, str],
    ) -> None:
        """Judge a model."""
        words = ["--question-set", str(questions), "--base-model", model.base_model, "--title", model.name]
        words += ["--settings", settings.canonical(), "--tools-url", service.get("url", "")]
        words += ["--artifact-store", "", "--checkpoint-root", str(self.folder / "checkpoints")]
        words += ["--adapter", str(model.adapter)] if model.adapter else []
        secrets = {name: value for name, value in service.items() if name != "url"} | dict(model.environment)
        self.run(task, *words, "--output", str(self.folder / task), secrets=secrets)

    def run(self, task: str, *words: str, secrets: Mapping[str, str] | None = None) -> None:
        """Run `python -m components.<stage>`; `task` may have a number behind the stage's name.

        Raises:
            InputError: the stage told of a mistake of the user's.
            StageFailure: it failed otherwise.
        """
        stage = task.partition("-")[0]
        command = [sys.executable, "-m", f"components.{stage}", *words]
        if stage == INGEST:
            command += ["--artifact-store", ""]
        log = self.folder / LOG
        self.display.begin(task)
        said, raised = "", None
        environment = {**self.environment, **(secrets or {})}
        with (
            log.open("a", encoding="utf-8") as file,
            running(command, environment=environment, log=None) as process,
        ):
            for line in lines_of(process, self.stop):
                file.write(f"{line}\n")
                match read_line(line):
                    case StageProgress() as step:
                        self.display.advance(task, step)
                    case RaisedError() as error:
                        raised = error
                    case _:
                        said = line.strip() or said
            code = process.wait()
        self.display.end(task, succeeded=code == 0)
        if code == UNUSABLE:
            raise InputError(said)
        if code:
            ended = f"killed by signal {-code}" if code < 0 else said or f"ended with code {code}"
            raise StageFailure(f"{stage}: {raised or ended}", log)


def _questions(question_set: Path) -> Iterator[Question]:
    for name in ("held_out.jsonl", "suites.jsonl"):
        if (question_set / name).is_file():
            yield from read_records(question_set / name, Question)


@contextmanager
def _service(request: Request, questions: Sequence[Question], stages: _Stages) -> Iterator[dict[str, str]]:
    """The tools service where a question's tools are executed by it; else nothing."""
    asking = [question for question in questions if not _brings_all(question)]
    if request.tools_url or not asking:
        yield {"url": request.tools_url}
        return
    stand_ins = ""
    brought = dict.fromkeys(question.offered for question in asking if question.offered)
    if brought:
        path = (
            stages.folder / "stand_ins.jsonl"
        )  # lists, for a tool's schemas differ from question to question
        path.write_text("".join(json.dumps({"offered": tools}) + "\n" for tools in brought), encoding="utf-8")
        stand_ins = str(path)
    with tools_service(
        stages.folder, request.corpus, stages.environment, stages.stop, stand_ins=stand_ins
    ) as service:
        yield service


def _brings_all(question: Question) -> bool:
    """Whether nothing of the question is executed by the service: it has tools of its own and golds, say."""
    return bool(question.offered) and (bool(question.golds) or family_of(question.suite) in EXECUTED_HERE)
