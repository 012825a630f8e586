"""A base model's shape: what its sizes are, as far as cost depends on them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.nearest import nearest

BF16, FP32 = 2, 4  # bytes
# Of a weight in nf4 with doubly quantised constants: 4 + 0.127 bits (Dettmers et al. 2023, QLoRA, section 3).
NF4 = 4.127 / 8

# Model types whose layers are what `ModelShape` counts: a gated MLP, grouped queries, RMS norms.
_TYPES = ("llama", "mistral", "qwen2", "qwen3")


@dataclass(frozen=True)
class ModelShape:
    """A decoder of transformers with gated MLPs.

    hidden, intermediate, vocabulary: widths. heads, kv_heads: of queries, and of keys and values; head_size: of each.
    tied: the output layer is the embedding. biases: of the projections to queries, keys and values.
    head_norms: queries and keys are normalised head by head.
    """

    name: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    tied: bool = False
    biases: bool = False
    head_norms: bool = False

    @property
    def projections(self) -> Mapping[str, tuple[int, int]]:
        """(inputs, outputs) of each matrix of a layer, by the name that LoRA targets."""
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def layer_weights(self) -> int:
        """Weights of the matrices of all layers."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.projections.values())

    @property
    def parameters(self) -> int:
        """All parameters, a tied output layer counted once."""
        norms = self.layers * 2 * self.hidden + self.hidden
        norms += self.layers * 2 * self.head_size if self.head_norms else 0
        biases = self.layers * (self.heads + 2 * self.kv_heads) * self.head_size if self.biases else 0
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return self.layer_weights + norms + biases + embeddings

    @property
    def kv_bytes(self) -> int:
        """Bytes of one token's keys and values in all layers, in bfloat16."""
        return 2 * self.layers * self.kv_heads * self.head_size * BF16

    def adapter_parameters(self, rank: int, targets: Sequence[str]) -> int:
        """Parameters of a LoRA adapter: of each target rank * (inputs + outputs) (Hu et al. 2021, section 4.1).

        Raises:
            InputError: a target that these layers do not have.
        """
        for name in targets:
            if name not in self.projections:
                known = ", ".join(self.projections)
                raise InputError(
                    f"lora_targets: unknown {name!r}{nearest(name, self.projections)}; known: {known}"
                )
        sides = sum(sum(self.projections[name]) for name in dict.fromkeys(targets))
        return self.layers * rank * sides


KNOWN: Mapping[str, ModelShape] = {
    shape.name: shape
    for shape in (
        ModelShape("smollm2-135m", 30, 576, 1536, 9, 3, 64, 49152, tied=True),
        ModelShape("llama-3.2-1b", 16, 2048, 8192, 32, 8, 64, 128256, tied=True),
        ModelShape("llama-3.2-3b", 28, 3072, 8192, 24, 8, 128, 128256, tied=True),
        ModelShape("llama-3.1-8b", 32, 4096, 14336, 32, 8, 128, 128256),
        ModelShape("llama-3.1-70b", 80, 8192, 28672, 64, 8, 128, 128256),
        ModelShape("mistral-7b-v0.3", 32, 4096, 14336, 32, 8, 128, 32768),
        ModelShape("qwen2.5-1.5b", 28, 1536, 8960, 12, 2, 128, 151936, tied=True, biases=True),
        ModelShape("qwen2.5-7b", 28, 3584, 18944, 28, 4, 128, 152064, biases=True),
        ModelShape("qwen2.5-14b", 48, 5120, 13824, 40, 8, 128, 152064, biases=True),
        ModelShape("qwen2.5-32b", 64, 5120, 27648, 40, 8, 128, 152064, biases=True),
        ModelShape("qwen3-8b", 36, 4096, 12288, 32, 8, 128, 151936, head_norms=True),
    )
}


def shape_of(base: str) -> ModelShape:
    """The shape of a model that is named (`llama-3.1-8b`, `hf://meta-llama/Llama-3.1-8B-Instruct`) or lies in a folder.

    Raises:
        InputError: neither a known name nor a folder with a `config.json` that can be read.
    """
    folder = Path(base)
    if "://" not in base and folder.is_dir():
        return _read_config(folder)
    name = re.sub(r"(-instruct|-chat)?(-\d{4})?$", "", base.rpartition("/")[2].lower())
    if name not in KNOWN:
        raise InputError(
            f"base: unknown {base!r}{nearest(name, KNOWN)}; expected a folder with config.json or one of {', '.join(KNOWN)}"
        )
    return KNOWN[name]


def _read_config(folder: Path) -> ModelShape:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"base: {path}: no config.json that can be read: {error}") from error
    if not isinstance(config, dict) or config.get("model_type") not in _TYPES:
        got = config.get("model_type") if isinstance(config, dict) else type(config).__name__
        raise InputError(f"base: {path}: model_type is {got!r}; expected one of {', '.join(_TYPES)}")
    heads = _whole(config, "num_attention_heads", path)
    hidden = _whole(config, "hidden_size", path)
    kind = config["model_type"]
    return ModelShape(
        name=folder.resolve().name,
        layers=_whole(config, "num_hidden_layers", path),
        hidden=hidden,
        intermediate=_whole(config, "intermediate_size", path),
        heads=heads,
        kv_heads=_whole(config, "num_key_value_heads", path) if "num_key_value_heads" in config else heads,
        head_size=_whole(config, "head_dim", path) if config.get("head_dim") else hidden // heads,
        vocabulary=_whole(config, "vocab_size", path),
        tied=bool(config.get("tie_word_embeddings", False)),
        biases=kind == "qwen2",
        head_norms=kind == "qwen3",
    )


def _whole(config: Mapping[str, Any], key: str, path: Path) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"base: {path}: {key}: expected a whole number above 0, got {value!r}")
    return value
