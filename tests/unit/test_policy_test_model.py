"""The test model does what other tests rely on."""

from components.contracts.tool_calls import get_call_format
from components.policy.engine import Conversation, Sampling
from components.policy.load import load_policy
from components.policy.settings import ModelSettings
from components.policy.transformers_engine import TransformersEngine
from components.rollout.prompts import build_messages
from tests.test_model import build_test_model, plain_questions, service_tools, word_problems


def test_it_calls_the_calculator_for_word_problems_and_not_otherwise() -> None:
    policy = load_policy(
        str(build_test_model()), settings=ModelSettings(dtype="float32", threads=1), call_format="paper"
    )
    engine = TransformersEngine(policy, batch_size=48)
    tools = service_tools()
    questions = word_problems(40, 7) + plain_questions(8, 7)
    asked = [Conversation(build_messages(q, tools, "single_step", "paper", False)) for q in questions]
    found = engine.complete(asked, Sampling(0, 1, 40), seeds=range(len(asked)))
    turns = [get_call_format("paper").parse(completion.text, tools) for completion in found]
    called = [turn.calls[0].call.name if turn.calls else "" for turn in turns]
    assert called[:40].count("calculator") >= 36
    assert called[40:] == [""] * 8
    right = [
        str(_value(str(turn.calls[0].call.arguments["expression"]))) in question.answers
        for turn, question in zip(turns, questions, strict=True)
        if turn.calls
    ]
    assert sum(right) >= 28


def _value(expression: str) -> int:
    left, operation, right = expression.split()
    a, b = int(left), int(right)
    return {"+": a + b, "-": a - b, "*": a * b}[operation]
