"""The profile of where a policy's calls go wrong, from the traces of an evaluation."""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.records import Trace
from components.contracts.tool_schemas import parse_tools
from components.scoring.judgement import score_trace
from components.scoring.profile import Scored, Tokens, profile_calls
from components.scoring.rotbench import rules_for

CHARACTERS = "characters"


def profile_traces(
    traces: Iterable[Trace], tokens: Tokens, tokenizer: str, *, official: bool = False
) -> dict[str, JsonValue]:
    """`Profile.summary` of the traces whose questions have golds, and the `tokenizer` behind it.

    tokens, tokenizer: of `name_tokens`. official: see `score_trace`.
    """
    profile = profile_calls(_scored(traces, official), tokens)
    return {"tokenizer": tokenizer, **profile.summary()}


def name_tokens(base_model: str, *, required: bool = False) -> tuple[Tokens, str]:
    """What splits a tool's name into tokens, and what to call it.

    That is the policy's tokenizer; characters, where a server knows the model and this machine does not.

    Raises:
        InputError: it can't be loaded, and is `required`.
    """
    from components.policy.load import open_chat

    try:
        tokenizer = open_chat(base_model, "hermes").tokenizer
    except InputError:
        if required:
            raise
        return list, CHARACTERS

    def tokens(name: str) -> Sequence[int]:
        ids: Sequence[int] = tokenizer(name, add_special_tokens=False)["input_ids"]
        return ids

    return tokens, base_model


def _scored(traces: Iterable[Trace], official: bool) -> Iterator[Scored]:
    for trace in traces:
        if trace.question.golds:
            tools = parse_tools(trace.tools)
            yield score_trace(trace, official=official), tools, rules_for(trace.question.kind, tools)
