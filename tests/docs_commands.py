"""The commands that README and the pages below docs tell people to type, and how each of them is executed (not a test).

A command is a line of a fenced block `sh` (`sh cluster` where a cluster is needed), continued after a backslash at the
line's end.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
    "docker/README.md",
    "manifests/README.md",
)
CLUSTER_FENCE = "sh cluster"
FENCES = ("sh", CLUSTER_FENCE, "text", "json", "python", "mermaid", "yaml")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$", re.M | re.S)


class Way(StrEnum):
    """How a command is executed. What the battery runs is run as it stands, in the order of its page."""

    HERE = "by the unit test as it stands"
    SERVED = "by the unit test, until the server answers"
    API = "by the unit test, against a server that speaks the Kubeflow Pipelines API"
    CHECKED = "by the unit test up to where a run would begin, by the battery to its end"
    PARSED = "by the unit test up to where a run would begin: the server that it needs can't be had here"
    MAKE = "by the battery, through make; the unit test asks make what it would do"
    BATTERY = "by the battery"
    CLUSTER = "by the unit test as far as it goes without a cluster: rendered, made by the client, or its flags known"
    CONTAINERS = "by `make containers`, which builds by the same script; the unit test looks at its words"


IN_BATTERY = (Way.HERE, Way.SERVED, Way.CHECKED, Way.MAKE, Way.BATTERY)

# Beginning of commands -> way; the longest that fits decides.
WAYS: Mapping[str, Way] = {
    ". .venv/bin/activate": Way.BATTERY,
    "make run": Way.MAKE,
    "make run-all": Way.MAKE,
    "make test": Way.MAKE,
    "make images": Way.CONTAINERS,
    "sh docker/build.sh": Way.CONTAINERS,
    "whetstone --help": Way.HERE,
    "whetstone run ": Way.CHECKED,
    "whetstone report": Way.CHECKED,
    "whetstone evaluate ": Way.CHECKED,
    "whetstone evaluate http://": Way.PARSED,
    "whetstone evaluate demo://smollm2-135m-instruct --suite rotbench": Way.PARSED,  # the data are somebody's
    "whetstone evaluate demo://smollm2-135m-instruct --suite bfcl:multi_turn": Way.PARSED,
    "whetstone bfcl-handler ": Way.HERE,
    "whetstone serving ": Way.HERE,
    "whetstone plan ": Way.HERE,
    "whetstone compile": Way.MAKE,
    "whetstone compile --check": Way.MAKE,
    "whetstone compile ": Way.HERE,
    "whetstone submit ": Way.API,
    "kfp --endpoint ": Way.API,
    "python3 -c ": Way.API,
    "python -m tools_service --port ": Way.SERVED,
    "kubectl kustomize ": Way.HERE,
    "kubectl ": Way.CLUSTER,
    "AWS_ENDPOINT_URL=http://127.0.0.1:8333 python -m tools_service.index ": Way.CLUSTER,
    "docker build ": Way.CLUSTER,
    "docker push ": Way.CLUSTER,
    "mkdir -p /tmp/own-sft": Way.HERE,
    "cp ": Way.HERE,
    "PYTHONPATH=/tmp/own-sft ": Way.HERE,
    "python3.11 -m venv ": Way.BATTERY,
    "mine-bfcl/bfcl/bin/": Way.BATTERY,
    "python merge.py ": Way.BATTERY,
    "python -m pip install openai": Way.BATTERY,
    "python judged_ids.py ": Way.BATTERY,
    "mkdir -p hub": Way.BATTERY,
    'HF_HUB_CACHE="$PWD/hub" transformers serve ': Way.BATTERY,
}
# Goes on until it is stopped; ready when its port takes a connection.
SERVERS = ("python -m tools_service --port ", 'HF_HUB_CACHE="$PWD/hub" transformers serve ')


@dataclass(frozen=True)
class Command:
    """A command of a page (path from the root), at a line of it."""

    page: str
    line: int
    text: str
    on_cluster: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"

    @property
    def beginning(self) -> str:
        """The entry of WAYS that is for it; empty where there is none."""
        return max((one for one in WAYS if self.text.startswith(one)), key=len, default="")

    @property
    def way(self) -> Way:
        """How it is executed.

        Raises:
            KeyError: it is not in the table.
        """
        return WAYS[self.beginning]

    @property
    def is_server(self) -> bool:
        """Whether it goes on until it is stopped."""
        return self.text.startswith(SERVERS)


@dataclass(frozen=True)
class Fence:
    """A fenced block: its kind (the words after the backticks), its text without the indent, its first line's number."""

    page: str
    line: int
    kind: str
    text: str


def fences(page: str) -> Iterator[Fence]:
    """All fenced blocks of a page."""
    whole = (ROOT / page).read_text(encoding="utf-8")
    for found in _FENCE.finditer(whole):
        line = whole.count("\n", 0, found.start()) + 2
        body = re.sub(rf"^{found['indent']}", "", found["body"], flags=re.M)
        yield Fence(page, line, found["kind"].strip(), body)


def commands(page: str) -> Iterator[Command]:
    """The commands of a page, in order; continued lines are one."""
    for fence in fences(page):
        if fence.kind not in ("sh", CLUSTER_FENCE):
            continue
        waiting, begun = "", fence.line
        for number, line in enumerate(fence.text.splitlines(), start=fence.line):
            begun = begun if waiting else number
            waiting += line.strip() if not waiting else f" {line.strip()}"
            if waiting.endswith("\\"):
                waiting = waiting[:-1].rstrip()
                continue
            yield Command(page, begun, waiting, fence.kind == CLUSTER_FENCE)
            waiting = ""


def all_commands() -> tuple[Command, ...]:
    """Those of all pages."""
    return tuple(command for page in PAGES for command in commands(page))


def written_files(page: str) -> dict[str, str]:
    """The Python files that a page has in full, for commands to use: blocks that begin with `# name.py`."""
    named = (
        (re.match(r"# (\w+\.py)\n", fence.text), fence) for fence in fences(page) if fence.kind == "python"
    )
    return {found[1]: fence.text for found, fence in named if found}


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
