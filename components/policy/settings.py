"""Settings of the model and of the engine that samples from it. Imports no torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from components.contracts.tool_calls import get_call_format


class ModelSettings(BaseModel):
    """How the weights are held.

    dtype: "auto" is bfloat16 where the processor multiplies it natively, else float32.
    device: "auto" is the GPU when there is one.
    quantization: "nf4" holds the base in 4 bits (QLoRA); a GPU and bitsandbytes are needed.
    threads: of the processor; 0 leaves torch's own choice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    quantization: Literal["none", "nf4"] = "none"
    threads: int = Field(default=0, ge=0)


class EngineSettings(BaseModel):
    """Which engine samples, and how.

    kind: "transformers" in this process; "openai" any server that speaks OpenAI's protocol, at
    `url` (such as http://host:8000/v1); "vllm" in this process, on a GPU image.
    server_model: the name under which the server knows the model; empty takes its only one.
    server_tokens: the server takes and returns token ids (vLLM's completions), so that what it
    samples stays token-exact; otherwise its turns are text and are marked `retokenized`.
    server_tools: a server of text gets the tools as `tools` and answers with `tool_calls`.
    concurrency: requests under way at once. timeout: seconds of one request.
    batch_size: conversations decoded together. prefix_cache: prompt prefixes kept between calls.
    merge_adapter: fold the adapter into the weights in memory; decoding is then faster.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["transformers", "openai", "vllm"] = "transformers"
    call_format: str = "hermes"
    model: ModelSettings = ModelSettings()
    batch_size: int = Field(default=16, ge=1)
    prefix_cache: int = Field(default=4, ge=0)
    merge_adapter: bool = True
    url: str = ""
    server_model: str = ""
    server_tokens: bool = False
    server_tools: bool = False
    concurrency: int = Field(default=16, ge=1)
    timeout: float = Field(default=120.0, gt=0)

    @field_validator("call_format")
    @classmethod
    def _is_known(cls, name: str) -> str:
        return get_call_format(name).name
