"""Self-normalising blocks for expression: linear, ELU, alpha dropout."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.networks.randomness import Dropout

__all__ = ["AlphaDropout", "SelfNormalisingBlock"]

#: What SELU tends to for very negative values: minus its scale times its alpha.
FLOOR = -1.7580993408473766


class AlphaDropout(Dropout):
    """Set entries to SELU's floor while training, then restore mean 0 and variance 1.

    Parameters
    ----------
    probability : float
        In [0, 1); rounded as in :class:`~sksurv_tta.networks.Dropout`.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Drop entries in training mode; return ``values`` itself in evaluation mode."""
        if not self.training or self.n_dropped_bytes == 0:
            return values
        dropped = self.n_dropped_bytes / 256
        scale = 1 / math.sqrt((1 - dropped) * (1 + dropped * FLOOR**2))
        return scale * (values.masked_fill(~self.draw_kept(values), FLOOR) - dropped * FLOOR)


class SelfNormalisingBlock(nn.Module):
    """Linear, ELU, alpha dropout.

    Parameters
    ----------
    n_inputs, n_outputs : int
    dropout : float
    fan_in : bool
        Draw weights with variance 1 / ``n_inputs`` and start without bias, which keeps the
        variance from layer to layer; otherwise as torch initialises linear layers.
    """

    def __init__(self, n_inputs: int, n_outputs: int, dropout: float, *, fan_in: bool = False):
        super().__init__()
        self.linear = nn.Linear(n_inputs, n_outputs)
        if fan_in:
            nn.init.normal_(self.linear.weight, std=n_inputs**-0.5)
            nn.init.zeros_(self.linear.bias)
        self.dropout = AlphaDropout(dropout)

    def forward(self, values: Tensor) -> Tensor:
        """Map (n, n_inputs) to (n, n_outputs)."""
        return self.dropout(functional.elu(self.linear(values)))
