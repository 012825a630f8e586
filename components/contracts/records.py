"""The records that pass between stages: one pydantic model each, one JSON line each on disk.

Every record refuses unknown fields and is immutable. Token ids are stored as they were sampled and
are never recomputed from text.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from components.contracts.tool_errors import ToolError

PromptVariant = Literal["plain", "cot", "single_step", "multi_step"]
PairKind = Literal["response", "conversation", "masked_conversation", "step"]
FinishReason = Literal["stop", "length", "complete"]  # complete: the call format says the turn is whole
Difficulty = Literal[
    "", "easy", "medium", "hard"
]  # the third of a set (`scoring.difficulty`); empty: not told


class Record(BaseModel):
    """Base of all records: immutable, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolCall(Record):
    """One parsed call. `arguments` are typed JSON values, keyed by parameter name."""

    name: str
    arguments: dict[str, JsonValue]
    id: str = ""


class Message(Record):
    """One chat message. For `assistant`, `content` is the raw text as sampled, calls included."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    name: str = ""  # the tool's name, for role "tool"


class Question(Record):
    """One question with its accepted answers.

    `tools` names the tools to offer; empty offers all that the service has. `subject` is what a
    split must not divide (the entity asked about). `answers` may be empty only for questions that
    are judged by `golds`, or sampled but never judged.

    `history` is the conversation before `text`; a system message at its head replaces the prompt's own
    instruction, and one that ends with a tool's reply goes on from there: `text` is then the request that it
    answers. `offered` is for questions that bring their tools along: a JSON array of OpenAI tool
    schemas. `golds` are the accepted next turns, each one or more parallel calls of offered tools.

    `suite` names the benchmark that it comes from ("bfcl:multiple"); empty for users' own questions. `reference`
    is JSON: what that benchmark's own checker needs beside the golds.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    answer_type: Literal["text", "number"] = "text"
    kind: str = "question"
    subject: str = ""
    tools: tuple[str, ...] = ()
    history: tuple[Message, ...] = ()
    offered: str = ""
    golds: tuple[tuple[ToolCall, ...], ...] = ()
    suite: str = ""
    reference: str = ""


class ToolReply(Record):
    """What came back for one call; `error` is None exactly when the call succeeded."""

    content: str
    error: ToolError | None = None
    seconds: float = 0.0
    call_id: str = ""


class AssistantTurn(Record):
    """How one assistant message came to be, token by token.

    token_ids and logprobs are aligned (nats; 0.0 for prefilled tokens). The first `prefilled`
    tokens were given, not sampled. `token_ids` ends with a stop id when finish_reason is "stop".
    `retokenized` marks turns of engines that return text only.
    """

    message: int  # index into Trace.messages
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    prefilled: int = 0
    retokenized: bool = False


class ExecutedCall(Record):
    """One attempted call and its reply. `call` is None when the text could not be parsed."""

    message: int  # index of the assistant message that made the call
    text: str  # the call as the model wrote it
    call: ToolCall | None
    reply: ToolReply


class Outcome(Record):
    """The final answer and its judgement; `correct` is None when there was no gold.

    category: what a conversation of BFCL was found to be; empty for all others.
    """

    answer: str | None
    correct: bool | None = None
    score: float | None = None
    category: str = ""


class Trace(Record):
    """One question taken through the agent loop.

    native_tools: the engine's chat template could render tool schemas itself; where it could not, the
    system message describes them.
    """

    id: str
    question: Question
    tools: str  # JSON array of OpenAI tool schemas; a string, so that Arrow never merges schemas
    messages: tuple[Message, ...]
    turns: tuple[AssistantTurn, ...]
    calls: tuple[ExecutedCall, ...]
    outcome: Outcome
    model: str  # base model URI
    adapter: str = ""  # digest of the adapter artifact, empty for the base model
    template_hash: str = ""
    call_format: str = ""
    native_tools: bool = False
    prompt: PromptVariant = "multi_step"
    sample: int = 0
    seed: int = 0


class TurnLabel(Record):
    """Whether one assistant turn is trained on, and why."""

    message: int
    trained: bool
    error: ToolError | None = None
    reason: str = ""


class LabeledTrace(Trace):
    """A trace with a label on each assistant turn (same order as `turns`)."""

    labels: tuple[TurnLabel, ...]


class PreferencePair(Record):
    """A chosen and a rejected continuation of the same prompt.

    `prompt` are the messages before both; `chosen` and `rejected` the messages that follow on each side. The
    turns hold the token ids of the assistant's messages as they were sampled; their `message` counts from the
    prompt's first. `shared` leading tokens of both first turns belong to the prompt and are never trained (`step`
    pairs); prefilled tokens behind them are.

    kind: `response`: the first assistant turn alone; `conversation`: all messages, the tools' text is trained
    too; `masked_conversation`: all messages, assistant turns trained; `step`: a piece of one turn.
    """

    id: str
    question_id: str
    kind: PairKind
    tools: str  # JSON array of OpenAI tool schemas
    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    chosen_turns: tuple[AssistantTurn, ...]
    rejected_turns: tuple[AssistantTurn, ...]
    prompt_turns: tuple[AssistantTurn, ...] = ()
    shared: int = 0
    template_hash: str = ""
    call_format: str = ""
    native_tools: bool = False
    variant: PromptVariant = "multi_step"
    source: str = ""
    chosen_q: float | None = None
    rejected_q: float | None = None


class EvaluationItem(Record):
    """One judged question. Rates are made from these counts, never stored alone.

    calls: attempted calls, parse failures included. first_turn_calls: those of the first assistant
    turn. passed_calls: replies without an error. answerable_calls: passed replies that contain an
    accepted answer.

    A question with golds is judged on one turn, in which nothing is executed: `tool_selected`,
    `parameters_identified` and `content_filled` say how far the turn's calls agree with the accepted
    ones, `category` names the worst disagreement, `unparsed` is a turn with a call that can't be parsed
    and `correct` equals `content_filled`; `passed_calls` are then those that fit the offered schemas.
    `predicted` are the turn's parsed calls, `accepted` the golds, `difficulty` the third of the judged questions
    with golds that it is in. Where tools were executed instead, `valid_answer` says whether it ended in an answer
    that is no refusal; of BFCL's conversations `category` is what the checker says. `executed_correct` is API-Bank's
    verdict by execution, where its classes are there, and `execution_note` why the call is wrong by it or could not be
    executed (None then). None: not judged so.

    seconds: its share of the time in which it and those sampled with it came; sums are exact. tokens: sampled.
    """

    id: str
    suite: str
    kind: str
    question: str
    gold: tuple[str, ...]
    answer: str | None
    correct: bool
    exact_match: bool
    calls: int
    first_turn_calls: int
    passed_calls: int
    answerable_calls: int
    tools_called: tuple[str, ...]
    errors: tuple[ToolError, ...]
    seconds: float
    tokens: int
    trace_id: str
    tool_selected: bool | None = None
    parameters_identified: bool | None = None
    content_filled: bool | None = None
    unparsed: bool = False
    category: str = ""
    valid_answer: bool | None = None
    predicted: tuple[ToolCall, ...] = ()
    accepted: tuple[tuple[ToolCall, ...], ...] = ()
    difficulty: Difficulty = ""
    executed_correct: bool | None = None
    execution_note: str = ""


class PolicyCard(Record):
    """`policy.json` in an adapter artifact: what a server or a later stage must agree with."""

    base_model: str
    template_hash: str
    call_format: str
    stop_ids: tuple[int, ...]
    settings: dict[str, JsonValue]
    lineage: dict[str, str]
