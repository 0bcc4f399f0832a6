"""Dropout and random views drawn from one explicit generator, never from torch's global one.

A training step reseeds the generator from (seed, epoch, patient), so that the same step draws
the same masks whatever ran before it, in whatever thread, and when a bag is computed twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["Dropout", "RepeatedDraws", "current_generator", "drawing_from"]

_LOCAL = threading.local()


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Let every random draw of this package's modules in this thread use ``generator``.

    Parameters
    ----------
    generator : torch.Generator
        On the device of the tensors that will be drawn.
    """
    previous = current_generator()
    _LOCAL.generator = generator
    try:
        yield
    finally:
        _LOCAL.generator = previous


def current_generator() -> torch.Generator | None:
    """Return the generator in force in this thread; None stands for torch's global one."""
    return getattr(_LOCAL, "generator", None)


class RepeatedDraws:
    """Draws that can be made again: first as ever, then from where the generator stood at the first time."""

    def __init__(self) -> None:
        self._start: tuple[torch.device, Tensor] | None = None

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let what is drawn inside the block be the same each time.

        Only the first time advances the generator in force, of which there must be one.
        """
        if self._start is None:
            generator = current_generator()
            if generator is None:
                raise ValueError("Draws are repeated only inside drawing_from().")
            self._start = generator.device, generator.get_state()
            yield
            return
        device, state = self._start
        again = torch.Generator(device)
        again.set_state(state)
        with drawing_from(again):
            yield


class Dropout(nn.Module):
    """Zero entries with a given probability while training, scale the others up.

    The probability is rounded to a multiple of 1/256: one random byte decides one entry, which
    on a CPU costs a tenth of a Bernoulli draw for each. The scale uses the rounded value,
    so the expectation is exact.

    Parameters
    ----------
    probability : float
        In [0, 1).
    """

    def __init__(self, probability: float):
        super().__init__()
        # At most 255: of 256, nothing would be kept and the scale would be infinite.
        self.n_dropped_bytes = min(round(256 * probability), 255)

    def forward(self, values: Tensor) -> Tensor:
        """Drop entries in training mode; return ``values`` itself in evaluation mode."""
        if not self.training or self.n_dropped_bytes == 0:
            return values
        kept, scale = self.draw_kept(values), self.scale
        if values.element_size() < 4:
            # Not one factor: rounded to half precision, it would no longer fit the probability.
            return values * kept * scale
        # One factor for both directions: the backward pass is a single product.
        return values * kept.to(values.dtype).mul_(scale)

    @property
    def scale(self) -> float:
        """What entries that are kept are multiplied by."""
        return 256 / (256 - self.n_dropped_bytes)

    def draw_kept(self, values: Tensor) -> Tensor:
        """Draw which entries are kept: a bool tensor of the shape of ``values``."""
        n_words = -(-values.numel() // 8)
        words = torch.empty(n_words, dtype=torch.int64, device=values.device)
        words.random_(-(2**63), None, generator=current_generator())
        return words.view(torch.uint8)[: values.numel()].view(values.shape) >= self.n_dropped_bytes

    def extra_repr(self) -> str:
        """Show the probability in force."""
        return f"probability={self.n_dropped_bytes / 256:.4f}"
