"""The agent loop with the real tools service; the engine follows a script."""

import json
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.records import Question, ToolCall, ToolReply, Trace
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_errors import ToolError
from components.policy.engine import Conversation
from components.rollout.loop import run_rollouts
from components.rollout.settings import RolloutSettings
from components.rollout.tools_client import ToolsClient
from tests.scripted_engine import STOP_ID, ScriptedEngine, last_text, turn_number
from tests.small_tools import small_tools
from tests.tools_process import ToolsProcess

MULTI = RolloutSettings()
SINGLE = RolloutSettings(variant="single_step")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    with small_tools(tmp_path_factory.mktemp("tools")) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: ToolsProcess) -> Iterator[ToolsClient]:
    with ToolsClient(service.url) as opened:
        yield opened


def call(call_format: str, name: str, **arguments: str) -> str:
    return get_call_format(call_format).render([ToolCall(name=name, arguments=dict(arguments))])


def question(name: str = "q", text: str = "What is 20+22?", tools: Sequence[str] = ()) -> Question:
    return Question(id=name, text=text, answers=("42",), answer_type="number", tools=tuple(tools))


def one(engine: ScriptedEngine, client: ToolsClient | None, chosen: RolloutSettings = MULTI) -> Trace:
    (trace,) = run_rollouts([(question(), 0)], engine, client, chosen)
    return trace


def call_then_answer(call_format: str) -> ScriptedEngine:
    def script(conversation: Conversation) -> str:
        if turn_number(conversation) == 0:
            return call(call_format, "calculator", expression="20+22")
        return get_call_format(call_format).render_answer(last_text(conversation))

    return ScriptedEngine(script, call_format=call_format)


@pytest.mark.parametrize("call_format", CALL_FORMATS)
def test_a_call_its_reply_and_an_answer(call_format: str, client: ToolsClient) -> None:
    engine = call_then_answer(call_format)
    trace = one(engine, client)
    assert [message.role for message in trace.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert trace.messages[3].name == "calculator"
    assert [(found.message, found.reply.content, found.reply.error) for found in trace.calls] == [
        (2, "42", None)
    ]
    assert trace.outcome.answer == "42"
    assert trace.outcome.correct is None
    assert [turn.message for turn in trace.turns] == [2, 4]
    assert json.loads(trace.tools) == list(client.list_tools())
    assert Trace.model_validate_json(trace.model_dump_json()) == trace


def test_what_was_sampled_goes_back_verbatim(client: ToolsClient) -> None:
    engine = call_then_answer("paper")
    trace = one(engine, client)
    first, second = engine.asked
    assert first[0].sampled == {}
    assert second[0].sampled == {2: trace.turns[0].token_ids}
    for turn in trace.turns:
        assert bytes(turn.token_ids[:-1]).decode() == trace.messages[turn.message].content
        assert turn.token_ids[-1] == STOP_ID
        assert len(turn.logprobs) == len(turn.token_ids)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("Action: weather[Orlin]", ToolError.TOOL_HALLUCINATION, "calculator"),
        ("Action: calculator[expression='2', formula=1]", ToolError.PARAMETER_HALLUCINATION, "expression"),
        ("Action: calculator[20+22", ToolError.PARSE_FAILURE, "could not be read"),
    ],
)
def test_a_bad_call_is_answered_with_its_error_and_is_no_pass(
    text: str, error: ToolError, told: str, client: ToolsClient
) -> None:
    engine = ScriptedEngine(lambda c: "Answer: 42" if turn_number(c) else text, call_format="paper")
    trace = one(engine, client)
    (found,) = trace.calls
    assert found.reply.error is error
    assert found.reply.content.startswith("Error: ")
    assert told in found.reply.content
    assert trace.messages[3].content == found.reply.content
    assert trace.outcome.answer == "42"


def test_the_services_own_error_comes_back_typed(client: ToolsClient) -> None:
    engine = ScriptedEngine(
        lambda c: "Answer: none" if turn_number(c) else "Action: calculator[1/0]", call_format="paper"
    )
    (found,) = one(engine, client).calls
    assert found.reply.error is not None
    assert found.reply.error.is_models_fault


@pytest.mark.parametrize(
    ("chosen", "turns"),
    [(MULTI, 9), (RolloutSettings(max_steps=3), 3), (SINGLE, 2), (RolloutSettings(max_steps=1), 1)],
)
def test_steps_are_capped_and_the_last_call_is_not_executed(
    chosen: RolloutSettings, turns: int, client: ToolsClient
) -> None:
    engine = ScriptedEngine(lambda _: "Action: calculator[1+1]", call_format="paper")
    trace = one(engine, client, chosen)
    assert len(trace.turns) == turns
    assert [found.reply.error for found in trace.calls] == [None] * (turns - 1) + [
        ToolError.TOOL_CALL_FAILURE
    ]
    assert trace.messages[-1].role == "assistant"
    assert trace.outcome.answer is None


