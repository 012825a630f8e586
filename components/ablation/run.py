"""The ablation's table: every arm's evaluations against the one without any component."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from components.ablation.measures import compare_rows
from components.ablation.report import render_report
from components.ablation.rows import check_comparable, in_order, read_items, read_rows, title_of
from components.ablation.settings import AblationSettings
from components.ablation.table import markdown_table, scalar_metrics, summary_of
from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.manifests import Manifest
from components.contracts.pages import write_page
from components.contracts.progress import Progress
from components.storage import open_input, write_output


def run(
    base: Any,
    without_ppo: Sequence[Any],
    with_ppo: Sequence[Any],
    sft_adapters: Sequence[Any],
    ppo_adapters: Sequence[Any],
    settings: str,
    artifact_store: str,
    comparison: Any,
    metrics: Any,
    report: Any,
    table: Any,
) -> None:
    """Gather evaluations into one table and write `ablation/1`.

    base, without_ppo, with_ppo: artifacts evaluation/1; the rows are told apart by their titles, never
    by their place in a list. sft_adapters, ppo_adapters: artifacts adapter/1, of which only the manifests
    are read. comparison, metrics, report, table: KFP artifacts.

    Raises:
        InputError: settings or artifacts can't be used; a row is missing, comes twice or has another
            name; evaluations were made under different conditions or of an adapter that is not given.
    """
    options = AblationSettings.parse(settings)
    progress = Progress("ablation", 3)
    zero = open_input(base.path, "evaluation/1", artifact_store)
    opened = [open_input(one.path, "evaluation/1", artifact_store) for one in (*without_ppo, *with_ppo)]
    evaluations = [zero, *in_order(opened, options.rows)]
    if title_of(zero) in options.rows:
        raise InputError(f"base: it is called {title_of(zero)!r} like a row, expected a title of its own")
    check_comparable(evaluations)
    progress.advance()
    adapters = read_manifests([*sft_adapters, *ppo_adapters])
    items = read_items(evaluations[1 + options.rows.index(options.reference)])
    rows = read_rows(evaluations, items, adapters)
    reference = next(row for row in rows if row.title == options.reference)
    groups = compare_rows(rows, reference, options)
    progress.advance()
    page = render_report(rows, groups, options)
    with write_output(comparison.path, "ablation/1", artifact_store) as writer:
        writer.lineage.update({f"evaluation {title_of(one)}": one.digest for one in evaluations})
        writer.counts.update(rows=len(rows), questions=len(items))
        writer.details["settings"] = options.model_dump(mode="json")
        text = json.dumps(summary_of(rows, groups, options), indent=2, allow_nan=False)
        (writer.folder / "summary.json").write_text(text + "\n", encoding="utf-8")
        (writer.folder / "report.html").write_text(page, encoding="utf-8")
    write_page(report.path, page)
    write_page(table.path, markdown_table(rows, groups, options))
    for name, value in scalar_metrics(rows, groups).items():
        metrics.log_metric(name, value)
    progress.advance()


def read_manifests(adapters: Sequence[Any]) -> Mapping[str, Manifest]:
    """The manifests of artifacts adapter/1 by digest; their weights stay where they are.

    Raises:
        InputError: one is no artifact adapter/1.
    """
    opened = [open_artifact(adapter.path, "adapter/1", verify=False) for adapter in adapters]
    return {one.digest: one.manifest for one in opened}
