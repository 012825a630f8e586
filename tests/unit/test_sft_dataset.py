"""Labeled traces become ids and weights: what is trained, token by token."""

import json

import pytest

from components.contracts.errors import InputError
from components.contracts.records import (
    AssistantTurn,
    LabeledTrace,
    Message,
    Outcome,
    Question,
    TurnLabel,
)
from components.policy.chat import Chat
from components.policy.load import open_chat
from components.rollout.prompts import build_messages, template_tools
from components.sft.dataset import encode_trace, prepare_examples
from tests.chat_families import FAMILIES, family_tokenizer
from tests.tiny_model import build_tiny_model, make_trace
from tests.traces import CALCULATOR


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Chat:
    return open_chat(str(build_tiny_model(tmp_path_factory.mktemp("tiny"))), "hermes")


def supervised_text(trace: LabeledTrace, chat: Chat) -> str:
    example = encode_trace(trace, chat)
    kept = [token for token, weight in zip(example.ids, example.weights, strict=True) if weight]
    return str(chat.tokenizer.decode(kept))


def test_ids_and_weights_by_hand(chat: Chat) -> None:
    trace = make_trace(chat, 2)
    call, answer = trace.messages[2].content, trace.messages[4].content
    pieces = [
        (f"<|im_start|>system\nAnswer.<|im_end|>\n<|im_start|>user\n{trace.question.text}<|im_end|>\n", 0.0),
        ("<|im_start|>assistant\n", 0.0),
        (f"{call}<|im_end|>", 1.0),
        (f"\n<|im_start|>user\n{answer}<|im_end|>\n<|im_start|>assistant\n", 0.0),
        (f"{answer}<|im_end|>", 1.0),
        ("\n", 0.0),
    ]
    ids: list[int] = []
    weights: list[float] = []
    for text, weight in pieces:
        tokens = chat.tokenizer.encode(text, add_special_tokens=False)
        ids += tokens
        weights += [weight] * len(tokens)
    example = encode_trace(trace, chat)
    assert chat.tokenizer.decode(example.ids) == chat.tokenizer.decode(ids)
    assert list(example.ids) == ids
    assert list(example.weights) == weights


def test_masked_turns_and_tool_replies_carry_no_weight(chat: Chat) -> None:
    first_only = make_trace(chat, 1, trained=(True, False))
    assert supervised_text(first_only, chat) == f"{first_only.messages[2].content}<|im_end|>"
    second_only = make_trace(chat, 1, trained=(False, True))
    assert supervised_text(second_only, chat) == f"{second_only.messages[4].content}<|im_end|>"


def test_sampled_ids_are_used_verbatim(chat: Chat) -> None:
    """Ids that the tokenizer itself would never give for the text."""
    trace = make_trace(chat, 1)
    one_by_one = tuple(chat.tokenizer.encode(character)[0] for character in trace.messages[2].content)
    assert one_by_one != trace.turns[0].token_ids[:-1]
    stop = trace.turns[0].token_ids[-1:]
    turn = trace.turns[0].model_copy(
        update={"token_ids": one_by_one + stop, "logprobs": (-1.0,) * (len(one_by_one) + 1)}
    )
    example = encode_trace(trace.model_copy(update={"turns": (turn, trace.turns[1])}), chat)
    start = example.weights.index(1.0)
    assert tuple(example.ids[start : start + len(one_by_one) + 1]) == one_by_one + stop
    again = encode_trace(
        trace.model_copy(update={"turns": (turn.model_copy(update={"retokenized": True}), trace.turns[1])}),
        chat,
    )
    assert again.ids == encode_trace(trace, chat).ids


def test_turn_cut_by_the_length_limit_is_not_taught_to_stop(chat: Chat) -> None:
    trace = make_trace(chat, 1, trained=(False, True))
    cut = trace.turns[1].model_copy(
        update={
            "finish_reason": "length",
            "token_ids": trace.turns[1].token_ids[:-1],
            "logprobs": trace.turns[1].logprobs[:-1],
        }
    )
    assert (
        supervised_text(trace.model_copy(update={"turns": (trace.turns[0], cut)}), chat)
        == trace.messages[4].content
    )


