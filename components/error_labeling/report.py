"""The report for people: a small self-contained HTML page. All texts are escaped."""

from jinja2 import Environment

from components.contracts.tool_errors import ToolError
from components.error_labeling.summary import Summary

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Error labeling</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
</style></head><body>
<h1>Error labeling</h1>
<p>{{ summary.trained_traces }} of {{ summary.traces }} traces and {{ summary.trained_turns }} of
{{ summary.turns }} turns are trained on.</p>
{% for title, columns, rows in tables if rows %}
<h2>{{ title }}</h2>
<table><tr>{% for column in columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endfor %}
</body></html>
"""


def render_report(summary: Summary) -> str:
    """The page: error mix, errors by tool, reasons, and what each kind of question gave."""
    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    return page.render(summary=summary, tables=_tables(summary))


def _tables(summary: Summary) -> list[tuple[str, list[str], list[list[str | int]]]]:
    passed = summary.calls - summary.errors.total()
    mix: list[list[str | int]] = [["no error", passed, _share(passed, summary.calls)]]
    mix += [[str(e.value), summary.errors[e], _share(summary.errors[e], summary.calls)] for e in ToolError]
    outcomes = sorted({name for tool in summary.errors_by_tool.values() for name in tool})
    by_tool: list[list[str | int]] = [
        [tool, *(found[name] for name in outcomes)] for tool, found in sorted(summary.errors_by_tool.items())
    ]
    kinds: list[list[str | int]] = [
        [kind, counts.traces, counts.correct, counts.trained, counts.trained_with_calls]
        for kind, counts in sorted(summary.kinds.items())
    ]
    return [
        ("Calls by outcome", ["outcome", "calls", "share"], mix),
        ("Calls by tool", ["tool", *outcomes], by_tool),
        (
            "Traces not trained",
            ["reason", "traces"],
            [list(row) for row in summary.trace_reasons.most_common()],
        ),
        ("Turns not trained", ["reason", "turns"], [list(row) for row in summary.turn_reasons.most_common()]),
        ("Kinds of question", ["kind", "traces", "correct", "trained", "trained with calls"], kinds),
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
