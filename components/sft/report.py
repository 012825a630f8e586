"""The stage's report: one HTML page with the loss curve, without scripts or outside references."""

import html
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, MARGIN = 720, 260, 44

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Supervised fine-tuning</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem; color: #1c2430 }}
table {{ border-collapse: collapse }} td, th {{ padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top }}
th {{ font-weight: 600 }} svg {{ width: 100%; height: auto }}
</style></head><body><h1>Supervised fine-tuning</h1>
<h2>Loss a step, in nats a supervised token</h2>
{curve}
<h2>Figures</h2>
{figures}
<h2>Settings</h2>
{settings}
</body></html>
"""


def render_report(
    losses: Sequence[float], figures: Mapping[str, object], settings: Mapping[str, object]
) -> str:
    """The whole page. losses: one a step, in order; figures and settings become tables."""
    return _PAGE.format(curve=loss_curve(losses), figures=_table(figures), settings=_table(settings))


def loss_curve(losses: Sequence[float]) -> str:
    """An SVG line of `losses` from zero upwards; empty input gives an empty plot."""
    top = max(losses, default=1.0) or 1.0
    across = (WIDTH - 2 * MARGIN) / max(1, len(losses) - 1)
    down = (HEIGHT - 2 * MARGIN) / top
    points = " ".join(
        f"{MARGIN + step * across:.1f},{HEIGHT - MARGIN - loss * down:.1f}"
        for step, loss in enumerate(losses)
    )
    floor = HEIGHT - MARGIN
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="loss curve">'
        f'<path d="M{MARGIN} {MARGIN}V{floor}H{WIDTH - MARGIN}" fill="none" stroke="#8a94a3"/>'
        f'<polyline points="{points}" fill="none" stroke="#2563eb" stroke-width="2"/>'
        f'<g font-size="12" fill="#4b5563"><text x="4" y="{MARGIN + 4}">{top:.3g}</text>'
        f'<text x="4" y="{floor + 4}">0</text><text x="{MARGIN}" y="{floor + 18}">1</text>'
        f'<text x="{WIDTH - MARGIN}" y="{floor + 18}" text-anchor="end">{len(losses)}</text></g></svg>'
    )


def _table(rows: Mapping[str, object]) -> str:
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>"
