"""The page: how the run ended, what to do next, what it was given. All texts are escaped, credentials left out."""

import shlex
from collections.abc import Mapping

import jinja2

from components.contracts.report_page import layout
from components.run_report.outcome import Outcome
from components.run_report.secrets import without_secrets

TONES = {"succeeded": "good", "failed": "bad", "canceled": "neutral", "unknown": "neutral"}


def render_report(outcome: Outcome, pipeline: str, given: Mapping[str, str]) -> str:
    """The page as text. given: the run's parameters by name; empty ones are not shown."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("components.run_report"), jinja2.PackageLoader(layout.PACKAGE)]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        page=layout.make_page(),
        pipeline=pipeline,
        headline=_headline(outcome, pipeline),
        tone=TONES[outcome.state],
        outcome=outcome,
        message=without_secrets(outcome.message),
        find_the_pods=_find_the_pods(outcome.workflow),
        checkpoints=without_secrets(given.get("checkpoint_root", "")),
        given={name: without_secrets(value) for name, value in given.items() if value},
    )


def _headline(outcome: Outcome, pipeline: str) -> str:
    if outcome.state == "succeeded":
        return f"{pipeline}: the run succeeded"
    if outcome.state == "failed":
        return f"{pipeline}: the run failed" + (f" in {outcome.task}" if outcome.task else "")
    if outcome.state == "canceled":
        return f"{pipeline}: the run was canceled"
    return f"{pipeline}: the run is over, how it ended is not known"


def _find_the_pods(workflow: str) -> str:
    """The command that lists the stages' failed pods of a run on a cluster; empty for a run here."""
    if not workflow:
        return ""
    labels = f"workflows.argoproj.io/workflow={workflow},app.kubernetes.io/part-of=whetstone"
    return (
        f"kubectl get pods --selector {shlex.quote(labels)} --field-selector status.phase=Failed "
        "--label-columns app.kubernetes.io/name"
    )
