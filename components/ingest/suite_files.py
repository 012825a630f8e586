"""Where the published file of a suite is: its name in what the benchmark's authors published, and the place given."""

import re
from collections.abc import Iterator
from pathlib import Path

from components.contracts.errors import InputError
from components.ingest.companions import ANSWERS
from components.ingest.containers import container_suffix
from components.ingest.settings import FormatName
from components.ingest.sources import Source
from components.ingest.suite_names import family_of, group_of
from components.storage import fetch
from components.storage.wheels import BFCL_EVAL, bfcl_package

PYPI = "pypi://"
BFCL_URI = f"{PYPI}{BFCL_EVAL.package}"
PARAMETER = "ingest_settings.suite_data"
PUBLISHED = {
    "bfcl": f"the package {BFCL_EVAL.requirement} ({BFCL_URI})",
    "api_bank": "github.com/AlibabaResearch/DAMO-ConvAI (api-bank/test-data) and Hugging Face liminghao1630/API-Bank",
    "rotbench": "github.com/Junjie-Ye/RoTBench (Data)",
    "toolalpaca": "github.com/tangqiaoyu/ToolAlpaca (data)",
    "tooleyes": "github.com/Junjie-Ye/ToolEyes (Test_Data)",
    "popqa": "github.com/AlexTMallen/adaptive-retrieval (data) and Hugging Face akariasai/PopQA",
    "nq_open": "github.com/google-research-datasets/natural-questions (nq_open) and Hugging Face nq_open",
    "gsm8k": "github.com/openai/grade-school-math (grade_school_math/data) and Hugging Face openai/gsm8k",
    "triviaqa": "nlp.cs.washington.edu/triviaqa and Hugging Face mandarjoshi/trivia_qa",
}
# The files of a folder, by their path in it; {} is the group. Case does not matter.
_TEST = r"(?:[^/]*[-_.])?(?:test|dev|validation)(?:[-_.][^/]*)?"
FILES = {
    "bfcl": r"BFCL_v\d+_{}\.json",
    "api_bank": r"level-{}-api\.jsonl?",
    "rotbench": r"First_Turn[/_]{}\.json",
    "toolalpaca": r"eval_real\.json",
    "tooleyes": r"scenario_data_zero_processed\.json",
    "popqa": rf"(?:popqa[^/]*|{_TEST})",
    "nq_open": rf"(?:nq[-_]open-oracle[^/]*|{_TEST})",
    "gsm8k": _TEST,
    "triviaqa": _TEST,
}
FORMATS: dict[str, FormatName] = {
    "bfcl": "bfcl",
    "api_bank": "api_bank",
    "rotbench": "rotbench",
    "toolalpaca": "toolalpaca",
    "tooleyes": "tooleyes",
    "popqa": "popqa",
    "nq_open": "nq",
    "gsm8k": "gsm8k",
    "triviaqa": "triviaqa",
}
BEFORE_V4 = {"simple_python": "simple", "simple_java": "java", "simple_javascript": "javascript"}
_VERSION = re.compile(r"_v(\d+)_", re.IGNORECASE)
_SHARD = re.compile(r"\d{5}-of-\d{5}")


def place_of(family: str, places: dict[str, str], scratch: Path) -> Path:
    """The folder or file here that holds a family's data; what lies elsewhere is brought into `scratch`.

    Raises:
        InputError: no place is given or known, it is not there, or can't be fetched.
    """
    uri = places.get(family) or (BFCL_URI if family == "bfcl" else "")
    if not uri:
        raise InputError(
            f"ingest_settings.suites: {family} has no data here; set ingest.suite_data.{family}=FOLDER (whetstone "
            f"evaluate: --data {family}=FOLDER) to a copy of what is published at {PUBLISHED[family]}"
        )
    scheme, separator, rest = uri.partition("://")
    if separator and uri == BFCL_URI and family == "bfcl":
        return bfcl_package(f"{PARAMETER}.{family}")
    if separator and scheme not in ("s3", "file"):
        raise InputError(
            f"{PARAMETER}.{family}: {uri}: expected a folder, a file, s3:// or (bfcl) {BFCL_URI}"
        )
    path = fetch(uri, scratch / family) if separator and scheme == "s3" else Path(rest if separator else uri)
    if not path.exists():
        raise InputError(f"{PARAMETER}.{family}: {uri}: no such file or folder; {_published(family)}")
    return path


def files_of(suite: str, place: Path) -> list[Source]:
    """The published file of a suite in a folder (several where it is cut into shards), or the file itself.

    Raises:
        InputError: the folder has no such file, or more than one.
    """
    family = family_of(suite)
    if place.is_file():
        if group_of(suite):
            raise InputError(
                f"{PARAMETER}.{family}: {place.name} is one file, expected a folder with the file of {suite}"
            )
        return [Source(place.name, place)]
    pattern = re.compile(rf"(?:.*/)?{FILES[family].format(_group(suite))}", re.IGNORECASE)
    found = sorted(
        (path for path in _files(place) if pattern.fullmatch(_name(path, place))),
        key=lambda path: (len(path.parts), path),
    )
    if family == "bfcl" and found:
        found = [max(found, key=lambda path: (int(_VERSION.findall(path.name)[0]), -len(path.parts)))]
    if not found:
        raise InputError(f"{PARAMETER}.{family}: {place} has no file of {suite}; {_published(family)}")
    whole = {_SHARD.sub("", str(path)) for path in found}
    if len(whole) > 1:
        names = " and ".join(_name(path, place) for path in found[:2])
        raise InputError(f"{PARAMETER}.{family}: {names} could both be {suite}; name the file itself")
    return [Source(_name(path, place), path) for path in found]


def format_name(suite: str) -> FormatName:
    """The reader of the suite's rows."""
    return FORMATS[family_of(suite)]


def _group(suite: str) -> str:
    group = group_of(suite)
    return f"(?:{group}|{BEFORE_V4[group]})" if group in BEFORE_V4 else group


def _files(place: Path) -> Iterator[Path]:
    for path in place.rglob("*"):
        if path.is_file() and container_suffix(path.name) and path.parent.name != ANSWERS:
            yield path


def _name(path: Path, place: Path) -> str:
    return path.relative_to(place).as_posix()


def _published(family: str) -> str:
    return f"the published files are at {PUBLISHED[family]}"
