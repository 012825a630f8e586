"""The stage's report: what the responses were, and a curve for each figure of a step."""

from collections.abc import Mapping, Sequence

from components.contracts.curves import over_steps, render_curve
from components.policy.training_report import render_training_page, table_of
from components.ppo.rewards import CATEGORIES

TITLE = "PPO on a reward for tool-call errors"
CURVES = {  # fields of a log row
    "reward": "Mean reward a response",
    "kl": "Divergence from the reference, nats a response",
    "clipped": "Share of tokens with a clipped ratio",
    "loss": "Policy loss",
    "value_loss": "Value loss",
    "explained_variance": "Explained variance of the returns",
}

_GRID = "display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr))"


def render_report(
    series: Mapping[str, Sequence[float]],
    shares: tuple[Mapping[str, float], Mapping[str, float]],
    quarantine: Mapping[str, Sequence[str]],
    figures: Mapping[str, object],
    settings: Mapping[str, object],
) -> str:
    """The whole page. series: a field of `CURVES` -> one value a step. shares: of each category of
    responses, at the beginning and at the end. quarantine: reason -> count and examples."""
    curves = "".join(
        render_curve(CURVES[name], [over_steps("", values)], x_label="step")
        for name, values in series.items()
    )
    left_out = table_of({reason: "; ".join(lines) for reason, lines in quarantine.items()})
    return render_training_page(
        TITLE,
        figures,
        settings,
        [
            "<h2>What the responses were, in the first and the last quarter of the steps</h2>",
            _categories(*shares),
            "<h2>A step at a time</h2>",
            f'<div style="{_GRID}">{curves}</div>',
            "<h2>Assistant turns that could not serve as prompts</h2>",
            left_out if quarantine else "None.",
        ],
    )


def _categories(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    rows = "".join(
        f"<tr><th>{name}</th><td>{before.get(name, 0.0):.1%}</td><td>{after.get(name, 0.0):.1%}</td></tr>"
        for name in CATEGORIES
        if name in before or name in after
    )
    return f"<table><tr><th></th><th>first</th><th>last</th></tr>{rows}</table>"
