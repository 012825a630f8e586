"""The folder of `whetstone evaluate`: made for one request, and gone on with for the same one alone."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from components.contracts.artifacts import MANIFEST, read_manifest
from components.contracts.errors import InputError
from components.contracts.jsonl import write_errors
from components.contracts.manifests import sha256_of_file
from pipelines.local.run import RunFolder

REQUEST = "request.json"
ADAPTER = "-adapter"  # behind a task's name: the folder of an adapter/1 made for it
ANOTHER = "name another folder, or none"


def open_folder(wanted: Mapping[str, Any], out: Path | None) -> Path:
    """The folder for this request; it holds nothing, or what this request made so far.

    Raises:
        InputError: the folder holds other files, or what another request made, or can't be used.
    """
    runs = Path("runs") / "evaluations"
    with write_errors(out or runs):
        if out is None:
            folder = RunFolder.create(runs).path
        else:
            folder = out.expanduser().resolve()
            folder.mkdir(parents=True, exist_ok=True)
    note = folder / REQUEST
    if note.is_file():
        known = _read_request(note)
        for name, value in json.loads(json.dumps(wanted)).items():
            before = known.get(name, "")
            if value != before:
                raise InputError(
                    f"--out: {folder} was made with {name} {before!r}, now it is {value!r}; {ANOTHER}"
                )
    elif any(not one.name.endswith(ADAPTER) for one in folder.iterdir()):
        raise InputError(f"--out: {folder} holds files that are no evaluation of ours; name an empty folder")
    return folder


@contextmanager
def gone_if_refused(folder: Path, out: Path | None) -> Iterator[None]:
    """A folder without anything goes again where what was asked for can't be used. out: as for `open_folder`."""
    is_new = not any(folder.iterdir())
    try:
        yield
    except InputError:
        if is_new:
            shutil.rmtree(folder)
            with suppress(OSError):  # what holds other evaluations stays
                for parent in () if out else (folder.parent, folder.parent.parent):
                    parent.rmdir()
        raise


def keep_request(folder: Path, wanted: Mapping[str, Any]) -> None:
    """Write down what the folder is for."""
    with write_errors(folder / REQUEST):
        (folder / REQUEST).write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")


def is_made(question_set: Path, questions: str) -> bool:
    """Whether the questions are there already. questions: the files they were made of, comma separated.

    Raises:
        InputError: one of the files was changed since.
    """
    if not (question_set / MANIFEST).is_file():
        return False
    sources = read_manifest(question_set).lineage
    for path in map(Path, filter(None, questions.split(","))):
        known = [digest for name, digest in sources.items() if name.endswith(f"-{path.name}")]
        if known and path.is_file() and sha256_of_file(path) not in known:
            raise InputError(f"--questions: {path} was changed since its questions were asked; {ANOTHER}")
    return True


def is_judged(place: Path, base_model: str, adapter: Path | None) -> bool:
    """Whether a model has been judged in `place`. adapter: the folder of the adapter/1 it has now.

    Raises:
        InputError: the adapter, or a base model in a folder, was changed since.
    """
    if not ((place / "evaluation" / MANIFEST).is_file() and (place / "report.html").is_file()):
        return False
    judged = read_manifest(place / "evaluation").lineage.get("adapter", "")
    if judged != (read_manifest(adapter).digest() if adapter else ""):
        raise InputError(f"--out: {place} judged the adapter before it was changed; {ANOTHER}")
    then = (place / "evaluation" / MANIFEST).stat().st_mtime_ns
    files = Path(base_model).iterdir() if Path(base_model).is_dir() else ()
    if any(path.stat().st_mtime_ns > then for path in files):
        raise InputError(f"--out: {place} judged {base_model} before it was changed; {ANOTHER}")
    return True


def _read_request(note: Path) -> dict[str, Any]:
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--out: {note}: can't be read: {error}; {ANOTHER}") from error
    if not isinstance(known, dict):
        raise InputError(f"--out: {note}: expected a JSON object; {ANOTHER}")
    return known
