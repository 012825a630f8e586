"""The policy: a base model, its tokenizer and chat, and perhaps an adapter on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contracts.errors import InputError
from components.policy.base_model import check_weights, resolve_base_model
from components.policy.chat import Chat
from components.policy.settings import ModelSettings

if TYPE_CHECKING:
    import torch

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
MODEL_CONFIG = "config.json"
PAD_CANDIDATES = ("<|endoftext|>", "<|finetune_right_pad_id|>", "<pad>", "[PAD]", "<unk>")


@dataclass
class Policy:
    """A model that can be sampled or trained; `model` is a transformers model, perhaps inside peft's."""

    model: Any
    tokenizer: Any
    chat: Chat
    base_model: str
    device: torch.device


def load_policy(
    base_model: str,
    *,
    adapter: Path | None = None,
    settings: ModelSettings | None = None,
    call_format: str = "hermes",
    trainable: bool = False,
    merge: bool = False,
) -> Policy:
    """Load the base model from its URI (see `resolve_base_model`), with an adapter if one is given.

    `adapter` is the folder of an `adapter/1`: LoRA weights in peft's layout, or a whole model (see
    `holds_whole_model`), which is then loaded in the base model's place. `merge` folds LoRA weights into
    the model in memory, for sampling; nothing is written. `trainable` leaves them trainable.

    Raises:
        InputError: the model, its tokenizer or the adapter can't be loaded, or nf4 without a GPU.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    settings = settings or ModelSettings()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    folder, name, lora = choose_weights(base_model, adapter)
    device = pick_device(settings.device)
    arguments: dict[str, Any] = {"dtype": pick_dtype(settings.dtype, device)}
    if settings.quantization == "nf4":
        arguments |= {"quantization_config": _nf4(device), "device_map": {"": device}}
    model: Any
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), use_safetensors=True, trust_remote_code=False, local_files_only=True, **arguments
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"base_model: can't load {name!r}: {_first_line(error)}") from error
    if settings.quantization == "none":
        model = model.to(device)
    chat = chat_of_folder(folder, name, call_format)
    model = model.eval()
    if lora is not None:
        model = _with_adapter(model, lora, trainable=trainable, merge=merge)
    return Policy(model, chat.tokenizer, chat, base_model, device)


def holds_whole_model(adapter: Path) -> bool:
    """Whether the folder of an `adapter/1` holds a whole model (full fine-tuning), not LoRA weights."""
    return (adapter / MODEL_CONFIG).is_file() and not (adapter / ADAPTER_CONFIG).is_file()


def choose_weights(base_model: str, adapter: Path | None) -> tuple[Path, str, Path | None]:
    """(the model's folder, its name in messages, the LoRA adapter to put on it): every engine's decision.

    Raises:
        InputError: the model can't be resolved, or its weights are not safetensors.
    """
    if adapter is not None and holds_whole_model(adapter):
        check_weights(adapter, str(adapter))
        return adapter, str(adapter), None
    folder = resolve_base_model(base_model)
    check_weights(folder, base_model)
    return folder, base_model, adapter


def load_tokenizer(folder: Path, name: str = "") -> Any:
    """The tokenizer of a model folder, its pad token distinct from the tokens that end a turn.

    Raises:
        InputError: it can't be loaded, or isn't one of the fast tokenizers.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"base_model: can't load the tokenizer of {name or folder}: {_first_line(error)}"
        ) from error
    if not tokenizer.is_fast:
        raise InputError(
            f"base_model: the tokenizer of {name or folder} has no tokenizer.json (a fast tokenizer)"
        )
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        vocabulary = tokenizer.get_vocab()
        known = (token for token in PAD_CANDIDATES if token in vocabulary and token != tokenizer.eos_token)
        tokenizer.pad_token = next(known, tokenizer.eos_token)
    return tokenizer


def open_chat(base_model: str, call_format: str) -> Chat:
    """The chat of a base model without its weights.

    Raises:
        InputError: the model or its tokenizer can't be loaded.
    """
    return chat_of_folder(resolve_base_model(base_model), base_model, call_format)


def chat_of_folder(folder: Path, name: str, call_format: str) -> Chat:
    """The chat of a model folder; its generation config's EOS ids end a turn too.

    Raises:
        InputError: the tokenizer or that config can't be read.
    """
    return Chat(load_tokenizer(folder, name), call_format, stop_ids=_generation_stops(folder))


def pick_device(wanted: str) -> torch.device:
    """The torch device for "auto", "cpu" or "cuda".

    Raises:
        InputError: "cuda" without a GPU.
    """
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("device: 'cuda' was asked for, but torch sees no GPU")
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda")


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The torch dtype for "auto", "bfloat16" or "float32"; see `ModelSettings.dtype`."""
    import torch

    if wanted == "auto":
        native = (
            torch.cpu._is_avx512_bf16_supported() if device.type == "cpu" else torch.cuda.is_bf16_supported()
        )
        wanted = "bfloat16" if native else "float32"
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def _nf4(device: torch.device) -> Any:
    import importlib.util

    import torch
    from transformers import BitsAndBytesConfig

    if device.type != "cuda":
        raise InputError("quantization: 'nf4' (QLoRA) needs a GPU, and torch sees none; use 'none' here")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError(
            "quantization: 'nf4' (QLoRA) needs the package bitsandbytes, which the GPU images hold"
        )
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _with_adapter(model: Any, adapter: Path, *, trainable: bool, merge: bool) -> Any:
    from peft import PeftModel

    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (adapter / name).is_file():
            raise InputError(f"adapter: {adapter} has no {name}; expected a peft adapter in safetensors")
    try:
        wrapped = PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"adapter: {adapter} does not fit the base model: {_first_line(error)}") from error
    return wrapped.merge_and_unload() if merge else wrapped


def _generation_stops(folder: Path) -> tuple[int, ...]:
    """The EOS ids of generation_config.json, or of config.json where there is none, as transformers does it."""
    for name in ("generation_config.json", MODEL_CONFIG):
        path = folder / name
        if not path.is_file():
            continue
        try:
            found = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
            return tuple(map(int, found if isinstance(found, list) else [found])) if found is not None else ()
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"base_model: {path}: can't be read: {_first_line(error)}") from error
    return ()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
