"""The benchmarks that ingest knows by name: a family ("bfcl"), or one of its groups ("bfcl:multiple")."""

from collections.abc import Iterable, Mapping

from components.contracts.nearest import nearest

BFCL_NON_LIVE = (
    "simple_python",
    "simple_java",
    "simple_javascript",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
)
BFCL_LIVE = (
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
)
BFCL_EXECUTABLE = ("exec_simple", "exec_multiple", "exec_parallel", "exec_parallel_multiple")
BFCL_MULTI_TURN = (
    "multi_turn_base",
    "multi_turn_long_context",
    "multi_turn_miss_func",
    "multi_turn_miss_param",
)
# What a family's name alone stands for; no groups: the family is one suite.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "bfcl": (*BFCL_NON_LIVE, *BFCL_LIVE),
    "api_bank": ("1", "2"),
    "rotbench": ("clean", "slight", "medium", "heavy", "union"),
    "toolalpaca": (),
    "tooleyes": (),
    "popqa": (),
    "nq_open": (),
    "gsm8k": (),
    "triviaqa": (),
}
# Names for several groups at once. The executable groups left BFCL in version 4, so `bfcl` alone is without them.
SEVERAL: Mapping[str, tuple[str, ...]] = {
    "bfcl:single_turn": (*BFCL_NON_LIVE, *BFCL_LIVE),
    "bfcl:non_live": BFCL_NON_LIVE,
    "bfcl:live": BFCL_LIVE,
    "bfcl:exec": BFCL_EXECUTABLE,
    "bfcl:multi_turn": BFCL_MULTI_TURN,
}
SUITES = (
    *(f"bfcl:{group}" for group in (*BFCL_NON_LIVE, *BFCL_LIVE, *BFCL_EXECUTABLE, *BFCL_MULTI_TURN)),
    *(f"{family}:{group}" for family, groups in FAMILIES.items() if family != "bfcl" for group in groups),
    *(family for family, groups in FAMILIES.items() if not groups),
)


def expand_suites(names: Iterable[str]) -> tuple[str, ...]:
    """The single suites that names of suites, families or several groups stand for, each once, in order.

    Raises:
        ValueError: an unknown name; the nearest is offered.
    """
    found: list[str] = []
    for name in names:
        if name in SUITES:
            found.append(name)
        elif name in SEVERAL or name in FAMILIES:
            groups = SEVERAL[name] if name in SEVERAL else FAMILIES[name]
            found += [f"{family_of(name)}:{group}" for group in groups]
        else:
            known = (*FAMILIES, *SEVERAL, *SUITES)
            raise ValueError(f"unknown suite {name!r}{nearest(name, known)}; families: {', '.join(FAMILIES)}")
    return tuple(dict.fromkeys(found))


def family_of(suite: str) -> str:
    """The family: what comes before the colon."""
    return suite.partition(":")[0]


def group_of(suite: str) -> str:
    """The group: what comes behind the colon; empty when the family is one suite."""
    return suite.partition(":")[2]
