"""What a model's config says of how far its layers see."""

from typing import Any


def context_length(model: Any) -> int:
    """Tokens that fit into the model's context; 2^30 where its config names no bound."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 1 << 30)


def attends_to_all(model: Any) -> bool:
    """Whether each layer attends to all that came before: none has a window, none a state of its own.

    The config's list of layers says so; where it has none, no window does.
    """
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return not getattr(config, "sliding_window", None)
    return set(kinds) == {"full_attention"}
