"""A chat template rendered to text in which it stays known where every message's content lies."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError, UndefinedError

from components.contracts.errors import InputError
from components.contracts.records import Message

# Templates that print today's date would render a trace differently when it is trained on later.
FIXED_DATE = "26 Jul 2024"
FIXED_CLOCK = "{% macro strftime_now(form) %}" + FIXED_DATE + "{% endmacro %}{{ '' }}"

PROBE = ' \n "q"  b\n\tc \n '
TOOL_PROBE = "zq_probe_tool"
_TRIMS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    str.strip,
    str.lstrip,
    str.rstrip,
    lambda text: text.strip("\n"),
    lambda text: text.lstrip("\n"),
    lambda text: text.rstrip("\n"),
)


@dataclass(frozen=True)
class Region:
    """Where the content of message `message` lies in the rendered text; -1 for a tool's schema."""

    start: int
    end: int
    message: int


@dataclass(frozen=True)
class Rendered:
    """The rendered text and its content regions, in order and disjoint."""

    text: str
    regions: tuple[Region, ...]


class Template:
    """The chat template of a tokenizer, and what it can do.

    has_system, has_tool: the template renders those roles; where it rejects or drops them, a system
    message goes in front of the next user message, and a tool's reply becomes a user message.
    native_tools: it renders `tools=`.

    Raises:
        InputError: no chat template, or one that changes what messages say other than by trimming.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise InputError(
                "base_model: the tokenizer has no chat template; expected an instruction-tuned model"
            )
        self._tokenizer = tokenizer
        self.source = json.dumps(tokenizer.chat_template, sort_keys=True, ensure_ascii=False)
        identity = json.dumps([self.source, str(tokenizer.bos_token), str(tokenizer.eos_token)])
        self.hash = hashlib.sha256(identity.encode()).hexdigest()
        self._trims: dict[str, Callable[[str], str]] = {}
        self.has_system = self._renders(("system", "user"))
        # A template that prints any role name has no tool role of its own.
        self.has_tool = "tool" in self.source and self._renders(("user", "assistant", "tool", "assistant"))
        self.native_tools = self._renders_tools()
        self._trims = {role: self._find_trim(role) for role in ("system", "user", "assistant", "tool")}

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        generation_prompt: bool = False,
        opaque: frozenset[int] = frozenset(),
        hostile: re.Pattern[str] | None = None,
    ) -> Rendered:
        """Render `messages`.

        The template never sees what an assistant said, so it can't rewrite it. Messages in `opaque`
        get an empty region. Strings in `tools` that match `hostile` become regions of message -1.

        Raises:
            InputError: the template rejects the conversation or drops a message.
        """
        markers = _Markers.absent_from(messages, tools)
        contents = [
            self._trims.get(m.role, str)(m.content) if i not in opaque else "" for i, m in enumerate(messages)
        ]
        entries = self._entries(messages, contents, markers, hostile)
        guarded = [_guard(tool, markers, hostile) for tool in tools] if tools else None
        text = self._apply(entries, guarded, generation_prompt)
        rendered = markers.read(
            text, {i: contents[i] for i, m in enumerate(messages) if m.role == "assistant"}
        )
        missing = set(range(len(messages))) - {region.message for region in rendered.regions}
        if missing:
            index = min(missing)
            raise InputError(f"chat template: it drops message {index} (role {messages[index].role!r})")
        return rendered

    def _entries(
        self,
        messages: Sequence[Message],
        contents: Sequence[str],
        markers: "_Markers",
        hostile: re.Pattern[str] | None,
    ) -> list[dict[str, str]]:
        entries: list[dict[str, str]] = []
        held = ""  # a system message waiting for the user message it goes in front of
        after_reply = False
        for index, message in enumerate(messages):
            role = message.role
            # An assistant's text is put in afterwards.
            content = markers.wrap(index, "" if role == "assistant" else contents[index])
            if role == "system" and not self.has_system:
                held += content + "\n\n"
                continue
            as_user = role == "tool" and not self.has_tool
            if as_user and after_reply:
                entries[-1]["content"] += "\n" + content
                continue
            after_reply = as_user
            shown = "user" if as_user else role
            if shown == "user":
                content, held = held + content, ""
            entry = {"role": shown, "content": content}
            if role == "tool" and not as_user and message.name:
                entry["name"] = str(_guard(message.name, markers, hostile))
            entries.append(entry)
        if held:
            entries.append({"role": "user", "content": held[:-2]})
        return entries

    def _apply(self, entries: list[dict[str, str]], tools: list[Any] | None, generation_prompt: bool) -> str:
        source = self._tokenizer.get_chat_template(tools=tools)
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    entries,
                    tools=tools,
                    chat_template=FIXED_CLOCK + source if "strftime_now" in source else source,
                    tokenize=False,
                    add_generation_prompt=generation_prompt,
                    date_string=FIXED_DATE,
                )
            )
        except (TemplateError, UndefinedError, TypeError, ValueError) as error:
            raise InputError(f"chat template: it rejects the conversation: {error}") from error

    def _renders(self, roles: Sequence[str]) -> bool:
        kept = {"has_system": getattr(self, "has_system", True), "has_tool": getattr(self, "has_tool", True)}
        self.has_system = self.has_tool = True
        try:
            messages = [Message.model_validate({"role": role, "content": "x"}) for role in roles]
            order = [region.message for region in self.render(messages).regions]
            return order == list(range(len(roles)))
        except InputError:
            return False
        finally:
            self.has_system, self.has_tool = kept["has_system"], kept["has_tool"]

    def _renders_tools(self) -> bool:
        function = {
            "name": TOOL_PROBE,
            "description": "x",
            "parameters": {"type": "object", "properties": {}},
        }
        try:
            rendered = self.render(
                [Message(role="user", content="x")], [{"type": "function", "function": function}]
            )
        except InputError:
            return False
        return TOOL_PROBE in rendered.text

    def _find_trim(self, role: str) -> Callable[[str], str]:
        """What the template does to the ends of this role's content, found by trying."""
        roles = {"system": ("system", "user"), "tool": ("user", "assistant", "tool")}.get(
            role, ("user", "assistant")
        )
        if (role == "system" and not self.has_system) or (role == "tool" and not self.has_tool):
            return str
        plain = [{"role": each, "content": PROBE if each == role else "x"} for each in roles]
        expected = self._apply(plain, None, False)
        for trim in _TRIMS:
            messages = [
                Message.model_validate({"role": each, "content": trim(PROBE) if each == role else "x"})
                for each in roles
            ]
            if self.render(messages).text == expected:
                return trim
        raise InputError(
            f"chat template: it rewrites the content of role {role!r}, other than by trimming it"
        )


