"""Which assistant turns become prompts with golds, and what becomes of the others."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from components.contracts.errors import InputError
from components.contracts.records import LabeledTrace, Message, Question
from components.contracts.tool_errors import ToolError
from components.policy.chat import Chat
from components.policy.load import open_chat
from components.ppo.samples import GOLD, LONG_GOLD, LONG_PROMPT, TOOLS, UNPARSED, PromptSet, read_samples
from tests.tiny_model import make_trace
from tests.two_tools import CALL_FORMAT, RIGHT, WRONG, call_of, gold_trace, prompt_of, two_tool_model
from tests.two_tools import TOOLS as OFFERED


@pytest.fixture(scope="module")
def chat() -> Chat:
    return open_chat(str(two_tool_model()), CALL_FORMAT)


def read(traces: Iterable[LabeledTrace], chat: Chat, **limits: int) -> PromptSet:
    found = read_samples(traces, chat, **{"max_prompt_tokens": 500, "max_new_tokens": 50, **limits})
    assert found.turns == (
        len(found.samples)
        + found.left_out
        + found.merged
        + found.without_calls
        + found.faulty
        + found.quarantined.total()
    )
    return found


def test_a_faultless_call_is_the_gold_of_what_came_before_it(chat: Chat) -> None:
    found = read([gold_trace(chat, "rain"), gold_trace(chat, "snow", call=WRONG, trained=False)], chat)
    first, second = found.samples
    assert first.id == "trace-rain:2"
    assert first.prompt == tuple(chat.encode(prompt_of("rain"), generation_prompt=True).ids)
    assert first.conversation.messages == prompt_of("rain")
    assert first.golds == (({"name": "alpha", "arguments": {"x": 1}},),)
    assert second.golds[0][0]["name"] == "beta"  # a mask makes no difference


def test_faulty_and_callless_turns_are_counted(chat: Chat) -> None:
    traces = [
        gold_trace(chat, "rain"),
        gold_trace(chat, "snow", error=ToolError.TOOL_CALL_FAILURE),
        gold_trace(chat, "fog", call="no call at all"),
    ]
    found = read(traces, chat)
    assert (len(found.samples), found.faulty, found.without_calls) == (1, 1, 1)


def broken_schema() -> list[dict[str, Any]]:
    tool = json.loads(json.dumps(OFFERED[0]))
    tool["function"]["parameters"]["properties"]["x"]["type"] = "whole"
    return [tool]


def test_what_cannot_serve_is_quarantined_with_its_reason(chat: Chat) -> None:
    unparsed = gold_trace(chat, "hail")
    unparsed = unparsed.model_copy(
        update={"calls": (*unparsed.calls, unparsed.calls[0].model_copy(update={"call": None}))}
    )
    traces = [
        gold_trace(chat, "rain"),
        gold_trace(chat, "snow", tools=OFFERED[1:]),
        gold_trace(chat, "wind", tools=[]),
        gold_trace(chat, "fog", tools=broken_schema()),
        gold_trace(chat, "heat " * 200),
        gold_trace(chat, "frost", call="[alpha(x=" + "1" * 60 + ")]"),
        unparsed,
        gold_trace(chat, "mist").model_copy(update={"tools": "not JSON"}),
    ]
    found = read(traces, chat)
    assert [sample.id for sample in found.samples] == ["trace-rain:2"]
    assert found.quarantined == {GOLD: 1, TOOLS: 3, LONG_PROMPT: 1, LONG_GOLD: 1, UNPARSED: 1}
    assert found.named[GOLD] == ["trace-snow:2: gold[0][0].name: the tool 'alpha' is not among those offered"]
    assert "trace-wind:2: tools: expected at least one tool, got none" in found.named[TOOLS]
    assert any("not JSON schema" in line for line in found.named[TOOLS])
    assert found.named[LONG_PROMPT][0].endswith("500 allowed")


def test_none_left_says_why(chat: Chat) -> None:
    traces = [
        gold_trace(chat, "snow", tools=[]),
        gold_trace(chat, "rain", error=ToolError.TIMEOUT),
        gold_trace(chat, "fog", call="none"),
    ]
    with pytest.raises(InputError) as caught:
        read(traces, chat)
    text = str(caught.value)
    assert text.startswith("labeled: none of 3 assistant turns is a prompt with gold calls: 1 make no call; ")
    assert "1 are faulty by their label" in text
    assert "got none)" in text
    assert "\n" not in text


def test_equal_prompts_become_one_with_alternatives(chat: Chat) -> None:
    traces = [gold_trace(chat, "rain", call=call) for call in (RIGHT, WRONG, RIGHT)]
    found = read(traces, chat)
    (sample,) = found.samples
    assert found.merged == 2
    assert [gold[0]["name"] for gold in sample.golds] == ["alpha", "beta"]


def test_golds_of_the_question_count_too(chat: Chat) -> None:
    trace = gold_trace(chat, "rain")
    golds = ((call_of("alpha", x=1),), (call_of("beta", x=2), call_of("alpha", x=3)))
    trace = trace.model_copy(update={"question": Question(id="q", text="rain", golds=golds)})
    (sample,) = read([trace], chat).samples
    assert len(sample.golds) == 2
    assert [call["arguments"] for call in sample.golds[1]] == [{"x": 2}, {"x": 3}]


def test_limit_is_a_choice_of_the_seed(chat: Chat) -> None:
    traces = [gold_trace(chat, f"topic {number}") for number in range(30)]
    first, again, other = (
        [sample.id for sample in read(traces, chat, max_samples=10, seed=seed).samples] for seed in (1, 1, 2)
    )
    assert len(first) == 10
    assert first == again != other
    assert read(traces, chat, max_samples=10).left_out == 20


def test_later_turns_see_earlier_ones_as_they_were_sampled(chat: Chat) -> None:
    trace = gold_trace(chat, "rain")
    turn = trace.turns[0].model_copy(update={"message": 4})
    later = trace.model_copy(
        update={
            "messages": (
                *trace.messages,
                Message(role="tool", content="7", name="alpha"),
                Message(role="assistant", content=RIGHT),
            ),
            "turns": (*trace.turns, turn),
            "calls": (*trace.calls, trace.calls[0].model_copy(update={"message": 4})),
            "labels": (*trace.labels, trace.labels[0].model_copy(update={"message": 4})),
        }
    )
    first, second = read([later], chat).samples
    ids = trace.turns[0].token_ids
    assert (first.id, second.id) == ("trace-rain:2", "trace-rain:4")
    assert second.prompt[: len(first.prompt) + len(ids)] == first.prompt + ids
    assert second.conversation.sampled == {2: ids}


def test_foreign_traces_are_asked_as_this_policy_is_asked(chat: Chat) -> None:
    trace = gold_trace(chat, "rain")
    turn = trace.turns[0].model_copy(update={"token_ids": (), "logprobs": (), "retokenized": True})
    foreign = trace.model_copy(update={"template_hash": "", "turns": (turn,)})
    (sample,) = read([foreign], chat).samples
    system = sample.conversation.messages[0].content
    assert "alpha" in system
    assert "beta" in system  # the template shows no tools, so the prompt describes them
    assert sample.conversation.messages[1].content == "rain"


def test_traces_of_another_template_or_tokenizer_are_refused(chat: Chat) -> None:
    with pytest.raises(InputError, match="call_format is 'hermes', the policy's is 'pythonic'"):
        read([make_trace(chat, 1)], chat)
    with pytest.raises(InputError, match="sampled under chat template 'x'"):
        read([gold_trace(chat, "rain").model_copy(update={"template_hash": "x"})], chat)
