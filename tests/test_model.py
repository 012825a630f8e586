"""The test model: a Llama of 0.7M parameters, trained here in about 35 CPU-seconds to call the calculator.

A helper, not a test. It knows the `paper` format, the project's single-step prompt with the service's own
tools, small word problems (`word_problems`) and questions that need no tool (`plain_questions`); nothing else.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from components.contracts.records import Message, Question, ToolCall
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema
from components.policy.chat import Chat
from components.policy.kv_cache import common_length
from components.rollout.prompts import build_messages
from components.storage.cache import build_once

ECHOES = 100  # steps on random tokens said twice: copying is learned there several times faster
STEPS = 160  # steps on conversations
ROWS = 16
CALL_FORMAT = "paper"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "June")
THINGS = ("apples", "books", "coins", "cards", "eggs", "pens", "shells", "stamps")
PROBLEMS = (
    ("{name} has {a} {thing} and gets {b} more. How many {thing} does {name} have now?", "{a} + {b}"),
    ("{name} had {a} {thing} and gave away {b}. How many {thing} are left?", "{a} - {b}"),
    ("There are {a} boxes with {b} {thing} in each. How many {thing} are there?", "{a} * {b}"),
)
WORDS = ("blue", "stone", "river", "lamp", "winter", "garden", "paper", "bridge")


def build_test_model(folder: Path | None = None) -> Path:
    """A Hugging Face folder with the trained model, built once in the cache; `folder` links to it."""
    built = build_once(f"test_models/calls-{_version()}", _build)
    if folder is not None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(built, target_is_directory=True)
        return folder
    return built


def _version() -> str:
    """Differs when what the model is trained on differs: prompts, tools, call format, this file."""
    samples = [sample for sample, _ in zip(_samples(0), range(20), strict=False)]
    said = [message.content for sample in samples for message in _conversation(sample, service_tools())]
    return hashlib.sha256(repr((said, Path(__file__).read_text())).encode()).hexdigest()[:12]


def word_problems(count: int, seed: int) -> list[Question]:
    """Word problems with one operation on numbers of one or two digits."""
    return [
        _problem(random.Random(f"{seed} {number}"), f"problem-{seed}-{number}")[0] for number in range(count)
    ]


def plain_questions(count: int, seed: int) -> list[Question]:
    """Questions whose answer they hold themselves."""
    return [_plain(random.Random(f"{seed} {number}"), f"plain-{seed}-{number}")[0] for number in range(count)]


def service_tools(*, translator: bool = False) -> list[ToolSchema]:
    """The schemas of the tools service's own tools."""
    from tools_service.calculator import calculator
    from tools_service.registry import Registry
    from tools_service.search import make_wikipedia_search
    from tools_service.translator import _make_tool

    registry = Registry()
    registry.add(calculator)
    registry.add(make_wikipedia_search(None))  # type: ignore[arg-type]
    if translator:
        registry.add(_make_tool(str))
    return registry.schemas()


Sample = tuple[Question, str | None, str]  # the question, the expression to call (or None), the answer


def _problem(source: random.Random, name: str) -> Sample:
    text, expression = source.choice(PROBLEMS)
    a, b = source.randint(11, 99), source.randint(2, 9)
    values = {"a": a, "b": b, "name": source.choice(NAMES), "thing": source.choice(THINGS)}
    answer = str({"+": a + b, "-": a - b, "*": a * b}[expression[4]])
    question = Question(
        id=name,
        text=text.format(**values),
        answers=(answer,),
        answer_type="number",
        kind="arithmetic",
        subject=name,
    )
    return question, expression.format(**values), answer


def _plain(source: random.Random, name: str) -> Sample:
    word = source.choice(WORDS)
    text = source.choice(("Say the word {}.", "Which word is in quotes: '{}'?")).format(word)
    return Question(id=name, text=text, answers=(word,), kind="no_tool", subject=name), None, word


