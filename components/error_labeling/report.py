"""The report for people: a small self-contained HTML page. All texts are escaped."""

from dataclasses import dataclass

from jinja2 import Environment

from components.contracts.tool_errors import ToolError
from components.error_labeling.agreement import CATEGORIES
from components.error_labeling.summary import ALL_RIGHT, Summary

_WIDTH = 400  # pixels of a bar of 100 %

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Error labeling</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
svg { display: block; margin: .5rem 0 1.5rem; font-size: 12px; }
.calls { fill: #4269d0; } .traces { fill: #efb118; } text { fill: #222; }
</style></head><body>
<h1>Error labeling</h1>
<p>{{ summary.trained_traces }} of {{ summary.traces }} traces and {{ summary.trained_turns }} of
{{ summary.turns }} turns are trained on.</p>
{% if summary.unread %}
<p><strong>{{ summary.unread }} replies have no code and were not read: with <code>feedback</code> typed they count as
all right.</strong> The preset tl-training reads them.</p>
{% endif %}
<p>{% if summary.compared %}The traces were compared with {{ summary.compared }} questions that are judged by
(contamination.jsonl lists what they share){% else %}No question set was given, so the traces were compared with no
benchmark{% endif %}.</p>
{% if summary.calls %}
<h2>Errors in tool calls</h2>
<p>Blue: share of the {{ summary.calls }} calls. Yellow: share of the {{ summary.traces_with_calls }} trajectories
with a call that have such an error; one may have several.</p>
<svg role="img" aria-label="Errors in tool calls" width="720" height="{{ bars | length * 36 + 4 }}" xmlns="http://www.w3.org/2000/svg">
{% for bar in bars %}
{% set y = loop.index0 * 36 %}
<text x="0" y="{{ y + 19 }}">{{ bar.title }}</text>
<rect class="calls" x="170" y="{{ y + 2 }}" width="{{ bar.calls_width }}" height="13"></rect>
<text x="{{ 176 + bar.calls_width }}" y="{{ y + 13 }}">{{ bar.calls }} ({{ bar.calls_share }})</text>
<rect class="traces" x="170" y="{{ y + 17 }}" width="{{ bar.traces_width }}" height="13"></rect>
<text x="{{ 176 + bar.traces_width }}" y="{{ y + 28 }}">{{ bar.traces }} ({{ bar.traces_share }})</text>
{% endfor %}
</svg>
{% endif %}
{% for title, columns, rows in tables if rows %}
<h2>{{ title }}</h2>
<div class="wide"><table><tr>{% for column in columns %}<th>{{ column | replace("_", " ") }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
{% endfor %}
{% if not summary.agreement.calls %}
<p>No call failed with a code, so the classifier of feedback could not be measured on these traces.</p>
{% endif %}
</body></html>
"""


def render_report(summary: Summary) -> str:
    """The page: error mix, errors by tool, reasons, and what each kind of question gave."""
    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    return page.render(summary=summary, tables=_tables(summary), bars=_bars(summary))


@dataclass(frozen=True)
class Bar:
    """One category of the chart: counts, shares as text, lengths in pixels."""

    title: str
    calls: int
    calls_share: str
    calls_width: float
    traces: int
    traces_share: str
    traces_width: float


def _bars(summary: Summary) -> list[Bar]:
    """The paper's Figure 1 for this set: "all right" and every category."""
    calls = {ALL_RIGHT: summary.calls - summary.errors.total()}
    calls |= {error.value: summary.errors[error] for error in ToolError}
    whole = summary.traces_with_calls
    return [
        Bar(
            title=name.replace("_", " "),
            calls=count,
            calls_share=_share(count, summary.calls),
            calls_width=round(_WIDTH * count / max(summary.calls, 1), 1),
            traces=summary.traces_by_error[name],
            traces_share=_share(summary.traces_by_error[name], whole),
            traces_width=round(_WIDTH * summary.traces_by_error[name] / max(whole, 1), 1),
        )
        for name, count in calls.items()
    ]


def _tables(summary: Summary) -> list[tuple[str, list[str], list[list[str | int]]]]:
    passed = summary.calls - summary.errors.total()
    mix: list[list[str | int]] = [[ALL_RIGHT, passed, _share(passed, summary.calls)]]
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
        (
            "Traces that hold a judged question",
            ["judged", "traces"],
            [list(row) for row in summary.contaminated.items()],
        ),
        ("Turns not trained", ["reason", "turns"], [list(row) for row in summary.turn_reasons.most_common()]),
        *_classifier(summary),
        ("Kinds of question", ["kind", "traces", "correct", "trained", "trained with calls"], kinds),
    ]


def _classifier(summary: Summary) -> list[tuple[str, list[str], list[list[str | int]]]]:
    """The confusion matrix, as a table, when there is one."""
    agreement = summary.agreement
    if not agreement.calls:
        return []
    rows: list[list[str | int]] = [
        [truth, *row] for truth, row in zip(CATEGORIES, agreement.rows(), strict=True) if any(row)
    ]
    shares = ", ".join(f"{name} {share:.3f}" for name, share in agreement.shares().items())
    return [
        (
            f"Feedback classified by its text alone (columns), against the codes (rows): {shares}",
            ["", *CATEGORIES],
            rows,
        )
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
