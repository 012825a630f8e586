"""Run report: what became of the run, on one page."""

from typing import Any

from components.contracts.pages import write_page
from components.run_report.outcome import read_outcome
from components.run_report.report import render_report


def run(
    status: Any,
    pipeline: str,
    questions: str,
    base_model: str,
    tools_url: str,
    artifact_store: str,
    checkpoint_root: str,
    report: Any,
    method: str,
    kind: str,
    publish_to: str,
) -> None:
    """Write the page. status: KFP's PipelineTaskFinalStatus or its JSON. report: KFP artifact.

    Raises:
        InputError: the status can't be read, or the page can't be written.
    """
    outcome = read_outcome(status)
    given = {
        "questions": questions,
        "base_model": base_model,
        "method": method,
        "kind": kind,
        "tools_url": tools_url,
        "artifact_store": artifact_store,
        "checkpoint_root": checkpoint_root,
        "publish_to": publish_to,
    }
    write_page(report.path, render_report(outcome, pipeline, given))
    print(f"[run_report] {outcome.state} ({outcome.said or 'no state'})", flush=True)
