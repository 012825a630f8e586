"""Writes trained weights as the files of an `adapter/1`."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from peft import PeftModel

from components.policy.load import ADAPTER_CONFIG, ADAPTER_WEIGHTS


def save_weights(model: Any, tokenizer: Any, folder: Path, base_model: str) -> None:
    """Write the trained weights as safetensors, with nothing in them that depends on this machine.

    A LoRA adapter is two files, whatever other adapters are on the model; a fully trained model is a
    whole Hugging Face model folder.
    """
    if not isinstance(model, PeftModel):
        model.save_pretrained(str(folder), safe_serialization=True)
        tokenizer.save_pretrained(str(folder))
        return
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        model.save_pretrained(temporary, safe_serialization=True, selected_adapters=["default"])
        config = json.loads((Path(temporary) / ADAPTER_CONFIG).read_text())
        config["base_model_name_or_path"] = base_model
        config["target_modules"] = sorted(config["target_modules"])  # peft keeps a set
        (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        weights = Path(shutil.move(Path(temporary) / ADAPTER_WEIGHTS, folder / ADAPTER_WEIGHTS))
        weights.chmod(0o644)  # safetensors writes for its own user only