class _Markers:
    """Private-use characters around contents, chosen so that no content holds them."""

    def __init__(self, first: int) -> None:
        self.open, self.middle, self.close = (chr(first + offset) for offset in range(3))
        self._pattern = re.compile(f"{self.open}(-?\\d+){self.middle}(.*?){self.close}", re.DOTALL)

    @classmethod
    def absent_from(cls, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> "_Markers":
        said = "".join(message.content + message.name for message in messages)
        if tools:
            said += json.dumps(list(tools), ensure_ascii=False)
        used = {ord(character) for character in said if "\U000f0000" <= character <= "\U000fffff"}
        for first in range(0xF5000, 0xFF000, 3):
            if used.isdisjoint(range(first, first + 3)):
                return cls(first)
        raise InputError("messages: they use too many private-use characters (planes 15 and up)")

    def wrap(self, message: int, content: str) -> str:
        return f"{self.open}{message}{self.middle}{content}{self.close}"

    def read(self, marked: str, inserted: Mapping[int, str]) -> Rendered:
        """Take the markers out; message i's region holds `inserted[i]` where there is one."""
        parts: list[str] = []
        regions: list[Region] = []
        length = position = 0
        for match in self._pattern.finditer(marked):
            message = int(match[1])
            before, content = marked[position : match.start()], inserted.get(message, match[2])
            parts += [before, content]
            start = length + len(before)
            length = start + len(content)
            regions.append(Region(start, length, message))
            position = match.end()
        parts.append(marked[position:])
        text = "".join(parts)
        if any(mark in text for mark in (self.open, self.middle, self.close)):
            raise InputError("chat template: it cuts a message's content into pieces")
        return Rendered(text, tuple(regions))


def _guard(value: Any, markers: _Markers, hostile: re.Pattern[str] | None) -> Any:
    """`value` with every string that matches `hostile` wrapped, at any depth, keys included."""
    if isinstance(value, str):
        return markers.wrap(-1, value) if hostile is not None and hostile.search(value) else value
    if isinstance(value, Mapping):
        return {_guard(key, markers, hostile): _guard(item, markers, hostile) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_guard(item, markers, hostile) for item in value]
    return value
