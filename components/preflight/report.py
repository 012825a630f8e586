"""The Markdown report of preflight: one row a check."""

from collections.abc import Sequence

from components.preflight.checks import Row

SIGNS = {"ok": "ok", "failed": "**failed**", "skipped": "skipped"}


def render_report(rows: Sequence[Row]) -> str:
    """The report as Markdown."""
    failed = sum(row.state == "failed" for row in rows)
    verdict = (
        f"{failed} of {len(rows)} checks failed."
        if failed
        else f"Nothing stands in the way ({len(rows)} checks)."
    )
    lines = ["| check | of | result | found |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {row.name} | {_cell(row.subject)} | {SIGNS[row.state]} | {_cell(row.detail)} |" for row in rows
    ]
    return "\n".join(["# Preflight", "", verdict, "", *lines, ""])


def _cell(text: str) -> str:
    flat = " ".join(text.split())
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|")):
        flat = flat.replace(sign, escaped)
    return flat
