"""What the report's item browser shows: held-out questions before and after, and training traces."""

from collections.abc import Iterable, Mapping, Sequence

from components.contracts.records import LabeledTrace, Trace
from components.contracts.report_page.browser import Entry, ItemBrowser
from components.contracts.report_page.trace_view import TextTable, view_golds, view_side, view_trace
from components.promotion.comparison import Pair
from components.promotion.settings import PromotionSettings
from components.scoring.shown_golds import shown_golds

HELD_OUT_BYTES = 1_200_000
TRAINING_BYTES = 300_000
CHANGES = ("fixed", "broken", "still wrong", "still right")
STATES = ("trained", "partly masked", "not trained")


def change_of(pair: Pair) -> str:
    """One of CHANGES."""
    before, after = pair
    if before.correct:
        return "still right" if after.correct else "broken"
    return "fixed" if after.correct else "still wrong"


def state_of(trace: LabeledTrace) -> str:
    """One of STATES: whether all, some or none of a trace's turns are trained."""
    trained = sum(label.trained for label in trace.labels)
    if not trained:
        return "not trained"
    return "trained" if trained == len(trace.labels) else "partly masked"


def build_viewer(
    pairs: Sequence[Pair],
    traces_before: Mapping[str, Trace],
    traces_after: Mapping[str, Trace],
    labeled: Iterable[LabeledTrace],
    settings: PromotionSettings,
) -> ItemBrowser:
    """Choose and pack; each (suite, kind, change) and each kind of label gets its turn before any gets more."""
    browser = ItemBrowser()

    def view_pair(pair: Pair, texts: TextTable) -> Entry:
        before, after = pair
        sides = [
            view_side(item, traces[item.id], texts)
            for item, traces in ((before, traces_before), (after, traces_after))
        ]
        return {
            "id": before.id,
            "suite": before.suite,
            "kind": before.kind,
            "outcome": change_of(pair),
            "fault": sides[1]["fault"] or sides[0]["fault"],
            "question": texts.add(before.question),
            **view_golds(shown_golds(before, traces_before[before.id].question), texts),
            "sides": [*sides],
        }

    groups: dict[tuple[str, str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair[0].suite, pair[0].kind, change_of(pair)), []).append(pair)
    browser.add(
        "Evaluated questions",
        groups.values(),
        view_pair,
        sides=("Before", "After"),
        outcomes=CHANGES,
        total=len(pairs),
        most=settings.report_items,
        room=HELD_OUT_BYTES,
    )
    _add_training(browser, labeled, settings.report_training_traces)
    return browser


def _add_training(browser: ItemBrowser, labeled: Iterable[LabeledTrace], most: int) -> None:
    """The training traces' tab. Only `most` of each group are ever held in memory."""
    groups: dict[tuple[str, str], list[LabeledTrace]] = {}
    total = 0
    for trace in labeled:
        total += 1
        group = groups.setdefault((trace.question.kind, state_of(trace)), [])
        if len(group) < most:
            group.append(trace)
    browser.add(
        "Training traces",
        groups.values(),
        _view_training,
        sides=("",),
        outcomes=STATES,
        total=total,
        most=most,
        room=TRAINING_BYTES,
    )


def _view_training(trace: LabeledTrace, texts: TextTable) -> Entry:
    return {
        "id": trace.id,
        "kind": trace.question.kind,
        "outcome": state_of(trace),
        "question": texts.add(trace.question.text),
        **view_golds(trace.question.answers, texts),
        "sides": [view_trace(trace, texts)],
    }
