"""Publication: what promotion decided is carried out."""

import json
from typing import Any

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.pages import write_page
from components.publication.publish import publish
from components.storage import open_input

CARD = "model_card.md"  # in a comparison/1


def run(adapter: Any, comparison: Any, publish_to: str, artifact_store: str, report: Any) -> str:
    """Put the adapter with its card under `publish_to`; gives where, empty for nowhere.

    adapter: artifact adapter/1. comparison: artifact comparison/1. report: KFP artifact.

    Raises:
        InputError: artifacts can't be used, the comparison is of another adapter or kept it back, or `publish_to`
            or the report can't be written.
    """
    trained = open_input(adapter.path, "adapter/1", artifact_store)
    compared = open_input(comparison.path, "comparison/1", artifact_store)
    check_promoted(compared, trained)
    place = ""
    if publish_to:
        card = compared.path(CARD).read_text(encoding="utf-8")
        place = publish(trained, card, publish_to, compared.manifest.lineage)
    said = f"published to {place}" if place else "published nowhere: publish_to is empty"
    print(f"[publication] {said}", flush=True)
    write_page(report.path, f"Adapter `{trained.digest[:12]}`: {said}.\n")
    return place


def check_promoted(comparison: Artifact, adapter: Artifact) -> None:
    """Refuse what the gate did not let through.

    Raises:
        InputError: the comparison is of another adapter, or it was kept back.
    """
    compared = comparison.manifest.lineage.get("adapter", "")
    if compared != adapter.digest:
        raise InputError(
            f"comparison: it is of adapter {compared[:12] or '(none)'}, expected one of {adapter.digest[:12]}"
        )
    summary = json.loads(comparison.path("summary.json").read_text(encoding="utf-8"))
    if summary.get("decision", {}).get("promoted") is not True:
        raise InputError(
            f"comparison: adapter {adapter.digest[:12]} was kept back; only a promoted one is published"
        )
