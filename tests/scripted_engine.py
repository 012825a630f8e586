"""An engine that says what a script tells it to, byte by byte; for tests of what stands around engines."""

from collections.abc import Callable, Sequence

from components.policy.engine import Completion, Conversation, Sampling

STOP_ID = 256
Script = Callable[[Conversation], str]


class ScriptedEngine:
    """Token ids are the text's UTF-8 bytes, then `STOP_ID`; each sampled token has log-prob -0.5.

    script: the turn's text behind the prefill, given the conversation so far.
    """

    base_model = "scripted"
    template_hash = "scripted-template"

    def __init__(self, script: Script, *, call_format: str = "hermes", native_tools: bool = False) -> None:
        self.call_format = call_format
        self.native_tools = native_tools
        self.script = script
        self.asked: list[list[Conversation]] = []
        self.seeds: list[list[int]] = []

    def complete(
        self, conversations: Sequence[Conversation], sampling: Sampling, *, seeds: Sequence[int]
    ) -> list[Completion]:
        """One scripted turn for each conversation."""
        self.asked.append(list(conversations))
        self.seeds.append(list(seeds))
        return [self._turn(conversation) for conversation in conversations]

    def _turn(self, conversation: Conversation) -> Completion:
        given = len(conversation.prefill.encode())
        text = conversation.prefill + self.script(conversation)
        ids = (*text.encode("utf-8", errors="replace"), STOP_ID)
        return Completion(
            text=text,
            token_ids=ids,
            logprobs=(0.0,) * given + (-0.5,) * (len(ids) - given),
            finish_reason="stop",
            prefilled=given,
        )


class SmallContext(ScriptedEngine):
    """One that measures prompts: a byte is a token, and the template adds none. measured: how many it was asked for."""

    context = 2000
    measured = 0

    def count_tokens(self, conversation: Conversation) -> int:
        """See `MeasuresPrompts`."""
        self.measured += 1
        shown = [message.content for message in conversation.messages]
        return sum(len(text.encode()) for text in [*shown, conversation.prefill])


def turn_number(conversation: Conversation) -> int:
    """How many assistant turns there are already."""
    return sum(message.role == "assistant" for message in conversation.messages)


def last_text(conversation: Conversation) -> str:
    """The last message's text."""
    return conversation.messages[-1].content
