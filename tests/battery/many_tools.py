"""`python -m tests.battery.many_tools --data DIR`: more tools than fit a prompt, made from BFCL's functions.

DIR is the `data` folder of the bfcl-eval wheel. The real tools service offers a deterministic stand-in for each
function. Measured: how often retrieval offers the gold tools, and in what time; how long prompts are; whether
every gold call is accepted and its answer found. `--train` adds a round of self-training on the demo model.
Exit code 1 when a gold call failed or there are fewer than 100 tools. The last line is JSON.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contracts.records import Question, ToolCall
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema, explain_call, find_tool, tool_name, tool_parameters
from components.policy.chat import Chat
from components.policy.demo_model import DEMO_URI
from components.policy.engine import Conversation
from components.policy.load import open_chat
from components.rollout.loop import run_rollouts
from components.rollout.prompts import build_messages, template_tools
from components.rollout.settings import RolloutSettings
from components.rollout.tool_retrieval import most_fitting
from components.rollout.tools_client import ToolsClient
from components.scoring.answers import is_correct
from tests.battery.many_tools_training import TrainingSizes, train_round
from tests.bfcl_questions import bfcl_data, bfcl_questions
from tests.scripted_engine import ScriptedEngine, last_text, turn_number
from tests.tools_process import tools_service
from tools_service.stand_in_questions import make_stand_in_questions

LEAST_TOOLS = 100
DEPTHS = (1, 4, 8, 16)
FORMAT = "paper"


def recall(questions: Sequence[Question], tools: tuple[ToolSchema, ...]) -> dict[str, Any]:
    """How often the k most fitting tools hold all that the gold calls, for each k, and ms a question."""
    found = dict.fromkeys(DEPTHS, 0)
    start = time.perf_counter()
    most_fitting("", tools, 1)
    built = time.perf_counter() - start
    seconds = 0.0
    for question in questions:
        needed = {call.name for call in question.golds[0]}
        for depth in DEPTHS:
            start = time.perf_counter()
            offered = {tool_name(tool) for tool in most_fitting(question.text, tools, depth)}
            seconds += time.perf_counter() - start
            found[depth] += needed <= offered
    return {
        "questions": len(questions),
        "recall": {str(depth): round(count / len(questions), 4) for depth, count in found.items()},
        "ms_a_question": round(1000 * seconds / len(questions) / len(DEPTHS), 3),
        "index_ms": round(1000 * built, 1),
    }


def prompt_tokens(question: Question, tools: tuple[ToolSchema, ...], chat: Chat) -> int:
    """Tokens of the question's first prompt with these tools."""
    messages = build_messages(question, tools, "single_step", FORMAT, chat.native_tools)
    shown = template_tools(tools, FORMAT, chat.native_tools)
    return len(chat.encode(messages, shown, generation_prompt=True).ids)


def replay(questions: Sequence[Question], golds: dict[str, ToolCall], client: ToolsClient) -> dict[str, int]:
    """A policy that makes each gold call and answers with the value that comes back, through the agent loop."""
    form = get_call_format(FORMAT)
    tools = client.list_tools()

    def say(conversation: Conversation) -> str:
        if turn_number(conversation):
            return form.render_answer(str(json.loads(last_text(conversation))["result"]["value"]))
        call = golds[last_text(conversation).partition("\n")[0]]
        return form.render([call], tools=[found for found in [find_tool(tools, call.name)] if found])

    asked = [
        question.model_copy(
            update={"text": f"{question.id}\n{question.text}", "tools": (golds[question.id].name,)}
        )
        for question in questions
    ]
    accepted = right = 0
    settings = RolloutSettings(variant="single_step", concurrent=256)
    engine = ScriptedEngine(say, call_format=FORMAT)
    for trace in run_rollouts(((question, 0) for question in asked), engine, client, settings):
        passed = [executed.reply.error is None for executed in trace.calls] == [True]
        answered = is_correct(trace.outcome.answer, trace.question)
        accepted += passed
        right += answered
        if not (passed and answered):
            print(f"{trace.question.id}: {[(one.text, one.reply.content) for one in trace.calls]}")
    return {"questions": len(asked), "accepted": accepted, "right": right}


