"""`policy.json` beside an adapter, read without torch."""

from pathlib import Path

from pydantic import ValidationError

from components.contracts.errors import InputError
from components.contracts.records import PolicyCard

CARD_FILE = "policy.json"


def read_card(folder: Path) -> PolicyCard:
    """The card of an adapter's folder.

    Raises:
        InputError: there is none, or it can't be read.
    """
    path = folder / CARD_FILE
    try:
        return PolicyCard.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"adapter: {folder} has no {CARD_FILE}; expected an adapter/1 artifact") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"adapter: {path}: {where}: {first['msg']}, expected a policy card") from error


def check_base_model(card: PolicyCard, base_model: str) -> None:
    """Refuse an adapter that was trained on another base model.

    Raises:
        InputError: names both.
    """
    check_same("base model", card.base_model, base_model)


def check_same(what: str, trained: str, used: str) -> None:
    """Refuse an adapter for one thing that its card says.

    Raises:
        InputError: `trained` and `used` differ.
    """
    if trained != used:
        raise InputError(f"adapter: it was trained with {what} {trained!r}, but this run uses {used!r}")
