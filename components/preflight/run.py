"""Preflight: look at everything a run needs before anything costs money."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from components.contracts.errors import InputError
from components.contracts.settings import StageSettings
from components.preflight.agreement import agreement_checks
from components.preflight.checks import Check, Row, run_checks
from components.preflight.choices import look_at_choices
from components.preflight.machine import gpu_wishes, look_at_disk, look_at_gpu, look_at_secret
from components.preflight.model import look_at_model
from components.preflight.questions import look_at_questions
from components.preflight.report import render_report
from components.preflight.searched import look_at_pool
from components.preflight.services import look_at_engine, look_at_tools
from components.preflight.settings import PreflightSettings
from components.preflight.stage_settings import parsed_settings, settings_checks, settings_of_stages
from components.preflight.stores import look_at_credentials, look_at_store

POOL_DEADLINE = 600.0  # seconds: a question set may have to be downloaded


def run(
    questions: str,
    base_model: str,
    tools_url: str,
    artifact_store: str,
    checkpoint_root: str,
    publish_to: str,
    settings: str,
    stage_settings: str,
    report: Any,
    method: str = "",
    kind: str = "",
    question_set: Any = None,
) -> None:
    """Make all checks at once and write the report, also when some fail.

    stage_settings: JSON object from stage to its settings string. report: KFP artifact. method, kind: the
    run's ways of training and its kind of preference pairs; empty where it has none to choose. question_set:
    artifact questions/1 of a run that searches; then that is all that is looked at.

    Raises:
        InputError: the first check that failed, in one line; the report holds them all.
    """
    wanted = PreflightSettings.parse(settings)
    stages = settings_of_stages(stage_settings)
    parsed = parsed_settings(stages)
    if question_set is not None:
        search: Any = parsed.get("mcts")
        look = partial(look_at_pool, question_set.path, artifact_store, search, method)
        _report(run_checks([Check("questions", "what is searched", look)], POOL_DEADLINE), report)
        return
    stores = {"artifact_store": artifact_store, "checkpoint_root": checkpoint_root, "publish_to": publish_to}
    checks = settings_checks(stages)
    checks.append(Check("settings", "method and kind", partial(look_at_choices, method, kind, tuple(stages))))
    checks += [Check("secret", name, partial(look_at_secret, name)) for name in wanted.secrets]
    sources = _uris(questions, getattr(parsed.get("ingest"), "held_out", ""))
    checks += agreement_checks(parsed, method, _uris(questions))
    if any(uri.startswith("s3://") for uri in (*sources, base_model, *stores.values())):
        checks.append(Check("secret", "object storage", look_at_credentials))
    checks += [Check("questions", uri, partial(look_at_questions, uri)) for uri in sources or [""]]
    checks.append(Check("base_model", base_model, partial(look_at_model, base_model)))
    checks.append(Check("tools_url", tools_url, partial(look_at_tools, tools_url)))
    checks += [Check("engine", url, partial(look_at_engine, url)) for url in _engine_urls(parsed)]
    checks += [Check(name, uri, partial(look_at_store, name, uri)) for name, uri in stores.items()]
    checks.append(Check("gpu", "this machine", partial(look_at_gpu, gpu_wishes(parsed))))
    folder = Path(gettempdir())
    checks.append(Check("disk", str(folder), partial(look_at_disk, folder, wanted.min_free_gb)))
    _report(run_checks([check for check in checks if check.name not in wanted.skip], wanted.deadline), report)


def _report(rows: Sequence[Row], report: Any) -> None:
    """Write the report, show the rows, and raise InputError for the first that failed."""
    Path(report.path).parent.mkdir(parents=True, exist_ok=True)
    Path(report.path).write_text(render_report(rows), encoding="utf-8")
    for row in rows:
        print(f"[preflight] {row.state:7} {row.name} {row.subject}: {row.detail}", flush=True)
    failed = [row for row in rows if row.state == "failed"]
    if failed:
        more = f" ({len(failed) - 1} more checks failed, see the report)" if len(failed) > 1 else ""
        raise InputError(" ".join(failed[0].detail.split()) + more)


def _uris(*lists: str) -> list[str]:
    return [uri.strip() for text in lists for uri in text.split(",") if uri.strip()]


def _engine_urls(parsed: Mapping[str, StageSettings]) -> list[str]:
    engines = [getattr(settings, "engine", None) for settings in parsed.values()]
    found = [engine.url for engine in engines if engine is not None and engine.kind == "openai"]
    return list(dict.fromkeys(found))