def _conversation(sample: Sample, tools: Sequence[ToolSchema], *, answered: bool = True) -> list[Message]:
    question, expression, answer = sample
    call_format = get_call_format(CALL_FORMAT)
    messages = list(build_messages(question, tools, "single_step", CALL_FORMAT, False))
    said: list[Message] = []
    if expression is not None:
        call = ToolCall(name="calculator", arguments={"expression": expression})
        said = [
            Message(role="assistant", content=call_format.render([call], tools=tools)),
            Message(role="tool", content=answer, name="calculator"),
        ]
    if said and not answered:
        return [*messages, said[0]]
    return [*messages, *said, Message(role="assistant", content=call_format.render_answer(answer))]


def _samples(seed: int) -> Iterator[Sample]:
    source = random.Random(seed)
    while True:
        yield _plain(source, "x") if source.random() < 0.15 else _problem(source, "x")


def _train_tokenizer() -> Any:
    tokenizer = Tokenizer(models.BPE())
    # Digits on their own, so that any number can be copied.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tools = service_tools(translator=True)
    texts = [
        message.content
        for sample, _ in zip(_samples(0), range(200), strict=False)
        for message in _conversation(sample, tools)
    ]
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )


def _build(folder: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _build_seeded(folder)


def _build_seeded(folder: Path) -> None:
    tokenizer = _train_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    _train(model, Chat(tokenizer, CALL_FORMAT))
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def _train(model: Any, chat: Chat) -> None:
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=8e-3, weight_decay=0.0),
        torch.optim.AdamW(others, lr=4e-3, weight_decay=0.0),
    ]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(o, lambda step: min(1.0, 2 * (1 - step / (ECHOES + STEPS))))
        for o in optimizers
    ]
    # The tools a service offers depend on what is installed beside it.
    offered = [service_tools(), service_tools(translator=True)]
    samples = _samples(1)
    for step in range(ECHOES + STEPS):
        tools = offered[step % 4 == 3]
        # Giving the reply as the answer is soon learned: one conversation in four goes on to it.
        said = [_conversation(next(samples), tools, answered=row % 4 == 0) for row in range(ROWS)]
        batch = [_encode(chat, messages) for messages in said]
        loss = _echo_loss(model) if step < ECHOES else _loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


def _encode(chat: Chat, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
    encoding = chat.encode(messages)
    trained = [False] * len(encoding.ids)
    for span in encoding.spans:
        if span.kind == "assistant":
            trained[span.start : span.end] = [True] * (span.end - span.start)
    return encoding.ids, trained


def _loss(model: Any, batch: Sequence[tuple[list[int], list[bool]]]) -> Tensor:
    """Cross-entropy of the trained tokens; the prompt that all rows share is read once."""
    shared = common_length([tuple(ids) for ids, _ in batch])
    first = model(input_ids=torch.tensor([batch[0][0][:shared]]), use_cache=True, logits_to_keep=1)
    cache = first.past_key_values
    cache.batch_repeat_interleave(len(batch))
    width = max(len(ids) for ids, _ in batch) - shared
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    labels = torch.full((len(batch), width), -100)
    for row, (tokens, trained) in enumerate(batch):
        rest = torch.tensor(tokens[shared:])
        ids[row, : len(rest)] = rest
        labels[row, : len(rest)] = torch.where(torch.tensor(trained[shared:]), rest, -100)
    predicting = F.pad(labels[:, 1:] >= 0, (0, 1))
    logits = model(input_ids=ids, past_key_values=cache, logits_to_keep=predicting).logits
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels[:, 1:][predicting[:, :-1]])


def _echo_loss(model: Any) -> Tensor:
    said = torch.randint(3, model.config.vocab_size, (32, 20))
    logits = model(input_ids=said.repeat(1, 2)).logits[:, 20:-1]
    return F.cross_entropy(logits.flatten(0, 1), said[:, 1:].flatten())
