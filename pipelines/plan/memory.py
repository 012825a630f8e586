"""Bytes of an accelerator's memory that a stage needs, but for what the device reserves."""

from pipelines.plan.shape import BF16, FP32, NF4, ModelShape

# Weight, gradient and AdamW's two moments, in float32 each (Rajbhandari et al. 2020, ZeRO, section 3.1).
TRAINED = 4 * FP32


def weights_bytes(shape: ModelShape, *, quantized: bool = False, width: int = BF16) -> float:
    """Of the base model's weights. quantized: the layers' matrices in nf4, all else in bfloat16."""
    if not quantized:
        return float(shape.parameters * width)
    return shape.layer_weights * NF4 + (shape.parameters - shape.layer_weights) * BF16


def live_bytes(shape: ModelShape) -> float:
    """Of one token in the layer that is being computed, in bfloat16, with attention that stores no scores.

    Two inputs and their norms, queries, keys, values, the attention's output, and the MLP's gate, its activation, the
    other branch and their product: what a backward pass of the layer reads (after Korthikanti et al. 2022, section 4.1).
    """
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    return float(BF16 * (4 * shape.hidden + 2 * queries + 2 * keys + 4 * shape.intermediate))


def training_bytes(
    shape: ModelShape,
    *,
    whole: bool,
    quantized: bool,
    adapter: float,
    tokens: float,
    supervised: float,
    again: bool,
    adapters: int = 1,
    frozen_adapters: int = 0,
) -> float:
    """Of training on `tokens` tokens at once, `supervised` of them with logits.

    whole: the weights are in float32 with all of `TRAINED`. adapter: parameters of one; adapters: how many of them are
    trained, and frozen_adapters are only held. again: only the layers' inputs are kept, and one layer lives at a time.
    """
    held = shape.parameters * TRAINED if whole else weights_bytes(shape, quantized=quantized)
    held += adapter * (TRAINED * adapters + FP32 * frozen_adapters)
    kept = shape.layers * tokens * (shape.hidden * BF16 if again else live_bytes(shape))
    kept += tokens * live_bytes(shape) if again else 0.0
    return held + kept + 2 * BF16 * supervised * shape.vocabulary  # logits and their gradient


def generation_bytes(
    shape: ModelShape, *, rows: float, context: float, reading: float, quantized: bool = False
) -> float:
    """Of decoding `rows` rows of up to `context` tokens, whose prompts are read `reading` tokens at once."""
    cache = rows * context * shape.kv_bytes
    logits = rows * shape.vocabulary * FP32
    return weights_bytes(shape, quantized=quantized) + cache + logits + reading * live_bytes(shape)
