"""`policy.json` beside an adapter: what a server or a later stage must agree with."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from components.contracts.errors import InputError
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
    """`check_card` for an adapter's folder; one without a card (made elsewhere) may bring no other chat template.

    Raises:
        InputError: as `check_card`, or the folder's tokenizer has another chat template than the base model's.
    """
    if (folder / CARD_FILE).is_file():
        check_card(read_card(folder), chat, base_model)
        return
    saved, used = _saved_template(folder), _default(chat.tokenizer.chat_template)
    if saved and saved.strip() != used.strip():
        raise InputError(
            f"adapter: it was saved with another chat template than that of {base_model}; expected the same, or a "
            "folder of the whole model: the adapter merged, with the tokenizer it was saved with"
        )


def _saved_template(folder: Path) -> str:
    """The chat template of the tokenizer that training frameworks save beside an adapter; empty without one."""
    path, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    try:
        if path.is_file():
            return path.read_text(encoding="utf-8")
        found = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"adapter: the chat template in {folder} can't be read: {error}") from error
    template = found.get("chat_template") if isinstance(found, dict) else None
    if isinstance(template, list):
        template = {one["name"]: one["template"] for one in template if isinstance(one, dict)}
    return _default(template)


def _default(template: str | dict[str, str] | None) -> str:
    """The template for chats, of those that a tokenizer has by name."""
    return (template.get("default") or "") if isinstance(template, dict) else template or ""
