"""The stage's report: one HTML page with its curves, without scripts or outside references."""

import html
from collections.abc import Mapping, Sequence

from components.ppo.rewards import CATEGORIES

WIDTH, HEIGHT, MARGIN = 720, 200, 44
CURVES = {  # fields of a log row
    "reward": "Mean reward a response",
    "kl": "Divergence from the reference, nats a response",
    "clipped": "Share of tokens with a clipped ratio",
    "loss": "Policy loss",
    "value_loss": "Value loss",
    "explained_variance": "Explained variance of the returns",
}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>PPO</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem; color: #1c2430 }}
table {{ border-collapse: collapse }} td, th {{ padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top }}
th {{ font-weight: 600 }} svg {{ width: 100%; height: auto }} h3 {{ margin: 1.2rem 0 0 }}
</style></head><body><h1>PPO on a reward for tool-call errors</h1>
<h2>What the responses were, in the first and the last quarter of the steps</h2>
{categories}
<h2>A step at a time</h2>
{curves}
<h2>Assistant turns that could not serve as prompts</h2>
{quarantine}
<h2>Figures</h2>
{figures}
<h2>Settings</h2>
{settings}
</body></html>
"""


def render_report(
    series: Mapping[str, Sequence[float]],
    shares: tuple[Mapping[str, float], Mapping[str, float]],
    quarantine: Mapping[str, Sequence[str]],
    figures: Mapping[str, object],
    settings: Mapping[str, object],
) -> str:
    """The whole page. series: a field of `CURVES` -> one value a step. shares: of each category of
    responses, at the beginning and at the end. quarantine: reason -> count and examples."""
    curves = "".join(f"<h3>{CURVES[name]}</h3>{curve(values, name)}" for name, values in series.items())
    return _PAGE.format(
        categories=_categories(*shares),
        curves=curves,
        quarantine=_table({reason: "; ".join(lines) for reason, lines in quarantine.items()}) or "None.",
        figures=_table(figures),
        settings=_table(settings),
    )


def curve(values: Sequence[float], name: str) -> str:
    """An SVG line of `values`, zero included in its range; empty input gives an empty plot."""
    top, floor = max([0.0, *values]), min([0.0, *values])
    span = top - floor or 1.0
    across = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)

    def height(value: float) -> float:
        return MARGIN + (HEIGHT - 2 * MARGIN) * (floor + span - value) / span

    points = " ".join(
        f"{MARGIN + step * across:.1f},{height(value):.1f}" for step, value in enumerate(values)
    )
    bottom = HEIGHT - MARGIN
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(name)}">'
        f'<path d="M{MARGIN} {MARGIN}V{bottom}M{MARGIN} {height(0.0):.1f}H{WIDTH - MARGIN}" fill="none" stroke="#8a94a3"/>'
        f'<polyline points="{points}" fill="none" stroke="#2563eb" stroke-width="2"/>'
        f'<g font-size="12" fill="#4b5563"><text x="4" y="{MARGIN + 4}">{floor + span:.3g}</text>'
        f'<text x="4" y="{bottom + 4}">{floor:.3g}</text><text x="{MARGIN}" y="{bottom + 18}">1</text>'
        f'<text x="{WIDTH - MARGIN}" y="{bottom + 18}" text-anchor="end">{len(values)}</text></g></svg>'
    )


def _categories(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    rows = "".join(
        f"<tr><th>{name}</th><td>{before.get(name, 0.0):.1%}</td><td>{after.get(name, 0.0):.1%}</td></tr>"
        for name in CATEGORIES
        if name in before or name in after
    )
    return f"<table><tr><th></th><th>first</th><th>last</th></tr>{rows}</table>"


def _table(rows: Mapping[str, object]) -> str:
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>" if cells else ""
