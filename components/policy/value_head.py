"""A linear value head: from a hidden state to the return expected from there."""

import torch
from torch import Tensor, nn


class ValueHead(nn.Module):
    """V(s) = w . h(s) + b, in float32; all zero at first, so that it begins by expecting nothing.

    size: of the hidden states.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Values (...) of hidden states (..., size)."""
        with torch.autocast(hidden.device.type, enabled=False):
            values: Tensor = self.linear(hidden.float())
        return values[..., 0]
