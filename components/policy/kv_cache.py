"""Keys and values of what the model has read: kept in place, shared between rows, kept between calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

GROWTH = 64  # tokens of room made at a time


class RoomyLayer(DynamicLayer):  # type: ignore[misc, no-untyped-call]
    """One layer's keys and values, (rows, heads, tokens, size), in buffers with room for more tokens.

    transformers' own layer copies everything for each new token; this one every `GROWTH` tokens.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append (rows, heads, new, size); returns all keys and values so far, as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        length = self.get_seq_length()
        end = length + key_states.shape[-2]
        if self._buffers is None or end > self._buffers[0].shape[-2]:
            self._buffers = (
                _with_room(key_states, self.keys, length, end),
                _with_room(value_states, self.values, length, end),
            )
        keys, values = self._buffers
        keys[:, :, length:end] = key_states
        values[:, :, length:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows `indices`, in that order; a row may come several times."""
        length = self.get_seq_length()
        if self._buffers is not None and length:
            keys, values = (buffer.index_select(0, indices) for buffer in self._buffers)
            self._buffers = (keys, values)
            self.keys, self.values = keys[:, :, :length], values[:, :, :length]


def _with_room(new: Tensor, old: Tensor | None, length: int, end: int) -> Tensor:
    rows, heads, _, size = new.shape
    buffer = new.new_empty((rows, heads, end + GROWTH, size))
    if old is not None and length:
        buffer[:, :, :length] = old
    return buffer


Ids = tuple[int, ...]
Prefix = list[tuple[Tensor, Tensor]]  # a layer's keys and values, (1, heads, tokens, size) each


def roomy_cache(prefix: Prefix | None = None, rows: int = 1) -> Cache:
    """An empty cache, or one in which each of `rows` rows has read `prefix`."""
    cache = Cache(layer_class_to_replicate=RoomyLayer)
    for index, (keys, values) in enumerate(prefix or ()):
        cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), index)
    return cache


class PrefixCache:
    """The keys and values of the last few shared prompt prefixes, found by their ids.

    size: how many at most; max_tokens: of all together at most, the last one apart; None: no bound.
    """

    def __init__(self, model: Any, size: int, *, max_tokens: int | None = None) -> None:
        self._model = model
        self._size = size
        self._max_tokens = max_tokens
        self._kept: OrderedDict[Ids, Prefix] = OrderedDict()

    def get(self, ids: Sequence[int]) -> Prefix:
        """Keys and values of `ids`; only what no kept prefix holds is computed."""
        wanted = tuple(ids)
        if wanted in self._kept:
            self._kept.move_to_end(wanted)
            return self._kept[wanted]
        best = max(self._kept, key=lambda kept: common_length([kept, wanted]), default=())
        shared = common_length([best, wanted]) if best else 0
        start = [(k[:, :, :shared], v[:, :, :shared]) for k, v in self._kept[best]] if shared else None
        if shared < len(wanted):
            cache = roomy_cache(start)
            device = self._model.device
            self._model(
                input_ids=torch.tensor([wanted[shared:]], device=device),
                position_ids=torch.arange(shared, len(wanted), device=device)[None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            prefix: Prefix = [(layer.keys, layer.values) for layer in cache.layers]  # type: ignore[union-attr, misc]
        else:
            prefix = [(keys.clone(), values.clone()) for keys, values in start or []]
        if self._size:
            self._kept[wanted] = prefix
            while len(self._kept) > self._size or self._is_full():
                self._kept.popitem(last=False)
        return prefix

    def clear(self) -> None:
        """Forget all prefixes."""
        self._kept.clear()

    def _is_full(self) -> bool:
        most = self._max_tokens
        return most is not None and len(self._kept) > 1 and sum(map(len, self._kept)) > most


class KeptTurns:
    """Keys and values of turns' beginnings by (prompt, the turn's ids), the oldest given up first.

    max_tokens: of all together at most.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._tokens = 0
        self._kept: OrderedDict[tuple[Ids, Ids], Prefix] = OrderedDict()

    def keep(self, point: tuple[Ids, Ids], states: Prefix) -> None:
        """states: of the prompt's last token and of the turn up to its last but one."""
        if point in self._kept or len(point[1]) > self._max_tokens:
            return
        self._kept[point] = states
        self._tokens += len(point[1])
        while self._tokens > self._max_tokens:
            given_up, _ = self._kept.popitem(last=False)
            self._tokens -= len(given_up[1])

    def find(self, point: tuple[Ids, Ids]) -> Prefix | None:
        """What was kept for the point."""
        if point in self._kept:
            self._kept.move_to_end(point)
        return self._kept.get(point)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._tokens = 0


def pad_left(rows: Sequence[Sequence[int]], starts: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of ids as one batch that ends alike: ids, which are no padding (booleans), positions, (rows, tokens) each.

    starts: each row's first position. Padding has id and position 0.
    """
    width = max(map(len, rows))
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    real = torch.zeros(len(rows), width, dtype=torch.bool)
    positions = torch.zeros_like(ids)
    for number, (row, first) in enumerate(zip(rows, starts, strict=True)):
        begin = width - len(row)
        ids[number, begin:] = torch.tensor(row, dtype=torch.long)
        real[number, begin:] = True
        positions[number, begin:] = torch.arange(first, first + len(row))
    return ids, real, positions


def common_length(rows: Sequence[Ids]) -> int:
    """How many tokens all rows begin with alike."""
    first, last = min(rows), max(rows)  # in lexicographic order these two differ first
    length = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        length += 1
    return length