def fitting_gold(question: Question, tools: Sequence[ToolSchema]) -> ToolCall:
    """The first gold call that the offered schema takes."""
    return next(call for (call,) in question.golds if explain_call(call, tools) is None)


def is_short(gold: ToolCall, tools: Sequence[ToolSchema], parameters: int) -> bool:
    """Whether a small model can be expected to write the call: few parameters, no value with members."""
    tool = find_tool(tools, gold.name)
    plain = not any(isinstance(value, dict | list) for value in gold.arguments.values())
    return tool is not None and plain and len(tool_parameters(tool)) <= parameters


def main() -> int:
    """0 when there are enough tools and every gold call gave its answer."""
    parser = argparse.ArgumentParser(prog="python -m tests.battery.many_tools", description=__doc__)
    parser.add_argument("--data", type=Path, default=bfcl_data(), help="default: WHETSTONE_BFCL_DATA")
    parser.add_argument("--base-model", default=DEMO_URI)
    parser.add_argument("--k", type=int, default=8, help="tools offered with a question")
    parser.add_argument("--train", action="store_true", help="one round of self-training, too")
    parser.add_argument("--practice", type=int, default=24, help="questions to practise on")
    parser.add_argument("--judged", type=int, default=36, help="other questions, before and after")
    parser.add_argument("--parameters", type=int, default=2, help="of a trained question's tool, at most")
    parser.add_argument("--seed", type=int, default=19)
    given = parser.parse_args()
    if not given.data.is_dir():
        parser.error(f"--data: no folder {given.data}; expected the data folder of the bfcl-eval wheel")
    questions = list(bfcl_questions(given.data))
    made = make_stand_in_questions(questions)
    with_golds = {question.id: question for question in questions}
    print(f"{len(made.tools)} tools, {len(made.questions)} questions; left out: {made.left_out}", flush=True)
    result: dict[str, Any] = {"name": "many_tools", "tools": len(made.tools), "k": given.k}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        schemas = folder / "tools.json"
        schemas.write_text(json.dumps(made.tools), encoding="utf-8")
        with (
            tools_service(folder, "--stand-ins", str(schemas)) as service,
            ToolsClient(service.url) as client,
        ):
            offered = client.list_tools()
            result["offered"] = len(offered)
            result["retrieval"] = recall(questions, offered)
            print(f"retrieval: {result['retrieval']}", flush=True)
            asked = [with_golds[one.id].model_copy(update={"text": one.text}) for one in made.questions]
            result["stand_in_questions"] = recall(asked, offered)["recall"]
            golds = {one.id: fitting_gold(with_golds[one.id], offered) for one in made.questions}
            result["replay"] = replay(made.questions, golds, client)
            print(f"gold replay: {result['replay']}", flush=True)
            chat = open_chat(given.base_model, FORMAT)
            few = [
                prompt_tokens(one, most_fitting(one.text, offered, given.k), chat)
                for one in made.questions[:: max(1, len(made.questions) // 100)]
            ]
            result["prompt_tokens"] = {
                "all_tools": prompt_tokens(made.questions[0], offered, chat),
                "k_median": statistics.median(few),
                "k_most": max(few),
            }
            print(f"prompt tokens: {result['prompt_tokens']}", flush=True)
            if given.train:
                sizes = TrainingSizes(given.practice, given.judged, given.k)
                result["training"] = train_round(
                    [one for one in made.questions if is_short(golds[one.id], offered, given.parameters)],
                    {identifier: call.name for identifier, call in golds.items()},
                    given.base_model,
                    service.url,
                    folder,
                    sizes,
                    seed=given.seed,
                )
    print(json.dumps(result))
    replayed = result["replay"]
    whole = replayed["accepted"] == replayed["right"] == replayed["questions"]
    return 0 if whole and result["offered"] >= LEAST_TOOLS else 1


if __name__ == "__main__":
    sys.exit(main())
