"""docs/scale.md says what the calculator says."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.plan.planned import make_plan
from pipelines.plan.request import read_request

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
COMMAND, SHOWN = re.search(
    r"```sh\n(whetstone plan [^`]*\\\n[^`]*)```\n\n```text\n(.*?)\n```", PAGE, re.DOTALL
).groups()  # type: ignore[union-attr]
ROWS = re.findall(r"^\| (as above|`[^|]*`) \| ([0-9.]+) \| ([0-9.]+) h \|$", PAGE, re.MULTILINE)


def words_of(command: str) -> list[str]:
    """What follows `whetstone` in a command of several lines."""
    return shlex.split(command.replace("\\\n", " "))[1:]


def test_the_sample_is_what_its_command_prints() -> None:
    result = CliRunner().invoke(app, words_of(COMMAND))
    assert result.output.rstrip() == SHOWN


@pytest.mark.parametrize(("words", "held", "wall"), ROWS)
def test_the_other_runs_are_what_the_plan_says(words: str, held: str, wall: str) -> None:
    more = [] if words == "as above" else shlex.split(words.strip("`"))
    replaced = {word.partition("=")[0] for word in more}
    given = [word for word in words_of(COMMAND)[1:] if word.partition("=")[0] not in replaced]
    plan = make_plan(read_request([*given, *more]))
    assert f"{plan.held / 3600:.1f}" == held
    assert f"{plan.wall / 3600:.1f}" == wall


def test_the_page_has_its_table() -> None:
    assert len(ROWS) == 8
