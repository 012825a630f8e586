"""Generation against the loop of the self-training paper's code: one conversation at a time, read again each turn.

    python -m tests.benchmarks.generation

16 conversations of a 400-token prompt and two turns of 48 tokens, greedy in fp32 on a random Llama of 6
layers; both arms must sample the same ids. CPU time of one thread, arms alternating, medians. The last line
is JSON; exit code 1 when the ids differ.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from components.contracts.records import Message
from components.policy.chat import Chat
from components.policy.engine import Conversation, Sampling
from components.policy.load import Policy
from components.policy.transformers_engine import TransformersEngine
from tests.chat_families import family_tokenizer

CONVERSATIONS = 16
PROMPT_TOKENS = 400
NEW_TOKENS = 48
ROUNDS = 3
VOCABULARY = 32_000
Turns = list[tuple[int, ...]]


def make_policy() -> Policy:
    """A random model; ids that the tokenizer doesn't know get no weight, so that they aren't sampled."""
    tokenizer = family_tokenizer("chatml")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=3,
        max_position_embeddings=2048,
        initializer_range=0.1,
    )
    model: Any = LlamaForCausalLM(config)
    model.eval()
    with torch.no_grad():
        model.lm_head.weight[len(tokenizer) :] = 0
        model.lm_head.weight[tokenizer.eos_token_id] = 0  # no turn ends early
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return Policy(model, tokenizer, Chat(tokenizer, "hermes"), "random", torch.device("cpu"))


def make_conversations(policy: Policy) -> list[tuple[Message, ...]]:
    """A system message that all share, then each one's question, together `PROMPT_TOKENS` tokens or a few more."""
    rules = ""
    found: list[tuple[Message, ...]] = []
    while not found or _length(policy, found[0]) < PROMPT_TOKENS:
        rules += f"{len(rules)}: when asked about this, call the tool and wait for its reply. "
        found = [
            (
                Message(role="system", content=rules),
                Message(role="user", content=f"Question {number}: what is {number} times {3 * number + 1}?"),
            )
            for number in range(CONVERSATIONS)
        ]
    return found


def _length(policy: Policy, messages: tuple[Message, ...]) -> int:
    return len(policy.chat.encode(messages, generation_prompt=True).ids)


def two_turns(begin: list[tuple[Message, ...]], answer: Callable[[list[Conversation]], list[Turns]]) -> Turns:
    """The agent loop's two turns with a reply between them; returns all sampled ids."""
    policy_turns = answer([Conversation(messages) for messages in begin])
    second = []
    for messages, (first,) in zip(begin, policy_turns, strict=True):
        reply = Message(role="tool", content="The tool found: " + "forty two, " * 6)
        said = Message(role="assistant", content="x")
        second.append(Conversation((*messages, said, reply), sampled={2: first}))
    return [turn for turns in (*policy_turns, *answer(second)) for turn in turns]


def ours(policy: Policy, begin: list[tuple[Message, ...]]) -> Turns:
    """A new engine, so that no prefix is known beforehand."""
    engine = TransformersEngine(policy, batch_size=CONVERSATIONS)
    sampling = Sampling(temperature=0, top_p=1, max_new_tokens=NEW_TOKENS)
    return two_turns(
        begin,
        lambda asked: [[c.token_ids] for c in engine.complete(asked, sampling, seeds=[0] * len(asked))],
    )


def one_at_a_time(policy: Policy, begin: list[tuple[Message, ...]]) -> Turns:
    """transformers' generate for each conversation and turn, the whole prompt read again."""

    def answer(asked: list[Conversation]) -> list[Turns]:
        found = []
        for conversation in asked:
            encoding = policy.chat.encode(
                conversation.messages, sampled=conversation.sampled, generation_prompt=True
            )
            ids = torch.tensor([encoding.ids])
            output = policy.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False
            )
            found.append([tuple(output[0, ids.shape[1] :].tolist())])
        return found

    with torch.inference_mode():
        return two_turns(begin, answer)


def main() -> int:
    """Run the arms in turn and print the result."""
    torch.set_num_threads(1)
    policy = make_policy()
    begin = make_conversations(policy)
    arms = {"one_at_a_time": one_at_a_time, "ours": ours}
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    sampled: dict[str, Turns] = {}
    for number in range(ROUNDS):
        for name, arm in arms.items():
            start = time.process_time()
            sampled[name] = arm(policy, begin)
            seconds[name].append(time.process_time() - start)
            print(f"[generation] round {number + 1}/{ROUNDS} {name}: {seconds[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    equal = sampled["ours"] == sampled["one_at_a_time"]
    result = {
        "name": "generation",
        "ratio": round(medians["one_at_a_time"] / medians["ours"], 3),
        "arms": {name: round(value, 3) for name, value in medians.items()},
        "unit": "CPU seconds",
        "same_ids": equal,
        "tokens": sum(map(len, sampled["ours"])),
    }
    print(json.dumps(result))
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
