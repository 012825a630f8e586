"""Tree search: eight trees at a time, prompts' keys kept, against a generate a child and a generate a roll-out.

    python -m tests.benchmarks.mcts [simulations [trees]]

The demo model in fp32, prompts of 400 to 1000 tokens, width 3, depth 3, self-evaluation on. Both arms are the same
search with the same random numbers. The arms alternate: the batched one searches all trees each round, the loop four of
them, so that it has searched each once at the end. CPU time of one thread; trees an hour are those of the loop's sum
and of the batched arm's median. One tree at a time must give the loop's trees, id for id; the bookkeeping of
`components.mcts.tree` alone is timed as well. The last line is JSON; exit code 1 when the trees differ.
"""

import json
import logging
import random
import statistics
import sys
import time
from collections.abc import Sequence

import torch

from components.contracts.records import Question
from components.contracts.search_records import SearchTree
from components.contracts.tool_schemas import parse_tools, tool_name
from components.ingest.demo_calls import demo_calls
from components.ingest.demo_calls_tools import TOOLS
from components.mcts.expansion import Expander
from components.mcts.leaves import Expands
from components.mcts.search import Search
from components.mcts.settings import MCTSSettings
from components.mcts.states import Language
from components.mcts.tree import Child, Tree
from components.policy.chat import Chat
from components.policy.demo_model import DEMO_URI
from components.policy.load import Policy, load_policy
from components.policy.settings import EngineSettings, ModelSettings
from components.rollout.prompts import build_messages
from tests.benchmarks.mcts_loop import LoopExpander

TREES = 8
TREES_A_ROUND = 4  # of the loop's
SIMULATIONS = 8
SHORTEST, LONGEST = 400, 1000
BUDGETS = (64, 256, 1024, 4096)
CALL_FORMAT = "hermes"


def make_settings(simulations: int, trees: int) -> MCTSSettings:
    """The paper's width and depth; calls are cut at arguments, so that one call has depth."""
    model = ModelSettings(dtype="float32", device="cpu", threads=1)
    return MCTSSettings(
        step="argument",
        simulations=simulations,
        concurrent=trees,
        max_new_tokens=64,
        max_step_tokens=48,
        engine=EngineSettings(call_format=CALL_FORMAT, batch_size=64, model=model),
    )


def open_policy(settings: MCTSSettings) -> Policy:
    """The demo model; its generation config asks for nothing of its own."""
    policy = load_policy(DEMO_URI, settings=settings.engine.model, call_format=CALL_FORMAT)
    policy.model.generation_config.pad_token_id = policy.tokenizer.pad_token_id
    return policy


def make_questions(chat: Chat, settings: MCTSSettings, trees: int) -> list[Question]:
    """Requests for a call, offered so many tools that the prompts' lengths go from the shortest to the longest."""
    _, questions, _ = demo_calls(0)
    found = []
    for number, question in enumerate(random.Random(0).sample(questions, trees)):
        wanted = SHORTEST + (LONGEST - SHORTEST - 70) * number // max(1, trees - 1)
        offered = list(parse_tools(question.offered))
        others = [tool.schema(name) for name, tool in TOOLS.items()]
        while prompt_length(chat, question, settings) < wanted:
            tool = others.pop()
            if tool_name(tool) not in map(tool_name, offered):
                offered.append(tool)
            question = question.model_copy(update={"offered": json.dumps(offered)})
        found.append(question)
    return found


def prompt_length(chat: Chat, question: Question, settings: MCTSSettings) -> int:
    """Tokens of the question's prompt."""
    tools = parse_tools(question.offered)
    messages = build_messages(question, tools, settings.variant, CALL_FORMAT, chat.native_tools)
    return len(chat.encode(messages, generation_prompt=True).ids)


def search(
    policy: Policy, expander: Expands, settings: MCTSSettings, questions: Sequence[Question]
) -> dict[str, SearchTree]:
    """The trees by question."""
    chat = policy.chat
    language = Language(chat.decode, chat.stop_ids, chat.call_format, chat.native_tools)
    return {tree.question.id: tree for tree in Search(expander, language, settings).run(questions)}


def steps_of(tree: SearchTree) -> list[tuple[int, tuple[int, ...], str]]:
    """What must be equal: shape, ids, and the text of roll-outs."""
    return [(node.parent, node.token_ids, node.rollout) for node in tree.nodes]


def bookkeeping(simulations: int) -> float:
    """Microseconds of a simulation: select, expand with random children, back up; width 3, depth 8."""
    draw = random.Random(simulations)
    tree = Tree(depth=8, simulations=simulations)
    start = time.process_time()
    while not tree.done:
        node = tree.select()
        if node is not None:
            tree.expand(
                node,
                [
                    Child(draw.random(), draw.random(), ahead=1 if draw.random() < 0.3 else -1)
                    for _ in range(3)
                ],
            )
    return (time.process_time() - start) / simulations * 1e6


def main() -> int:
    """Run the arms in turn and print the result."""
    torch.set_num_threads(1)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    given = [int(one) for one in sys.argv[1:]]
    simulations, trees = [*given, *(SIMULATIONS, TREES)[len(given) :]]
    settings = make_settings(simulations, trees)
    ours, theirs = open_policy(settings), open_policy(settings)
    questions = make_questions(ours.chat, settings, trees)
    lengths = [prompt_length(ours.chat, question, settings) for question in questions]
    print(f"[mcts] {trees} trees of {simulations} simulations, prompts of {lengths} tokens", flush=True)
    batched: list[float] = []
    single: list[float] = []
    loop: list[float] = []
    same = same_batched = True
    sampled = 0
    for first in range(0, trees, TREES_A_ROUND):
        start = time.process_time()
        grown = search(ours, Expander(ours, settings), settings, questions)
        batched.append(time.process_time() - start)
        print(f"[mcts] batched, {trees} trees: {batched[-1]:.1f} s", flush=True)
        for question in questions[first : first + TREES_A_ROUND]:
            start = time.process_time()
            alone = search(ours, Expander(ours, settings), settings, [question])[question.id]
            single.append(time.process_time() - start)
            start = time.process_time()
            looped = search(theirs, LoopExpander(theirs, settings), settings, [question])[question.id]
            loop.append(time.process_time() - start)
            same &= steps_of(alone) == steps_of(looped)
            same_batched &= steps_of(grown[question.id]) == steps_of(looped)
            sampled += sum(len(node.token_ids) for node in looped.nodes)
            print(f"[mcts] one tree: batched {single[-1]:.1f} s, loop {loop[-1]:.1f} s", flush=True)
    iterations = {budget: min(bookkeeping(budget) for _ in range(5)) for budget in BUDGETS}
    seconds = {
        "batched": statistics.median(batched) / trees,
        "one_tree_at_a_time": sum(single) / trees,
        "loop": sum(loop) / trees,
    }
    result = {
        "name": "mcts",
        "ratio": round(seconds["loop"] / seconds["batched"], 3),
        "ratio_one_tree": round(seconds["loop"] / seconds["one_tree_at_a_time"], 3),
        "trees_per_hour": {name: round(3600 / value, 1) for name, value in seconds.items()},
        "arms": {name: round(value, 3) for name, value in seconds.items()},
        "unit": "CPU seconds a tree",
        "same_ids": same,
        "same_ids_batched": same_batched,
        "step_tokens": sampled,
        "prompts": lengths,
        "simulations": simulations,
        "bookkeeping_us": {str(budget): round(value, 1) for budget, value in iterations.items()},
    }
    print(json.dumps(result))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
