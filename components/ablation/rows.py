"""The rows of an ablation: one evaluation each, known by its title, and how far its adapter moved."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.manifests import Manifest
from components.contracts.nearest import nearest
from components.contracts.records import EvaluationItem
from components.scoring.conditions import check_same_conditions
from components.scoring.pairing import pair_by_id

# Of the weights that a row's first and second training changed: the Frobenius norms; None: not done.
Moved = tuple[float | None, float | None]
UNMOVED: Moved = (None, None)
HELD_OUT = "held_out"  # the split of evaluations that do not say theirs


@dataclass(frozen=True)
class Row:
    """One policy of the comparison. `items` come in the order of the reference's; `adapter` is a digest."""

    title: str
    items: Sequence[EvaluationItem]
    adapter: str = ""
    moved: Moved = UNMOVED


def title_of(evaluation: Artifact) -> str:
    """What the evaluation calls its policy; empty when it does not say."""
    return str(evaluation.manifest.details.get("title") or "")


def in_order(evaluations: Sequence[Artifact], titles: Sequence[str]) -> list[Artifact]:
    """The evaluations in the order of `titles`; the order in which they come says nothing.

    Raises:
        InputError: a title is missing, comes twice, or is none of `titles`.
    """
    found: dict[str, Artifact] = {}
    for evaluation in evaluations:
        title = title_of(evaluation)
        if title not in titles:
            raise InputError(
                f"evaluations: one is called {title!r}{nearest(title, titles)}; "
                f"expected the rows {', '.join(titles)}"
            )
        if title in found:
            raise InputError(f"evaluations: two are called {title!r}, expected one a row")
        found[title] = evaluation
    missing = [title for title in titles if title not in found]
    if missing:
        raise InputError(
            f"evaluations: none is called {', '.join(map(repr, missing))}; expected one for each of the "
            f"{len(titles)} rows"
        )
    return [found[title] for title in titles]


def check_comparable(evaluations: Sequence[Artifact], may_differ: Collection[str]) -> None:
    """Refuse evaluations of different question sets, base models or settings.

    may_differ: dotted names of details that are free, such as "settings.variant".

    Raises:
        InputError: names the two rows and what differs.
    """
    first = evaluations[0]
    for other in evaluations[1:]:
        names = (f"evaluations {title_of(first)!r}", repr(title_of(other)))
        check_same_conditions(names, first.manifest, other.manifest, may_differ=may_differ)


def suites_of_some(evaluations: Sequence[Artifact]) -> tuple[str, ...]:
    """The benchmarks that only some of these evaluations judged: those without tools are not asked what brings tools.

    Raises:
        InputError: as `read_items`; nothing is left without these benchmarks.
    """
    judged: list[dict[str, set[str]]] = []
    for evaluation in evaluations:
        by_suite: dict[str, set[str]] = {}
        for item in read_items(evaluation):
            by_suite.setdefault(item.suite, set()).add(item.id)
        judged.append(by_suite)
    own = str(evaluations[0].manifest.details.get("split") or HELD_OUT)
    names = dict.fromkeys(name for by_suite in judged for name in by_suite if name != own)
    apart = tuple(name for name in names if any(one.get(name) != judged[0].get(name) for one in judged))
    bare = next(
        (one for one, suites in zip(evaluations, judged, strict=True) if not suites.keys() - {*apart}), None
    )
    if apart and bare is not None:
        raise InputError(
            f"evaluation {title_of(bare)!r}: holds no question that all rows were asked, for rows without tools are not "
            f"asked {', '.join(apart)}, which bring tools; expected questions of one's own, or suites without tools"
        )
    return apart


def read_rows(
    evaluations: Sequence[Artifact],
    reference: Sequence[EvaluationItem],
    adapters: Mapping[str, Manifest],
    *,
    apart: Collection[str] = (),
) -> list[Row]:
    """One row an evaluation, its items in the order of the reference's. apart: suites that are not read.

    adapters: by digest; those of the first training, and those of the second, whose lineage names theirs as
    `initial`.

    Raises:
        InputError: an evaluation judged other questions, or an adapter that is not among `adapters`.
    """
    rows = []
    for evaluation in evaluations:
        title, digest = title_of(evaluation), evaluation.manifest.lineage.get("adapter", "")
        if digest and digest not in adapters:
            raise InputError(
                f"evaluation {title!r}: it judged adapter {digest[:12]}, which is none of those given"
            )
        items = [after for _, after in pair_by_id(reference, read_items(evaluation, apart))]
        rows.append(Row(title, items, digest, moved_of(digest, adapters)))
    return rows


def read_items(evaluation: Artifact, apart: Collection[str] = ()) -> list[EvaluationItem]:
    """The judged items of an evaluation, without those of the suites `apart`.

    Raises:
        InputError: there is none.
    """
    read = read_records(evaluation.path("items.jsonl"), EvaluationItem)
    items = [item for item in read if item.suite not in apart]
    if not items:
        raise InputError(f"evaluation {title_of(evaluation)!r}: holds no item; expected judged questions")
    return items


def moved_of(digest: str, adapters: Mapping[str, Manifest]) -> Moved:
    """How far the training at the root of an adapter moved, and its own where that is another one.

    The root is the first of `adapters` that the adapter goes back to. Nothing for the base model.
    """
    if not digest:
        return UNMOVED
    root = digest
    while (initial := adapters[root].lineage.get("initial", "")) in adapters:
        root = initial
    return _norm(adapters[root]), _norm(adapters[digest]) if root != digest else None


def _norm(manifest: Manifest) -> float | None:
    value = manifest.details.get("moved")
    return float(value) if isinstance(value, int | float) else None
