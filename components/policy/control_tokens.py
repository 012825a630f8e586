"""Text to token ids, where only text that may speak as the template becomes control tokens."""

import copy
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken

from components.contracts.errors import InputError

UNKNOWN_LETTER = "\U000ffffd"


@dataclass(frozen=True)
class Chunk:
    """A piece of text. trust: which control tokens its text may become.

    "template": all; "assistant": those that aren't special (such as <tool_call>); "none": no one.
    """

    text: str
    trust: str


class ControlTokens:
    """The control tokens of a tokenizer and its chat template, and the encoder that guards them.

    Control tokens are the special tokens, and those added tokens that the template's source names.
    """

    def __init__(self, tokenizer: Any, template_source: str) -> None:
        added = tokenizer.added_tokens_decoder
        self._control = {
            token_id: token
            for token_id, token in added.items()
            if token.content.strip() and (token.special or token.content in template_source)
        }
        texts = sorted((token.content for token in self._control.values()), key=len, reverse=True)
        soft = [text for text in texts if not self._is_special(text)]
        self.pattern = _any_of(texts)
        self._patterns = {"template": self.pattern, "assistant": _any_of(soft), "none": _any_of([])}
        self._ids_by_text = {token.content: token_id for token_id, token in self._control.items()}
        self._build_encoder(tokenizer.backend_tokenizer)

    def _is_special(self, text: str) -> bool:
        return any(token.content == text and token.special for token in self._control.values())

    def _build_encoder(self, backend: Any) -> None:
        """A copy that reads control tokens' text as ordinary text, and knows an alias for each of them.

        The aliases hold a random word, so no text from outside can contain one.
        """
        self._encoder = copy.deepcopy(backend)
        self._encoder.no_padding()
        self._encoder.no_truncation()
        self._encoder.add_special_tokens(
            [_copied(token, token.content, True) for token in self._control.values()]
        )
        self._encoder.encode_special_tokens = True
        word = secrets.token_hex(8)
        self._aliases = {
            token.content: f"\U000f4ffe{word}.{token_id}\U000f4fff"
            for token_id, token in self._control.items()
        }
        self._encoder.add_tokens(
            [_copied(token, self._aliases[token.content], False) for token in self._control.values()]
        )
        # What a letter without a token of its own becomes is a special token that says nothing.
        unknown = self._encoder.encode(UNKNOWN_LETTER, add_special_tokens=False).ids
        self.ids = frozenset(self._control) - set(unknown)
        self._original = {
            self._encoder.token_to_id(self._aliases[text]): token_id
            for text, token_id in self._ids_by_text.items()
        }

    def encode(self, chunks: Sequence[Chunk]) -> tuple[list[int], list[int]]:
        """Token ids of the joined chunks, and for each the index of the chunk it begins in.

        Where no chunk but the template's holds a control token, the ids are those that the tokenizer
        gives for the joined text.
        """
        parts: list[str] = []
        ends: list[int] = []
        length = 0
        for chunk in chunks:
            text = self._patterns[chunk.trust].sub(lambda match: self._aliases[match[0]], chunk.text)
            parts.append(text)
            length += len(text)
            ends.append(length)
        encoded = self._encoder.encode("".join(parts), add_special_tokens=False)
        ids: list[int] = []
        owners: list[int] = []
        owner = 0
        for token_id, (start, _) in zip(encoded.ids, encoded.offsets, strict=True):
            while owner < len(ends) - 1 and start >= ends[owner]:
                owner += 1
            alias_of = self._original.get(token_id)
            spelled = [alias_of] if alias_of is not None else self._spelled(token_id)
            ids += spelled
            owners += [owner] * len(spelled)
        return ids, owners

    def _spelled(self, token_id: int) -> list[int]:
        """An ordinary token as it is; a control token that plain text turned into, letter by letter.

        That happens where the vocabulary of a Unigram model holds the control tokens' texts.
        """
        if token_id not in self.ids:
            return [token_id]
        text = self._encoder.id_to_token(token_id)
        ids = [token.id for letter in text for token in self._encoder.model.tokenize(letter)]
        if not self.ids.isdisjoint(ids):
            raise InputError(f"base_model: its tokenizer can't write {text!r} without the control token")
        return ids


def _any_of(texts: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, texts)) if texts else "(?!)")


def _copied(token: Any, content: str, special: bool) -> AddedToken:
    return AddedToken(
        content,
        single_word=False,
        lstrip=token.lstrip,
        rstrip=token.rstrip,
        normalized=False,
        special=special,
    )
