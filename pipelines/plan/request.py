"""`whetstone plan`'s words -> what is planned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from components.contracts.errors import InputError
from components.contracts.settings import StageSettings
from components.ingest.settings import IngestSettings
from components.trace_generation.settings import TraceGenerationSettings
from pipelines.arguments import SETTINGS, Arguments, declared_parameters, parse_arguments
from pipelines.plan.accelerators import Accelerator, accelerator
from pipelines.plan.measured import Measured, read_measured
from pipelines.plan.shape import ModelShape, shape_of

MEASURED = "measured."
OWN = ("base", "questions", "held_out", "trajectories", "accelerator", "accelerators", "run", "pipeline")
Settings = TypeVar("Settings", bound=StageSettings)
_WITH_GOLDS = ("tl_training", "itool", "whetstone")  # what their stages after SFT learn from are trajectories


@dataclass(frozen=True)
class Request:
    """What is planned. questions: practised; trajectories: brought; held_out, validation: judged; searched: to search.
    accelerators: of the whole cluster; None: as many as are asked for.

    measured_in: the run whose numbers hold, or empty; of_run: which of them it had; told: which were given by hand.
    """

    pipeline: str
    shape: ModelShape
    device: Accelerator
    measured: Measured
    arguments: Arguments
    questions: float
    trajectories: float
    held_out: float
    validation: float
    searched: float
    accelerators: int | None = None
    measured_in: str = ""
    of_run: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    def settings(self, of: type[Settings]) -> Settings:
        """A stage's settings as the run would get them; its defaults where the pipeline has no such parameter."""
        return of.parse(str(self.arguments.parameters.get(of.stage + SETTINGS, "{}")))

    @property
    def samples(self) -> int:
        """Answers of practice to each question, with tools and without."""
        settings = self.settings(TraceGenerationSettings)
        return settings.num_samples + settings.samples_without_tools(self.method)

    @property
    def labeled(self) -> float:
        """Traces that are labeled: those of practice, and the trajectories that were brought."""
        return self.questions * self.samples + self.trajectories

    @property
    def judged_by_golds(self) -> bool:
        """Whether the held-out questions are trajectories, whose next turns are known."""
        return self.pipeline in _WITH_GOLDS

    @property
    def searches(self) -> bool:
        """Whether the pipeline has a search, which DPO's pairs come from then."""
        return "mcts" + SETTINGS in self.arguments.parameters

    @property
    def method(self) -> str:
        """The run's ways of training; the pipeline's own unless it was given."""
        told = declared_parameters(self.pipeline).get("method", {}).get("defaultValue", "")
        return str(self.arguments.parameters.get("method", told))

    def devices(self, stage: str) -> int:
        """Accelerators of each of a stage's pods: one unless `<stage>_accelerators` says more."""
        return max(1, int(str(self.arguments.parameters.get(f"{stage}_accelerators", "1"))))


def read_request(words: Sequence[str]) -> Request:
    """Read `base=llama-3.1-8b questions=10000 accelerator=h100 run=runs/latest trace_generation.num_samples=4 ...`.

    OWN words are the plan's, `measured.<name>=` its numbers; all others are those of `whetstone run`. Without
    `held_out=` the settings of ingest set questions aside of those given.

    Raises:
        InputError: an unknown word or name, a number that is none, or settings that a stage refuses.
    """
    own: dict[str, str] = {}
    numbers: dict[str, float] = {}
    rest: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key in OWN:
            if key in own:
                raise InputError(f"{key}: given twice")
            own[key] = value
        elif equals and key.startswith(MEASURED):
            numbers[key.removeprefix(MEASURED)] = _number(key, value)
        else:
            rest.append(word)
    for key in ("base", "questions"):
        if key not in own:
            raise InputError(f"{key}: missing; expected whetstone plan base=llama-3.1-8b questions=10000")
    arguments = parse_arguments(own.get("pipeline", "self_training"), rest)
    found = read_measured(Path(own["run"])) if own.get("run") else {}
    known = found | numbers
    measured = Measured().with_values(known)
    if not known.keys() & {"trace_bytes", "pair_bytes"}:
        measured = measured.resized(Measured())
    counted = _counted(own, arguments, measured)
    return replace(
        counted,
        measured_in=own.get("run", ""),
        of_run=tuple(sorted(found.keys() - numbers.keys())),
        told=tuple(numbers),
    )


def _counted(own: Mapping[str, str], arguments: Arguments, measured: Measured) -> Request:
    """The request with questions split as ingest would, one kind of question taken."""
    ingest = IngestSettings.parse(str(arguments.parameters.get("ingest" + SETTINGS, "{}")))
    given = _number("questions", own["questions"])
    with_golds = arguments.pipeline in _WITH_GOLDS
    brought = _number("trajectories", own["trajectories"]) if "trajectories" in own else given * with_golds
    practised = given if "trajectories" in own or not with_golds else 0.0
    apart = 0.0 if "held_out" in own else ingest.held_out_share
    held_out = _number("held_out", own["held_out"]) if "held_out" in own else apart * (practised + brought)
    left = (1 - apart) * (1 - (ingest.validation_share if arguments.rounds else 0.0))
    validation = (1 - apart) * (practised + brought) - left * (practised + brought)
    searched = left * brought * ingest.search_share
    most, most_held_out = ingest.max_train, ingest.max_held_out
    return Request(
        pipeline=arguments.pipeline,
        shape=shape_of(own["base"]),
        device=accelerator(own.get("accelerator", "h100")),
        measured=measured,
        arguments=arguments,
        questions=_at_most(left * practised, most),
        trajectories=_at_most(left * brought - searched, most),
        held_out=_at_most(held_out, most_held_out),
        validation=_at_most(validation, most_held_out),
        searched=searched,
        accelerators=_accelerators(own.get("accelerators", "")),
    )


def _at_most(value: float, most: int | None) -> float:
    return value if most is None else min(value, most)


def _accelerators(text: str) -> int | None:
    if text and not (text.isdecimal() and 0 < int(text) <= 1_000_000):
        raise InputError(f"accelerators: expected a whole number above 0, got {text!r}")
    return int(text) if text else None


def _number(key: str, text: str) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        raise InputError(f"{key}: expected a number, got {text!r}") from None
    if not 0 <= value < 1e15:
        raise InputError(f"{key}: expected a number from 0 to 1e15, got {text!r}")
    return value
