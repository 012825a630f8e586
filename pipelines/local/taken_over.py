"""What stands in for a stage whose outputs an earlier run has: `python -m pipelines.local.taken_over --executor_input JSON`.

kfp.local starts it as it starts a stage. The folder of a task is called alike in every run of a pipeline, so the
outputs are those of the same folder there.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError

OUTPUT = "executor_output.json"  # KFP's, written when a task has succeeded
# In the environment, as kfp.local replaces the word python3 in arguments, paths among them.
FROM, INTO = "WHETSTONE_TAKEN_FROM", "WHETSTONE_TAKEN_INTO"


def executor(earlier: Path, folder: Path) -> dict[str, Any]:
    """The executor of a compiled pipeline that takes a task's outputs over.

    earlier: folder of the outputs of the run to take from (`RUN/pipeline/NAME`). folder: `RUN/pipeline` of this one.
    """
    return {
        "container": {
            "image": "python",
            # kfp.local's SubprocessRunner refuses a command in which KFP's own module is not named.
            "command": [
                "python3",
                "-m",
                "pipelines.local.taken_over",
                "--in-place-of",
                "kfp.dsl.executor_main",
            ],
            "args": ["--executor_input", "{{$}}"],
            "env": [{"name": FROM, "value": str(earlier)}, {"name": INTO, "value": str(folder)}],
        }
    }


def take_over(outputs: Mapping[str, Any], earlier: Path, folder: Path) -> None:
    """Copy a task's folder, KFP's output file last, with its artifacts' addresses in the new place.

    outputs: `outputs` of KFP's ExecutorInput. earlier, folder: see `executor`.

    Raises:
        InputError: the earlier run has not finished this task, or it can't be copied.
    """
    target = Path(outputs["outputFile"]).parent
    _, *task = target.relative_to(folder).parts  # without the folder that kfp.local names after the time
    source = earlier.joinpath(*task)
    try:
        ended = json.loads((source / OUTPUT).read_text(encoding="utf-8"))
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(OUTPUT), dirs_exist_ok=True)
        for name, held in ended.get("artifacts", {}).items():
            for artifact in held["artifacts"]:
                if artifact["uri"].endswith("/".join(("", *task, name))):
                    artifact["uri"] = str(target / name)
        (target / OUTPUT).write_text(json.dumps(ended), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: can't be taken over: {error}") from error


if __name__ == "__main__":
    given = json.loads(sys.argv[sys.argv.index("--executor_input") + 1])
    take_over(given["outputs"], Path(os.environ[FROM]), Path(os.environ[INTO]))