def test_every_trace_is_accounted_for(chat: Chat) -> None:
    traces = [make_trace(chat, number, trained=(number % 2 == 0, False)) for number in range(10)]
    lengths = sorted(len(encode_trace(trace, chat).ids) for trace in traces[::2])
    assert lengths[0] < lengths[-1]
    prepared = prepare_examples(traces, chat, max_tokens=lengths[-1] - 1)
    assert prepared.read == 10
    assert prepared.untrained == 5
    assert prepared.too_long == lengths.count(lengths[-1])
    assert prepared.read == len(prepared.examples) + prepared.untrained + prepared.too_long
    assert prepared.tokens == sum(length for length in lengths if length < lengths[-1])


def test_nothing_to_train_on_says_why(chat: Chat) -> None:
    masked = [make_trace(chat, number, trained=(False, False)) for number in range(3)]
    with pytest.raises(
        InputError, match=r"none of 3 traces .*3 have no turn marked .*'masked by the test' 6x"
    ):
        prepare_examples(masked, chat, max_tokens=1000)
    with pytest.raises(InputError, match=r"1 are longer than max_tokens=10 \(the shortest has \d+ tokens\)"):
        prepare_examples([make_trace(chat, 0)], chat, max_tokens=10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"template_hash": "other"}, "trace trace-3: sampled under chat template 'other'"),
        ({"template_hash": ""}, "trace trace-3: sampled under chat template ''"),
        ({"call_format": "paper"}, "trace trace-3: call_format is 'paper', the policy's is 'hermes'"),
        ({"labels": ()}, r"trace trace-3: labels are for messages \[\], expected"),
    ],
)
def test_traces_of_another_making_are_refused(chat: Chat, change: dict[str, object], message: str) -> None:
    trace = make_trace(chat, 3).model_copy(update=change)
    with pytest.raises(InputError, match=message):
        prepare_examples([trace], chat, max_tokens=1000)


def test_text_of_a_foreign_engine_needs_no_template_hash(chat: Chat) -> None:
    trace = make_trace(chat, 3)
    turns = tuple(turn.model_copy(update={"retokenized": True}) for turn in trace.turns)
    foreign = trace.model_copy(update={"turns": turns, "template_hash": ""})
    begin = build_messages(trace.question, (), trace.prompt, "hermes", chat.native_tools)
    expected = trace.model_copy(update={"messages": (*begin, *trace.messages[2:])})
    assert (
        prepare_examples([foreign], chat, max_tokens=1000).examples[0].ids == encode_trace(expected, chat).ids
    )


@pytest.mark.parametrize("retokenized", [False, True])
@pytest.mark.parametrize("call_format", ["hermes", "paper"])
@pytest.mark.parametrize("family", FAMILIES)
def test_training_shows_the_prompt_that_evaluation_shows(
    family: str, call_format: str, retokenized: bool
) -> None:
    """Also for a teacher's text, whose engine has no template of ours and describes the tools in words."""
    chat = Chat(family_tokenizer(family), call_format)
    asked = Question(id="q", text="What is 3 plus 4?")
    native = chat.native_tools and not retokenized
    said = "The answer is 7."
    ids = (*chat.tokenizer.encode(said, add_special_tokens=False), chat.stop_ids[0])
    trace = LabeledTrace(
        id="q#0",
        question=asked,
        tools=json.dumps([CALCULATOR]),
        messages=(
            *build_messages(asked, [CALCULATOR], "multi_step", call_format, native),
            Message(role="assistant", content=chat.decode(ids)),
        ),
        turns=(
            AssistantTurn(
                message=2,
                token_ids=() if retokenized else ids,
                logprobs=() if retokenized else (-1.0,) * len(ids),
                finish_reason="stop",
                retokenized=retokenized,
            ),
        ),
        calls=(),
        outcome=Outcome(answer="7"),
        model="m",
        template_hash="" if retokenized else chat.template_hash,
        call_format=call_format,
        native_tools=native,
        labels=(TurnLabel(message=2, trained=True),),
    )
    example = prepare_examples([trace], chat, max_tokens=4000).examples[0]
    shown = build_messages(asked, [CALCULATOR], "multi_step", call_format, chat.native_tools)
    tools = template_tools([CALCULATOR], call_format, chat.native_tools)
    prompt = chat.encode(shown, tools, generation_prompt=True).ids
    assert list(example.ids[: len(prompt)]) == prompt
    assert chat.tokenizer.decode(prompt).count("Compute.") == 1  # the tool is described once
    assert not any(example.weights[: len(prompt)])
    trained = [token for token, weight in zip(example.ids, example.weights, strict=True) if weight]
    assert trained[-1] in chat.stop_ids
    assert chat.decode(trained) == trace.messages[2].content
    if not retokenized:
        assert tuple(trained) == ids
