"""The ablation's table: every row's evaluation against the reference row's."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.ablation.measures import Known, compare_rows
from components.ablation.report import render_report
from components.ablation.rows import (
    check_comparable,
    in_order,
    read_items,
    read_rows,
    suites_of_some,
    title_of,
)
from components.ablation.settings import AblationSettings
from components.ablation.table import markdown_table, scalar_metrics, summary_of
from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.contracts.manifests import Manifest
from components.contracts.pages import write_page
from components.contracts.progress import Progress
from components.scoring.tool_help import known_without_tools
from components.storage import open_input, write_output


def run(
    evaluations: Sequence[Any],
    more_evaluations: Sequence[Any],
    adapters: Sequence[Any],
    more_adapters: Sequence[Any],
    settings: str,
    artifact_store: str,
    comparison: Any,
    metrics: Any,
    report: Any,
    table: Any,
    base: Any = None,
    without_tools: Any = None,
    overrides: str = "{}",
) -> None:
    """Gather evaluations into one table and write `ablation/1`.

    evaluations, more_evaluations: artifacts evaluation/1; the rows are told apart by their titles, never by
    their place in a list. adapters, more_adapters: artifacts adapter/1, of which only the manifests are read.
    comparison, metrics, report, table: KFP artifacts. base: artifact evaluation/1 of the base model, a row of
    its own above the others. without_tools: artifact evaluation/1 of the base model without tools.
    overrides: JSON object over `settings`.

    Raises:
        InputError: settings or artifacts can't be used; a row is missing, comes twice or has another
            name; evaluations were made under different conditions or of an adapter that is not given.
    """
    options = AblationSettings.parse(settings, overrides)
    progress = Progress("ablation", 3)
    given = [
        open_input(one.path, "evaluation/1", artifact_store) for one in (*evaluations, *more_evaluations)
    ]
    shown = in_order(given, options.rows)
    reference = shown[options.rows.index(options.reference)]
    if base is not None:
        shown.insert(0, open_base(base, options, artifact_store))
    free = tuple(f"settings.{name}" for name in options.may_differ)
    check_comparable([reference, *shown], free)
    progress.advance()
    unaided = None
    if without_tools is not None:
        unaided = open_input(without_tools.path, "evaluation/1", artifact_store)
        check_comparable([reference, unaided], (*free, "settings.variant", "without_tools"))
    apart = suites_of_some([*shown, unaided] if unaided else shown)
    if apart:
        print(f"[ablation] not every row was asked {', '.join(apart)}: the table is without", flush=True)
    items = read_items(reference, apart)
    rows = read_rows(shown, items, read_manifests([*adapters, *more_adapters]), apart=apart)
    known: Known | None = None
    if unaided is not None:
        known = known_without_tools(read_items(unaided, apart))
    elif options.without_tools:
        row = next(row for row in rows if row.title == options.without_tools)
        known = known_without_tools(row.items)
    groups = compare_rows(rows, options, known)
    progress.advance()
    page = render_report(rows, groups, options, apart)
    with write_output(comparison.path, "ablation/1", artifact_store) as writer:
        writer.lineage.update({f"evaluation {title_of(one)}": one.digest for one in shown})
        writer.counts.update(rows=len(rows), questions=len(items))
        writer.details["settings"] = options.model_dump(mode="json")
        summary = summary_of(rows, groups, options) | {"suites_left_out": [*apart]}
        text = json.dumps(summary, indent=2, allow_nan=False)
        (writer.folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        (writer.folder / "report.html").write_text(page, encoding="utf-8")
    write_page(report.path, page)
    write_page(table.path, markdown_table(rows, groups, options))
    for name, value in scalar_metrics(rows, groups, options).items():
        metrics.log_metric(name, value)
    progress.advance()


def open_base(base: Any, options: AblationSettings, artifact_store: str) -> Artifact:
    """The base model's evaluation.

    Raises:
        InputError: it is called like a row.
    """
    opened = open_input(base.path, "evaluation/1", artifact_store)
    if title_of(opened) in options.rows:
        raise InputError(f"base: it is called {title_of(opened)!r} like a row, expected a title of its own")
    return opened


def read_manifests(adapters: Sequence[Any]) -> Mapping[str, Manifest]:
    """The manifests of artifacts adapter/1 by digest; their weights stay where they are.

    Raises:
        InputError: one is no artifact adapter/1.
    """
    opened = [open_artifact(adapter.path, "adapter/1", verify=False) for adapter in adapters]
    return {one.digest: one.manifest for one in opened}
