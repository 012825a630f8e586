"""Several line plots as one figure: panels below each other that share the x axis, marks drawn across all."""

from collections.abc import Sequence

from components.contracts.curves import Plot, as_svg, draw_plot

AXIS = 30  # room for the shared axis' numbers and label


def render_panels(
    title: str,
    panels: Sequence[Plot],
    *,
    x_label: str,
    across: tuple[float, float],
    width: int = 380,
    height: int = 150,
) -> str:
    """One `<svg>` with a panel of `height` for each plot; style it with `curves.CURVE_STYLE`.

    title: said, not shown. across: where the x axis begins and ends at least. A line goes through all panels
    wherever one of them has a mark, whose sign stands in its own.

    Raises:
        ValueError: as `curves.render_curve`; no panel at all.
    """
    if not panels:
        raise ValueError(f"{title}: no panel, expected at least one")
    reached = [*across, *(x for panel in panels for one in panel.series for x, _ in one.points)]
    parts, spoken, top = [], [], 0
    for panel in panels:
        last = panel is panels[-1]
        own = height + AXIS * last
        drawn = draw_plot(panel, width, own, across=reached, x_label=x_label, x_axis=last)
        parts.append(f'<g transform="translate(0 {top})">{drawn.markup}</g>')
        spoken.append(drawn.spoken)
        top += own
        frame, bottom = drawn.frame, top - own + drawn.frame.bottom
    marked = sorted({x for panel in panels for one in panel.series for x in one.marks})
    lines = "".join(f'<path class="across" d="M{frame.x(x)} 26V{bottom:g}"/>' for x in marked)
    return as_svg(lines + "".join(parts), f"{title}. {'. '.join(spoken)}", width, top)
