"""What a server has to know to show an adapter as it was trained."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from components.contracts.errors import InputError
from components.contracts.policy_card import CARD_FILE, check_same, read_card
from components.contracts.records import PolicyCard

MANIFEST = "manifest.json"
REMOTE = "s3://"


@dataclass(frozen=True)
class ServedAdapter:
    """An adapter as vLLM serves it.

    lora_rank: the largest rank of its LoRA matrices; 0 for a whole model. chat_template: the one it was trained
    under, with its date held where it prints one; empty where the tokenizer has several by name, of which the
    server chooses by the same rule. native_tools: the template shows `tools=`.
    """

    card: PolicyCard
    lora_rank: int
    chat_template: str
    native_tools: bool


def read_served_adapter(adapter: str, scratch: Path) -> ServedAdapter:
    """The adapter at `adapter`, a folder or s3://, without its weights; `scratch` is an empty folder.

    Raises:
        InputError: no adapter there, one that is not published whole, one that vLLM can't serve (DoRA, modules
            beside LoRA), a base model whose tokenizer can't be had, or another chat template than it was trained under.
    """
    from components.policy.base_model import fetch_tokenizer_files, resolve_tokenizer
    from components.policy.load import holds_whole_model, load_tokenizer
    from components.policy.template import FIXED_CLOCK, Template

    fetch_tokenizer_files(adapter, scratch)
    if adapter.startswith(REMOTE) and not (scratch / MANIFEST).is_file():
        raise InputError(
            f"adapter: {adapter} has no {MANIFEST}; expected an adapter that promotion published"
        )
    if not (scratch / CARD_FILE).is_file():
        raise InputError(f"adapter: {adapter} has no {CARD_FILE}; expected an adapter that a run trained")
    card = read_card(scratch)
    whole = holds_whole_model(scratch)
    rank = 0 if whole else _lora_rank(scratch / "adapter_config.json", adapter)
    tokenizer = load_tokenizer(scratch if whole else resolve_tokenizer(card.base_model), card.base_model)
    template = Template(tokenizer)
    check_same("chat template", card.template_hash, template.hash)
    source = tokenizer.chat_template
    text = "" if isinstance(source, dict) else str(source)
    return ServedAdapter(
        card=card,
        lora_rank=rank,
        chat_template=FIXED_CLOCK + text if "strftime_now" in text else text,
        native_tools=template.native_tools,
    )


# vllm/lora/peft_helper.py: what it does not load.
UNSERVED = (
    *("modules_to_save", "use_dora", "lora_bias", "alora_invocation_tokens", "layer_replication"),
    *("use_bdlora", "use_qalora"),
)


class _LoraConfig(BaseModel):
    """`adapter_config.json`, as far as it decides how vLLM loads it."""

    model_config = ConfigDict(extra="allow")

    r: int
    rank_pattern: dict[str, int] = {}
    bias: str = "none"


def _lora_rank(path: Path, adapter: str) -> int:
    try:
        config = _LoraConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"adapter: {adapter} has neither {path.name} nor a model's config.json") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "text"
        raise InputError(
            f"adapter: {adapter}: {path.name}: {where}: expected a LoRA adapter of peft"
        ) from error
    more = config.model_extra or {}
    refused = [key for key in UNSERVED if more.get(key)] + (["bias"] if config.bias != "none" else [])
    if refused:
        raise InputError(f"adapter: {adapter}: vLLM serves no adapter with {refused[0]}; expected plain LoRA")
    return max([config.r, *config.rank_pattern.values()])
