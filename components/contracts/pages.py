"""Text files that a stage hands to KFP beside its artifacts: reports and cards."""

from pathlib import Path

from components.contracts.jsonl import write_errors


def write_page(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8, the folder included.

    Raises:
        InputError: no room, no permission ...; names the path.
    """
    path = Path(path)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
