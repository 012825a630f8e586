"""More than a hundred tools made from BFCL's functions: retrieval, and every gold call through the real service.

BFCL's data comes from the `data` folder of the bfcl-eval wheel, fetched, or unpacked at WHETSTONE_BFCL_DATA.
"""

import json
from pathlib import Path

import pytest

from components.contracts.tool_schemas import tool_name
from components.rollout.tool_retrieval import most_fitting
from components.rollout.tools_client import ToolsClient
from tests.battery.many_tools import LEAST_TOOLS, fitting_gold, recall, replay
from tests.bfcl_questions import bfcl_data, bfcl_questions
from tests.tools_process import tools_service
from tools_service.stand_in_questions import make_stand_in_questions

ASKED = 150


@pytest.mark.skipif(not bfcl_data().is_dir(), reason="WHETSTONE_BFCL_DATA has no BFCL data")
def test_a_tool_set_of_bfcl(tmp_path: Path) -> None:
    questions = list(bfcl_questions(bfcl_data()))
    made = make_stand_in_questions(questions)
    assert len(made.tools) > 10 * LEAST_TOOLS
    assert len(made.questions) + sum(made.left_out.values()) == len(questions) == 2549
    (tmp_path / "tools.json").write_text(json.dumps(made.tools), encoding="utf-8")
    with (
        tools_service(tmp_path, "--stand-ins", str(tmp_path / "tools.json")) as service,
        ToolsClient(service.url) as client,
    ):
        offered = client.list_tools()
        assert [tool_name(one) for one in made.tools] == [tool_name(one) for one in offered][1:]
        asked = make_stand_in_questions(questions, limit=ASKED).questions
        with_golds = {one.id: one for one in questions}
        golds = {one.id: fitting_gold(with_golds[one.id], offered) for one in asked}
        assert replay(asked, golds, client) == {"questions": ASKED, "accepted": ASKED, "right": ASKED}
    found = recall(questions[::10], offered)["recall"]
    assert 0.4 < found["1"] < found["4"] < found["8"] < found["16"] < 1
    assert found["8"] > 0.7
    assert len(most_fitting(questions[0].text, offered, 8)) == 8
