"""Samples with vLLM in this process; for images with a GPU, where vLLM is installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.records import FinishReason
from components.contracts.tool_calls import get_call_format
from components.policy.card import check_adapter
from components.policy.chat import Chat
from components.policy.engine import Completion, Conversation, Sampling
from components.policy.finish import finish_turn
from components.policy.load import ADAPTER_CONFIG, chat_of_folder, choose_weights
from components.policy.settings import EngineSettings

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # those vLLM has room for


class VllmEngine:
    """An `Engine` over `vllm.LLM`: prompts go in as ids, ids and log-probs come out."""

    def __init__(self, base_model: str, llm: Any, chat: Chat, lora: Any) -> None:
        self.base_model = base_model
        self.template_hash = chat.template_hash
        self.call_format = chat.call_format
        self.native_tools = chat.native_tools
        self._llm = llm
        self._chat = chat
        self._lora = lora
        self._format = get_call_format(chat.call_format)

    @classmethod
    def open(cls, base_model: str, adapter: Path | None, settings: EngineSettings) -> VllmEngine:
        """Load the model into vLLM.

        Raises:
            InputError: vLLM is not installed, or the model or adapter can't be loaded.
        """
        try:
            from vllm import LLM
            from vllm.lora.request import LoRARequest
        except ImportError as error:
            raise InputError(
                "engine: kind 'vllm' needs the package vllm, which the GPU images hold; use 'transformers' here"
            ) from error
        folder, name, lora = choose_weights(base_model, adapter)
        chat = chat_of_folder(folder, name, settings.call_format)
        if adapter is not None:
            check_adapter(adapter, chat, base_model)
        llm = LLM(
            model=str(folder),
            dtype=settings.model.dtype,
            load_format="safetensors",
            trust_remote_code=False,
            enable_prefix_caching=True,
            enable_lora=lora is not None,
            max_lora_rank=_room_for_rank(lora),
            quantization="bitsandbytes" if settings.model.quantization == "nf4" else None,
        )
        request = LoRARequest("adapter", 1, str(lora)) if lora is not None else None
        return cls(base_model, llm, chat, request)

    def complete(
        self, conversations: Sequence[Conversation], sampling: Sampling, *, seeds: Sequence[int]
    ) -> list[Completion]:
        """See `Engine.complete`; vLLM does its own batching and prefix sharing."""
        from vllm import SamplingParams

        prompts, parameters, given = [], [], []
        for conversation, seed in zip(conversations, seeds, strict=True):
            encoding = self._chat.encode(
                conversation.messages,
                conversation.tools,
                sampled=conversation.sampled,
                prefill=conversation.prefill,
                generation_prompt=True,
            )
            prompts.append({"prompt_token_ids": encoding.ids})
            given.append(encoding.ids[encoding.spans[-1].start :] if conversation.prefill else [])
            parameters.append(
                SamplingParams(
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    max_tokens=sampling.max_new_tokens,
                    seed=seed % (1 << 31),
                    logprobs=0,
                    stop_token_ids=list(self._chat.stop_ids),
                    skip_special_tokens=False,
                )
            )
        outputs = self._llm.generate(prompts, parameters, lora_request=self._lora, use_tqdm=False)
        return [self._finish(start, output.outputs[0]) for start, output in zip(given, outputs, strict=True)]

    def _finish(self, given: Sequence[int], output: Any) -> Completion:
        ids = list(output.token_ids)
        found = output.logprobs or [{} for _ in ids]
        logprobs = [
            float(of[token_id].logprob) if token_id in of else 0.0
            for of, token_id in zip(found, ids, strict=False)
        ]
        reason: FinishReason = "length" if output.finish_reason == "length" else "stop"
        return finish_turn(self._chat, self._format, given, ids, logprobs, reason)


def _room_for_rank(adapter: Path | None) -> int:
    """The smallest rank vLLM can reserve that holds the adapter's."""
    if adapter is None:
        return LORA_RANKS[0]
    config = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    rank = max([int(config.get("r", 8)), *map(int, config.get("rank_pattern", {}).values())])
    if rank > LORA_RANKS[-1]:
        raise InputError(f"adapter: {adapter}: rank {rank} is more than vLLM serves ({LORA_RANKS[-1]})")
    return next(room for room in LORA_RANKS if room >= rank)