@pytest.mark.parametrize("variant", ["plain", "cot"])
def test_variants_without_tools_need_no_service(variant: str) -> None:
    engine = ScriptedEngine(lambda _: "20+22 makes 42.\nAnswer: 42")
    trace = one(engine, None, RolloutSettings.model_validate({"variant": variant}))
    assert trace.tools == "[]"
    assert len(trace.turns) == 1
    assert not trace.calls
    assert (trace.outcome.answer or "").endswith("42")
    assert "calculator" not in trace.messages[0].content


def test_tools_go_to_the_template_where_it_shows_them(client: ToolsClient) -> None:
    for call_format, native, shown in (
        ("hermes", True, True),
        ("hermes", False, False),
        ("paper", True, False),
    ):
        if call_format not in CALL_FORMATS:
            continue
        engine = ScriptedEngine(lambda _: "42", call_format=call_format, native_tools=native)
        trace = one(engine, client)
        assert bool(engine.asked[0][0].tools) is shown
        assert ("calculator" in trace.messages[0].content) is not shown
        assert trace.native_tools is native


def test_prefills_go_round_and_only_begin_the_first_turn(client: ToolsClient) -> None:
    def script(conversation: Conversation) -> str:
        if turn_number(conversation) == 0:
            return " 1+1]" if conversation.prefill else "Action: calculator[3]"
        return "Answer: 2"

    engine = ScriptedEngine(script, call_format="paper")
    offered = question(tools=("calculator", "wikipedia_search"))
    samples = [(offered, sample) for sample in range(6)]
    traces = list(run_rollouts(samples, engine, client, RolloutSettings(prefill="action")))
    begun = {trace.sample: trace.messages[2].content for trace in traces}
    assert begun[0] == begun[3] == "Action: calculator[3]"
    assert begun[1] == begun[4] == "Action: calculator[expression = 1+1]"
    assert begun[2] == begun[5] == "Action: wikipedia_search[query = 1+1]"
    for trace in traces:
        assert trace.turns[0].prefilled == (
            0 if trace.sample % 3 == 0 else len(begun[trace.sample]) - len(" 1+1]")
        )
        assert trace.turns[1].prefilled == 0


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@pytest.mark.parametrize("prefill", ["none", "action", "sampled_action"])
def test_the_turn_that_has_to_answer_begins_as_the_format_begins_an_answer(
    prefill: str, call_format: str, client: ToolsClient
) -> None:
    form = get_call_format(call_format)
    whole = call(call_format, "calculator", expression="1+1")

    def script(conversation: Conversation) -> str:
        if turn_number(conversation) > 0:
            return " 2"
        if call_format == "paper" and conversation.prefill:
            return " 1+1]"
        return whole.removeprefix(conversation.prefill)

    engine = ScriptedEngine(script, call_format=call_format)
    chosen = RolloutSettings.model_validate({"variant": "single_step", "prefill": prefill})
    samples = [(question(tools=("calculator",)), sample) for sample in range(4)]
    traces = list(run_rollouts(samples, engine, client, chosen))
    expected = form.prefill_answer() if prefill != "none" else ""
    assert bool(expected) is (call_format == "paper" and prefill != "none")
    assert {one.prefill for one in engine.asked[1]} == {expected}
    for trace in traces:
        assert trace.messages[-1].content == f"{expected} 2"
        assert trace.turns[1].prefilled == len(expected)
        assert trace.outcome.answer == "2"


def test_the_answer_is_prefilled_in_the_last_turn_only(client: ToolsClient) -> None:
    engine = ScriptedEngine(lambda c: " 2" if c.prefill else "Action: calculator[1+1]", call_format="paper")
    trace = one(engine, client, RolloutSettings(max_steps=3, prefill="action"))
    assert [asked[0].prefill for asked in engine.asked] == ["", "", "Answer:"]
    assert [turn.prefilled for turn in trace.turns] == [0, 0, len("Answer:")]
    assert (len(trace.calls), trace.outcome.answer) == (2, "2")


@pytest.mark.parametrize("variant", ["plain", "cot"])
def test_no_answer_is_prefilled_without_tools(variant: str) -> None:
    engine = ScriptedEngine(lambda _: "Answer: 42", call_format="paper")
    chosen = RolloutSettings.model_validate({"variant": variant, "prefill": "action"})
    assert one(engine, None, chosen).turns[0].prefilled == 0
    assert engine.asked[0][0].prefill == ""


