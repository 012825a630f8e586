"""The formats of users' rows, in the order in which they are tried: the most particular first."""

from collections.abc import Mapping, Sequence

from components.contracts.errors import InputError
from components.ingest.formats import (
    api_bank,
    bfcl,
    glaive,
    golds,
    gsm8k,
    messages,
    nq,
    plain,
    popqa,
    rotbench,
    seal_tools,
    sharegpt,
    toolace,
    toolalpaca,
    tooleyes,
    toolrl,
    triviaqa,
    xlam,
)
from components.ingest.formats.base import Format
from components.ingest.settings import FormatName

FORMATS: tuple[Format, ...] = (
    popqa.FORMAT,
    nq.FORMAT,
    gsm8k.FORMAT,
    triviaqa.FORMAT,
    # tool use: those that other formats' fields would fit as well come before these
    bfcl.FORMAT,
    rotbench.FORMAT,
    tooleyes.FORMAT,
    seal_tools.FORMAT,
    toolace.FORMAT,
    toolrl.FORMAT,
    api_bank.FORMAT,
    toolalpaca.FORMAT,
    glaive.FORMAT,
    xlam.FORMAT,
    golds.FORMAT,
    messages.FORMAT,
    sharegpt.FORMAT,
    plain.FORMAT,
)


def named_format(name: FormatName) -> Format:
    """The format called `name`."""
    return next(known for known in FORMATS if known.name == name)


def detect_format(head: Sequence[Mapping[str, object]], source: str) -> Format:
    """The first format that at least half of a source's first rows have, else the most frequent one.

    Raises:
        InputError: no format fits any of them.
    """
    fitting = [sum(known.matches(row) or known.matches_in(row, source) for row in head) for known in FORMATS]
    if not any(fitting):
        columns = ", ".join(list(head[0])[:8])
        known_names = ", ".join(one.name for one in FORMATS)
        raise InputError(
            f"{source}: no known format has the fields {columns}; expected one of {known_names} "
            "(a question and its answers, or calls of tools), or name it in ingest_settings.formats"
        )
    common = (known for known, number in zip(FORMATS, fitting, strict=True) if 2 * number >= len(head))
    return next(common, FORMATS[fitting.index(max(fitting))])
