"""Adding a stage to a pipeline: what every stage of a run gets is handed in by name, what a DAG is about by its author."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kfp import dsl
from kfp.dsl import PipelineTask

from components.error_labeling.component import error_labeling
from components.ingest.component import ingest
from components.preflight.component import preflight
from components.run_report.component import run_report
from components.trace_generation.component import trace_generation
from pipelines.resources import Placement, equip, read_resources


@dataclass(frozen=True)
class Run:
    """The parameters of a run by name: KFP's channels, whose values are known only when it is submitted."""

    given: Mapping[str, Any]

    def add(self, component: Any, name: str, **inputs: Any) -> PipelineTask:
        """Add a stage's task, equipped.

        Inputs that are called like a parameter of the run get it, unless they are given here; `settings`
        are the stage's own. An input given as None is left out.
        """
        stage = component.component_spec.name.replace("-", "_")
        task = component(**self._shared(component, stage) | _there(inputs))
        return equip(
            task,
            name,
            read_resources()[stage],
            Placement(**{field.name: self.given[field.name] for field in fields(Placement)}),
            stage=stage,
            image=self.given[f"{stage}_image"],
            accelerators=self.given.get(f"{stage}_accelerators"),
            with_secrets=component is not run_report,
        )

    def prepare(self, *, validation: bool = False) -> PipelineTask:
        """Add preflight and ingest; gives the latter. validation: set questions for choosing aside."""
        checked = self.add(preflight, "Preflight", publish_to=self.given.get("publish_to", ""))
        checked.set_caching_options(False)  # endpoints and secrets change without any parameter changing
        return self.add(ingest, "Ingest", validation=validation or None).after(checked)

    def practise(self, ingested: PipelineTask) -> Any:
        """Add trace generation by the base model, a task for every shard of the training questions; gives their traces.

        In a pipeline that searches, another preflight says before it whether ingest left anything to search.
        """
        checked = []
        if "mcts_settings" in self.given:
            asked = {"question_set": ingested.outputs["question_set"], "publish_to": ""}
            checked.append(self.add(preflight, "Preflight of the search", **asked))
        with dsl.ParallelFor(ingested.outputs["Output"], name="shards") as shard:
            generated = self.add(
                trace_generation,
                "Trace generation",
                question_set=ingested.outputs["question_set"],
                shard=shard,
            ).after(*checked)
        return dsl.Collected(generated.outputs["traces"])

    def label(
        self, ingested: PipelineTask, traces: Any, *, name: str = "Error labeling", overrides: Any = None
    ) -> Any:
        """Add error labeling of traces and of the trajectories that users brought; gives what can be trained on."""
        return self.add(
            error_labeling,
            name,
            traces=traces,
            trajectories=ingested.outputs["trajectories"],
            question_set=ingested.outputs["question_set"],
            overrides=overrides,
        ).outputs["labeled"]

    def practise_inside(self, practice: Any, ingested: PipelineTask, **inputs: Any) -> Any:
        """The same by a pipeline of its own, made by `pipelines.practice`, which says what for."""
        stage = "trace_generation"
        given = {
            "question_set": ingested.outputs["question_set"],
            "shards": ingested.outputs["Output"],
            "image": self.given[f"{stage}_image"],
            "accelerators": self.given[f"{stage}_accelerators"],
            "method": self.given.get("method", ""),
        }
        return practice(**self._shared(practice, stage) | given | _there(inputs)).output

    def report(self, pipeline: str) -> PipelineTask:
        """Add the report on how the run ended; gives the task for `dsl.ExitHandler`. pipeline: its name for people."""
        task = self.add(run_report, "Run report", pipeline=pipeline)
        task.set_caching_options(False)  # the same parameters may end otherwise
        return task

    def _shared(self, component: Any, stage: str) -> dict[str, Any]:
        known = component.component_spec.inputs
        shared = {name: channel for name, channel in self.given.items() if name in known}
        return shared | ({"settings": self.given[f"{stage}_settings"]} if "settings" in known else {})


def _there(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if value is not None}
