"""The page that a training stage shows: plots, figures and settings, without scripts or outside references."""

import html
from collections.abc import Mapping, Sequence

from components.contracts.curves import CURVE_STYLE

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 46rem }}
table {{ border-collapse: collapse }} td, th {{ padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top }}
th {{ font-weight: 600 }}{style}
</style></head><body><h1>{title}</h1>
{lead}{plots}
<h2>Figures</h2>
{figures}
<h2>Settings</h2>
{settings}
</body></html>
"""


def render_training_page(
    title: str,
    figures: Mapping[str, object],
    settings: Mapping[str, object],
    plots: Sequence[str] = (),
    *,
    lead: str = "",
) -> str:
    """The whole page. plots: from `contracts.curves`. lead: a sentence under the title."""
    return _PAGE.format(
        title=html.escape(title),
        style=CURVE_STYLE,
        lead=f"<p>{html.escape(lead)}</p>\n" if lead else "",
        plots="\n".join(plots),
        figures=table_of(figures),
        settings=table_of(settings),
    )


def table_of(rows: Mapping[str, object]) -> str:
    """Two columns: names and values."""
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>"
