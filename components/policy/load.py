"""The policy: a base model, its tokenizer and chat, and perhaps an adapter on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contracts.errors import InputError
from components.policy.base_model import check_weights, resolve_base_model
from components.policy.chat import Chat
from components.policy.settings import ModelSettings

if TYPE_CHECKING:
    import torch

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
    """Load the base model from its URI (see `resolve_base_model`), with a LoRA adapter if one is given.

    `adapter` is a folder in peft's layout (an `adapter/1` artifact is one). `merge` folds it into the
    weights in memory, for sampling; nothing is written. `trainable` leaves its weights trainable.

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
    folder = resolve_base_model(base_model)
    check_weights(folder, base_model)
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
        raise InputError(f"base_model: can't load {base_model!r}: {_first_line(error)}") from error
    if settings.quantization == "none":
        model = model.to(device)
    tokenizer = load_tokenizer(folder, base_model)
    chat = Chat(tokenizer, call_format, stop_ids=_generation_stops(model))
    model = model.eval()
    if adapter is not None:
        model = _with_adapter(model, Path(adapter), trainable=trainable, merge=merge)
    return Policy(model, tokenizer, chat, base_model, device)


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
    return Chat(load_tokenizer(resolve_base_model(base_model), base_model), call_format)


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

    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            raise InputError(f"adapter: {adapter} has no {name}; expected a peft adapter in safetensors")
    try:
        wrapped = PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"adapter: {adapter} does not fit the base model: {_first_line(error)}") from error
    return wrapped.merge_and_unload() if merge else wrapped


def _generation_stops(model: Any) -> tuple[int, ...]:
    found = getattr(model.generation_config, "eos_token_id", None)
    if found is None:
        return ()
    return tuple(found) if isinstance(found, list) else (int(found),)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
