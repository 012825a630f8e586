"""A folder that looks like a checkout in which a run has succeeded, for the commands of the pages (not a test)."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from components.policy.card import make_card, write_card
from components.policy.load import open_chat
from tests.docs_commands import ROOT
from tests.tiny_model import build_tiny_model

CODE = ("README.md", "Makefile", "pyproject.toml", "requirements.lock", "requirements-torch.txt")
ROOMS = ("components", "pipelines", "tools_service", "docs", "docker", "manifests", "tests")


def make_checkout(folder: Path) -> Path:
    """Links to the rooms, an adapter of a tiny model in `runs/latest`, and what pages say is the reader's own."""
    for name in (*CODE, *ROOMS):
        (folder / name).symlink_to(ROOT / name)
    base = build_tiny_model(folder / "base")
    adapter = folder / "runs" / "latest" / "adapter"
    adapter.mkdir(parents=True)
    write_card(make_card(open_chat(str(base), "paper"), str(base), settings={}, lineage={}), adapter)
    config = {"peft_type": "LORA", "r": 16, "base_model_name_or_path": str(base)}
    (adapter / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file({"weight": torch.zeros(1)}, adapter / "adapter_model.safetensors")
    (folder / "downloads" / "rotbench").mkdir(parents=True)
    (folder / "downloads" / "bfcl_eval").mkdir()
    for name in ("store.env", "tools.env"):
        (folder / name).write_text("NAME=value\n", encoding="utf-8")
    (folder / "config.json").write_text('{"auths": {}}', encoding="utf-8")
    (folder / "tmp").mkdir()  # stands for /tmp
    return folder
