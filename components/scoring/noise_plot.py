"""RoTBench's accuracy over the levels of noise, drawn."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from components.contracts.curves import Series, render_curve
from components.scoring.rotbench import LEVELS


def draw_noise(policies: Mapping[str, Sequence[Mapping[str, JsonValue]]]) -> str:
    """An `<svg>` with a line for each policy, by its name; its rows have `level` and `accuracy`."""
    series = [
        Series(name, [(float(LEVELS.index(str(row["level"]))), float(str(row["accuracy"]))) for row in rows])
        for name, rows in policies.items()
    ]
    return render_curve(
        "Accuracy by level of noise",
        series,
        x_label="noise in the tools",
        percent=True,
        most=1.0,
        across=(-0.3, len(LEVELS) - 0.7),
        x_names=LEVELS,
    )
