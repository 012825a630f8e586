"""The one place where messages become tokens: for generation, training and evaluation alike."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from components.contracts.errors import InputError
from components.contracts.records import Message
from components.policy.control_tokens import Chunk, ControlTokens
from components.policy.offsets import token_offsets
from components.policy.template import Region, Rendered, Template

SpanKind = Literal["system", "user", "tool", "assistant", "control"]


@dataclass(frozen=True)
class Span:
    """Tokens [start, end) come from message `message` (-1: from the template).

    An assistant span is what the model says, its stop token included; a prefill's message is the
    one that is to come.
    """

    kind: SpanKind
    start: int
    end: int
    message: int = -1


@dataclass(frozen=True)
class Encoding:
    """Token ids, and the spans that divide them, in order and without gaps."""

    ids: list[int]
    spans: list[Span]


@dataclass(frozen=True)
class _Piece:
    """Text with whose it is, and which control tokens it may become (see `Chunk`)."""

    text: str
    kind: SpanKind
    message: int
    trust: str


class Chat:
    """A tokenizer's chat template as tokens with spans.

    template_hash: differs when the template differs. stop_ids: tokens that end an assistant turn, the
    template's own first. native_tools: the template renders `tools=`. system_role, tool_role: it has these roles.

    Raises:
        InputError: no usable chat template (see `Template`).
    """

    def __init__(self, tokenizer: Any, call_format: str, *, stop_ids: Collection[int] = ()) -> None:
        self.tokenizer = tokenizer
        self.call_format = call_format
        self._template = Template(tokenizer)
        self._control = ControlTokens(tokenizer, self._template.source)
        self.template_hash = self._template.hash
        self.native_tools = self._template.native_tools
        self.system_role, self.tool_role = self._template.has_system, self._template.has_tool
        self._stop_text = self._find_stop_text()
        stop_id = int(tokenizer.convert_tokens_to_ids(self._stop_text))
        others = [tokenizer.eos_token_id, *stop_ids]
        self.stop_ids: tuple[int, ...] = tuple(
            dict.fromkeys([stop_id, *(i for i in others if i is not None)])
        )

    @property
    def control_ids(self) -> frozenset[int]:
        """Ids that text from users and tools never becomes."""
        return self._control.ids

    def encode(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        sampled: Mapping[int, Sequence[int]] | None = None,
        prefill: str = "",
        generation_prompt: bool = False,
    ) -> Encoding:
        """Token ids of a conversation.

        tools: shown only by templates with `native_tools`. sampled: message index -> the ids that were
        sampled for it, put in as they are directly after the generation prompt; a stop token follows
        where they lack one. prefill: text the next assistant turn begins with (implies
        generation_prompt).

        Raises:
            InputError: the template rejects the conversation, or renders what came before a sampled
                turn differently from how it was when the turn was sampled.
        """
        sampled = sampled or {}
        wrong = [i for i in sampled if not 0 <= i < len(messages) or messages[i].role != "assistant"]
        if wrong:
            raise InputError(
                f"messages: sampled ids are given for message {wrong[0]}, which is no assistant message"
            )
        generation_prompt = generation_prompt or bool(prefill)
        opaque = frozenset(sampled)
        rendered = self._render(messages, tools, opaque, generation_prompt)
        ids: list[int] = []
        spans: list[Span] = []
        cursor = 0
        for index in sorted(sampled):
            prompt = self._prompt_of(messages, tools, opaque, index, rendered)
            self._append(ids, spans, self._pieces(rendered, messages, opaque, cursor, prompt))
            turn = tuple(sampled[index])
            if not turn or turn[-1] not in self.stop_ids:
                turn += self.stop_ids[:1]
            spans.append(Span("assistant", len(ids), len(ids) + len(turn), index))
            ids += turn
            cursor = self._after_turn(rendered, index)
        self._append(ids, spans, self._pieces(rendered, messages, opaque, cursor, len(rendered.text)))
        if prefill:
            self._append_prefill(ids, spans, rendered.text[cursor:], prefill, len(messages))
        return Encoding(ids, _merged(spans))

    def turn_encoder(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
    ) -> Callable[[str], list[int]]:
        """What gives any text's ids as the next assistant turn, those that `encode` gives a prefill."""
        prompt = self._from_last_control(self._render(messages, tools, frozenset(), True).text)
        return lambda text: self._encode_behind(prompt, text)

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of an assistant turn: all tokens but the stop token at the end."""
        ids = list(token_ids)
        if ids and ids[-1] in self.stop_ids:
            ids.pop()
        return self._decode(ids)

    def offsets(self, token_ids: Sequence[int]) -> list[tuple[int, int]]:
        """The (start, end) of each token in `decode(token_ids)`, in characters; a stop token's is empty."""
        ids = list(token_ids)
        stopped = bool(ids) and ids[-1] in self.stop_ids
        found = token_offsets(self._decode, ids[:-1] if stopped else ids)
        end = found[-1][1] if found else 0
        return [*found, (end, end)] if stopped else found

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def _render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
        opaque: frozenset[int],
        generation_prompt: bool,
    ) -> Rendered:
        shown = tools if self.native_tools else ()
        return self._template.render(
            messages, shown, generation_prompt=generation_prompt, opaque=opaque, hostile=self._control.pattern
        )

    def _prompt_of(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
        opaque: frozenset[int],
        index: int,
        rendered: Rendered,
    ) -> int:
        """How much of the rendered text was the prompt when message `index` was sampled."""
        before = self._render(messages[:index], tools, opaque, True)
        region = _region_of(rendered, index)
        if len(before.text) > region.start or not rendered.text.startswith(before.text):
            raise InputError(
                f"chat template: the prompt of message {index} is not how the whole conversation begins, so what "
                "was sampled can't be put back; use a template that only ever appends"
            )
        return len(before.text)

    def _after_turn(self, rendered: Rendered, index: int) -> int:
        """Where the text goes on after a sampled turn: at the template's stop token."""
        region = _region_of(rendered, index)
        later = [
            other.start for other in rendered.regions if other.start >= region.end and other.message != index
        ]
        stop = rendered.text.find(self._stop_text, region.end, min(later, default=len(rendered.text)))
        return region.end if stop < 0 else stop

    def _pieces(
        self,
        rendered: Rendered,
        messages: Sequence[Message],
        opaque: frozenset[int],
        start: int,
        end: int,
    ) -> Iterator[_Piece]:
        """The rendered text [start, end) cut at the borders of the contents that are text."""
        position = start
        for region in rendered.regions:
            if region.start < position or region.end > end or region.message in opaque:
                continue
            yield _Piece(rendered.text[position : region.start], "control", -1, "template")
            text = rendered.text[region.start : region.end]
            position = region.end
            if region.message < 0:
                yield _Piece(text, "control", -1, "none")
                continue
            role = messages[region.message].role
            yield _Piece(text, role, region.message, "assistant" if role == "assistant" else "none")
            if role == "assistant":
                stop = self._end_of_stop(rendered, region, end)
                yield _Piece(rendered.text[position:stop], role, region.message, "template")
                position = stop
        yield _Piece(rendered.text[position:end], "control", -1, "template")

    def _end_of_stop(self, rendered: Rendered, region: Region, end: int) -> int:
        stop = rendered.text.find(self._stop_text, region.end, end)
        blank = stop >= 0 and not rendered.text[region.end : stop].strip()
        return stop + len(self._stop_text) if blank else region.end

    def _append(self, ids: list[int], spans: list[Span], pieces: Iterator[_Piece]) -> None:
        """Encode one run of text. Behind a sampled turn the text begins with that turn's stop token."""
        run = list(pieces)
        found, owners = self._control.encode([Chunk(piece.text, piece.trust) for piece in run])
        skipped = 1 if ids and found and run[0].text.startswith(self._stop_text) else 0
        position = len(ids)
        ids += found[skipped:]
        counts = [0] * len(run)
        for owner in owners[skipped:]:
            counts[owner] += 1
        for piece, count in zip(run, counts, strict=True):
            if count or piece.message >= 0:
                spans.append(Span(piece.kind, position, position + count, piece.message))
            position += count

    def _append_prefill(
        self, ids: list[int], spans: list[Span], prompt: str, prefill: str, message: int
    ) -> None:
        added = self._encode_behind(self._from_last_control(prompt), prefill)
        spans.append(Span("assistant", len(ids), len(ids) + len(added), message))
        ids += added

    def _from_last_control(self, text: str) -> str:
        anchor = max((match.start() for match in self._control.pattern.finditer(text)), default=0)
        return text[anchor:]

    def _encode_behind(self, prompt: str, text: str) -> list[int]:
        """The text's tokens behind the generation prompt's, whose tokens stay as they are.

        prompt: since the last control token, so that a leading space is or isn't added as there.
        """
        before, _ = self._control.encode([Chunk(prompt, "template")])
        both, _ = self._control.encode([Chunk(prompt, "template"), Chunk(text, "assistant")])
        if both[: len(before)] == before:
            return both[len(before) :]
        added, _ = self._control.encode([Chunk(self._stop_text, "template"), Chunk(text, "assistant")])
        return added[1:]

    def _find_stop_text(self) -> str:
        """The control token that the template puts behind an assistant's content."""
        said = (("user", "x"), ("assistant", "y"), ("user", "z"))
        rendered = self._template.render([Message.model_validate({"role": r, "content": c}) for r, c in said])
        region = _region_of(rendered, 1)
        match = self._control.pattern.search(rendered.text, region.end, _region_of(rendered, 2).start)
        if match is not None:
            return match[0]
        if not self.tokenizer.eos_token:
            raise InputError("base_model: neither the chat template nor the tokenizer says how a turn ends")
        return str(self.tokenizer.eos_token)


def _region_of(rendered: Rendered, message: int) -> Region:
    return next(region for region in rendered.regions if region.message == message)


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Neighbouring spans of the same kind and message as one."""
    merged: list[Span] = []
    for span in spans:
        last = merged[-1] if merged else None
        if last is not None and (last.kind, last.message) == (span.kind, span.message):
            merged[-1] = Span(last.kind, last.start, span.end, last.message)
        else:
            merged.append(span)
    return merged