class CountingClient(ToolsClient):
    """The real client, with a record of how many calls went out together."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.batches: list[int] = []

    def call_batch(self, calls: Sequence[ToolCall]) -> list[ToolReply]:
        self.batches.append(len(calls))
        return super().call_batch(calls)


def test_open_conversations_advance_together_and_leave_when_done(service: ToolsProcess) -> None:
    def script(conversation: Conversation) -> str:
        wanted = int(conversation.messages[1].content)
        return "Action: calculator[1+1]" if turn_number(conversation) < wanted else "Answer: 2"

    engine = ScriptedEngine(script, call_format="paper")
    samples = [(question(f"q{rounds}", str(rounds)), 0) for rounds in (3, 0, 1, 2)]
    with CountingClient(service.url) as client:
        traces = run_rollouts(samples, engine, client, RolloutSettings(concurrent=3))
        assert next(traces).question.id == "q0"
        assert len(engine.asked) == 1
        assert [trace.question.id for trace in traces] == ["q1", "q3", "q2"]
    assert [len(asked) for asked in engine.asked] == [3, 3, 2, 2]
    assert client.batches == [2, 2, 2]


@pytest.mark.parametrize("concurrent", [1, 2, 64])
def test_traces_and_seeds_do_not_depend_on_the_neighbours(concurrent: int, client: ToolsClient) -> None:
    def seeds_of(engine: ScriptedEngine) -> dict[tuple[str, int], int]:
        return {
            (conversation.messages[1].content, turn_number(conversation)): seed
            for asked, seeds in zip(engine.asked, engine.seeds, strict=True)
            for conversation, seed in zip(asked, seeds, strict=True)
        }

    samples = [(question(f"q{i}", f"What is {i}+1?"), 0) for i in range(5)]
    alone, together = call_then_answer("paper"), call_then_answer("paper")
    first = {t.id: t for t in run_rollouts(samples, alone, client, RolloutSettings(concurrent=1))}
    second = {
        t.id: t for t in run_rollouts(samples, together, client, RolloutSettings(concurrent=concurrent))
    }
    assert {name: t.messages for name, t in first.items()} == {name: t.messages for name, t in second.items()}
    assert seeds_of(alone) == seeds_of(together)
    assert len(set(seeds_of(alone).values())) == 10


def test_unknown_tool_in_a_question_is_named_with_those_there_are(client: ToolsClient) -> None:
    samples = [(question("q7", tools=("calculater",)), 0)]
    with pytest.raises(InputError, match=r"question 'q7'.*'calculater'.*calculator"):
        list(run_rollouts(samples, ScriptedEngine(lambda _: "x"), client, MULTI))


def test_a_service_that_dies_on_the_way_is_instability(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("dying")
    with small_tools(folder) as dying, ToolsClient(dying.url, attempts=2, back_off=0.01) as client:
        client.list_tools()
        dying.process.kill()
        dying.process.wait()
        trace = one(call_then_answer("paper"), client)
    (found,) = trace.calls
    assert found.reply.error is ToolError.TOOL_INSTABILITY
    assert found.reply.content.startswith("Error: ")
    assert len(trace.turns) == 2


_pieces = st.sampled_from(
    ["Action: ", "Answer: ", "calculator", "[", "]", "(", ")", '"', "\\ud800", "1e999", "\n", "<tool_call>",
     "</tool_call>", '{"name": "calculator", "arguments": {"expression": "\\ud800"}}', "<|im_end|>", "=", ","]
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.lists(_pieces | st.text(max_size=20), max_size=8).map("".join), min_size=1, max_size=6),
    call_format=st.sampled_from(CALL_FORMATS),
    variant=st.sampled_from(["single_step", "multi_step"]),
)
def test_whatever_a_model_says_becomes_a_trace(
    texts: list[str], call_format: str, variant: str, client: ToolsClient
) -> None:
    engine = ScriptedEngine(lambda c: texts[turn_number(c) % len(texts)], call_format=call_format)
    trace = one(engine, client, RolloutSettings.model_validate({"variant": variant, "max_steps": 4}))
    assert Trace.model_validate_json(trace.model_dump_json()) == trace
    assert 1 <= len(trace.turns) <= 4
    for found in trace.calls:
        assert found.reply.content.startswith("Error: ") is (found.reply.error is not None)
        assert found.call is not None or found.reply.error is ToolError.PARSE_FAILURE
