"""The report for people: a small self-contained HTML page. All texts are escaped."""

from collections import Counter
from collections.abc import Sequence

from jinja2 import Environment

from components.contracts.records import AssistantTurn, Message, PreferencePair
from components.preferences.summary import Summary

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Preference pairs</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
section { border-top: 1px solid #ddd; padding: .5rem 0 1rem; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
h3 { margin: .2rem 0; font-size: 1rem; } .small { color: #555; font-size: .85rem; }
.chosen h4 { color: #1a6e3c; } .rejected h4 { color: #a12622; } h4 { margin: .3rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; padding: .4rem .6rem; background: #f5f5f5;
  border-left: 3px solid #999; font: 13px/1.4 ui-monospace, monospace; }
pre.tool { border-left-color: #efb118; } pre.assistant { border-left-color: #4269d0; }
</style></head><body>
<h1>Preference pairs</h1>
{% if not counts.traces %}
<p>Off: this run does not train on pairs, so none was made.</p>
{% else %}
<p>{{ counts.pairs }} pairs of kind <code>{{ summary.kind }}</code> from {{ counts.questions_with_pairs }} of
{{ counts.questions }} questions and {{ counts.traces_used }} of {{ counts.traces }} traces: in {{ counts.pairs_with_tool }}
the right answer used a tool, in {{ counts.pairs_without_tool }} it used none. Assistant tokens a pair:
{{ "%.1f" | format(metrics.chosen_tokens) }} chosen, {{ "%.1f" | format(metrics.rejected_tokens) }} rejected.</p>
{% for title, column, rows in tables if rows %}
<h2>{{ title }}</h2>
<table><tr><th>reason</th><th>{{ column }}</th></tr>
{% for reason, count in rows %}<tr><td>{{ reason }}</td><td>{{ count }}</td></tr>
{% endfor %}</table>
{% endfor %}
<h2>{{ pairs | length }} of the pairs</h2>
<p>Blue: what the model said. Yellow: what a tool replied.</p>
{% for pair, question, chosen, rejected in pairs %}
<section><h3>{{ question }}</h3><p class="small">{{ pair.source }}</p>
<div class="sides">
{% for name, (messages, tokens) in [("chosen", chosen), ("rejected", rejected)] %}
<div class="{{ name }}"><h4>{{ name }} <span class="small">{{ tokens }} tokens</span></h4>
{% for message in messages %}<pre class="{{ message.role }}">{{ message.content }}</pre>
{% endfor %}</div>
{% endfor %}
</div></section>
{% endfor %}
{% endif %}
</body></html>
"""


def render_report(summary: Summary) -> str:
    """The page: counts by reason of what was left out, and a handful of pairs side by side."""
    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    return page.render(
        summary=summary,
        counts=summary.counts(),
        metrics=summary.metrics(),
        tables=[
            ("Questions without a pair", "questions", _rows(summary.plan.questions)),
            ("Traces not used", "traces", _rows(summary.plan.traces)),
            ("Pairs dropped", "pairs", _rows(summary.plan.dropped)),
        ],
        pairs=[_shown(pair) for pair in summary.shown],
    )


def _rows(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, equal ones by name."""
    return sorted(counts.items(), key=lambda row: (-row[1], row[0]))


Side = tuple[Sequence[Message], int]


def _shown(pair: PreferencePair) -> tuple[PreferencePair, str, Side, Side]:
    asked = [message.content for message in pair.prompt if message.role == "user"]
    return (
        pair,
        asked[-1] if asked else pair.question_id,
        (pair.chosen, _tokens(pair.chosen_turns)),
        (pair.rejected, _tokens(pair.rejected_turns)),
    )


def _tokens(turns: Sequence[AssistantTurn]) -> int:
    return sum(len(turn.token_ids) for turn in turns)
