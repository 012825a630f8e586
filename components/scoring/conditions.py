"""Whether two evaluations differ in the policy alone."""

import json
from collections.abc import Collection, Mapping

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.manifests import Manifest


def check_same_conditions(
    names: tuple[str, str],
    one: Manifest,
    two: Manifest,
    *,
    may_differ: Collection[str] = (),
    subject: str = "the adapter",
) -> None:
    """Refuse evaluations of different question sets, base models, settings or tools; titles may differ.

    Tools are compared where both sides say which were on offer. names: what messages call the two. may_differ:
    dotted names of details that are free, such as "settings.variant". subject: what the two differ in.

    Raises:
        InputError: names what differs, and both values.
    """
    sets = [side.lineage.get("question_set", "") for side in (one, two)]
    if sets[0] != sets[1]:
        raise InputError(
            f"{names[0]} and {names[1]} judged different question sets ({sets[0][:12]} and {sets[1][:12]}), "
            "expected two evaluations of the same one"
        )
    sides = [flat(side.details) for side in (one, two)]
    said_by_one = {"tools"} & (sides[0].keys() ^ sides[1].keys())
    for name in sorted((sides[0].keys() | sides[1].keys()) - {"title", *may_differ} - said_by_one):
        values = [side.get(name, "absent") for side in sides]
        if values[0] != values[1]:
            raise InputError(
                f"{names[0]} and {names[1]} were made under different {name} ({values[0]} and {values[1]}), "
                f"expected evaluations that differ in {subject} alone"
            )


def flat(details: Mapping[str, JsonValue], prefix: str = "") -> dict[str, str]:
    """Every entry as JSON text by its dotted name."""
    found: dict[str, str] = {}
    for name, value in details.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = json.dumps(value, sort_keys=True)
    return found
