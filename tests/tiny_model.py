"""A random Llama of 0.2M parameters with a ChatML tokenizer, and labeled traces to train it on.

For tests of mechanics (gradients, resuming), where no skill is needed; made in under a second.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from components.contracts.artifacts import write_artifact
from components.contracts.jsonl import write_records
from components.contracts.records import (
    AssistantTurn,
    LabeledTrace,
    Message,
    Outcome,
    Question,
    TurnLabel,
)
from components.policy.chat import Chat

torch.set_num_threads(1)  # more only get in each other's way at this size

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CALL = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "%d + %d"}}\n</tool_call>'


def build_tiny_model(folder: Path, *, hidden: int = 32, seed: int = 0) -> Path:
    """Write the model and its tokenizer as a Hugging Face folder; returns `folder`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([CALL % (1, 2), "system user assistant tool"], trainer)
    make: Any = PreTrainedTokenizerFast
    fast = make(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.1,  # large enough for an adapter on two small layers to matter
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(str(folder))
    fast.save_pretrained(str(folder))
    return folder


def make_trace(chat: Chat, number: int, *, trained: Sequence[bool] = (True, True)) -> LabeledTrace:
    """A call of the calculator and the answer; `trained` labels the two turns."""
    left, right = number + 1, (7 * number) % 10
    texts = (CALL % (left, right), f"{left + right}")
    ids = [tuple(chat.tokenizer.encode(text, add_special_tokens=False)) for text in texts]
    stop = (chat.tokenizer.eos_token_id,)
    question = Question(id=f"q{number}", text=f"What is {left} plus {right}{'?' * (1 + number % 5)}")
    return LabeledTrace(
        id=f"trace-{number}",
        question=question,
        tools="[]",
        messages=(
            Message(role="system", content="Answer."),
            Message(role="user", content=question.text),
            Message(role="assistant", content=texts[0]),
            Message(role="tool", content=texts[1], name="calculator"),
            Message(role="assistant", content=texts[1]),
        ),
        turns=tuple(
            AssistantTurn(
                message=message,
                token_ids=tokens + stop,
                logprobs=(-1.0,) * (len(tokens) + 1),
                finish_reason="stop",
            )
            for message, tokens in zip((2, 4), ids, strict=True)
        ),
        calls=(),
        outcome=Outcome(answer=texts[1], correct=True),
        model="tiny",
        template_hash=chat.template_hash,
        call_format="hermes",
        labels=tuple(
            TurnLabel(message=message, trained=keep, reason="" if keep else "masked by the test")
            for message, keep in zip((2, 4), trained, strict=True)
        ),
    )


def write_labeled(folder: Path, traces: Sequence[LabeledTrace]) -> Path:
    """The traces as a `labeled_traces/1` artifact."""
    with write_artifact(folder, "labeled_traces/1") as writer:
        write_records(writer.folder / "traces.jsonl", traces)
    return folder
