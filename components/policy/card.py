"""`policy.json` beside an adapter: what a server or a later stage must agree with."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from components.contracts.policy_card import CARD_FILE, check_base_model, check_same, read_card
from components.contracts.records import PolicyCard
from components.policy.chat import Chat


def make_card(
    chat: Chat, base_model: str, *, settings: Mapping[str, JsonValue], lineage: Mapping[str, str]
) -> PolicyCard:
    """The card of an adapter trained on `base_model` through `chat`."""
    return PolicyCard(
        base_model=base_model,
        template_hash=chat.template_hash,
        call_format=chat.call_format,
        stop_ids=chat.stop_ids,
        settings=dict(settings),
        lineage=dict(lineage),
    )


def write_card(card: PolicyCard, folder: Path) -> Path:
    """Write policy.json into `folder`."""
    path = folder / CARD_FILE
    path.write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def check_card(card: PolicyCard, chat: Chat, base_model: str) -> None:
    """Refuse an adapter that was trained under another base model, template or call format.

    An untrained adapter that saw no call has no format, and agrees with any.

    Raises:
        InputError: names what differs, and both values.
    """
    check_base_model(card, base_model)
    check_same("chat template", card.template_hash, chat.template_hash)
    if card.call_format:
        check_same("call format", card.call_format, chat.call_format)


def check_adapter(folder: Path, chat: Chat, base_model: str) -> None:
    """`check_card` for an adapter's folder; one without a card (made elsewhere) is taken as it is."""
    if (folder / CARD_FILE).is_file():
        check_card(read_card(folder), chat, base_model)
