"""The machine translator: a seq2seq model by URI, or apertium where it is installed."""

import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from components.contracts.errors import InputError
from tools_service.cache import find_model
from tools_service.failures import refused, wrong_value

Translate = Callable[[str], str]

MAX_CHARACTERS = 4000
APERTIUM_SECONDS = 8.0


def find_translator(model: str, source: str, target: str) -> tuple[Translate | None, str]:
    """The tool `machine_translator`, or None and the reason why there is none.

    model: a seq2seq model's URI (a folder, hf://name or s3://prefix) or empty for apertium.
    source, target: language codes as the model's tokenizer or apertium writes them.

    Raises:
        InputError: a model was named and can't be loaded.
    """
    if model:
        return _make_tool(_load_model(model, source, target)), ""
    if shutil.which("apertium") is None:
        return None, "no translation model was given and apertium is not installed"
    pair = f"{source}-{target}"
    listed = subprocess.run(["apertium", "-l"], capture_output=True, text=True, timeout=10, check=False)
    if pair not in listed.stdout.split():
        return None, f"no translation model was given and apertium has no pair {pair}"
    return _make_tool(lambda text: _run_apertium(pair, text)), ""


def _make_tool(translate: Translate) -> Translate:
    def machine_translator(text: str) -> str:
        """Translates a text into English.

        Args:
            text: the text to translate
        """
        if not text.strip():
            raise wrong_value("the text is empty")
        if len(text) > MAX_CHARACTERS:
            raise wrong_value(f"the text is too long ({len(text)} characters; at most {MAX_CHARACTERS})")
        return translate(text)

    return machine_translator


def _run_apertium(pair: str, text: str) -> str:
    try:
        done = subprocess.run(
            ["apertium", "-u", pair],
            input=text,
            capture_output=True,
            text=True,
            timeout=APERTIUM_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise refused("the text could not be translated") from error
    return done.stdout.strip()


def _load_model(uri: str, source: str, target: str) -> Translate:
    """A transformers seq2seq model: safetensors only, no code from the model's repository."""
    try:
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    except ImportError as error:
        raise InputError(f"translator {uri}: needs the packages torch and transformers") from error
    name = find_model(uri, "translator")
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name, src_lang=source, trust_remote_code=False)
        model: Any = AutoModelForSeq2SeqLM.from_pretrained(
            name, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"translator {uri}: can't be loaded: {first_line}") from error
    model.eval()
    target_id = tokenizer.convert_tokens_to_ids(target)
    forced = {} if target_id in (None, tokenizer.unk_token_id) else {"forced_bos_token_id": target_id}
    one_at_a_time = threading.Lock()

    def translate(text: str) -> str:
        with one_at_a_time, torch.inference_mode():
            encoded = tokenizer(text, return_tensors="pt", truncation=True)
            output = model.generate(**encoded, max_new_tokens=512, **forced)
            return str(tokenizer.batch_decode(output, skip_special_tokens=True)[0])

    return translate
