"""What the tests of preflight look at."""

import json
from pathlib import Path

TOKEN = "a-token-of-the-tests-0123"


def model_folder(folder: Path, *absent: str, template: str = "{{ messages }}") -> Path:
    """The files that the check looks at; weights are not read."""
    folder.mkdir(parents=True)
    files = {"config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "x"}
    files["tokenizer_config.json"] = json.dumps({"chat_template": template} if template else {})
    for name, content in files.items():
        if name not in absent:
            (folder / name).write_text(content)
    return folder
