"""The transported mass as a part of a network's state."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sksurv_tta.transport import curriculum_mass

__all__ = ["MassCurriculum"]


class MassCurriculum(nn.Module):
    """Mass that rises over the steps of the training; prediction uses what it ended with.

    ``min(1, base + exp(-5 (1 - step / horizon)²))``: unlike TTA's ramp it reaches one before
    the horizon.

    Parameters
    ----------
    base : float
        In (0, 1].
    ramp_epochs : float
        The horizon.
    """

    mass: Tensor
    steps_done: Tensor
    ramp_steps: Tensor

    def __init__(self, base: float, ramp_epochs: float):
        super().__init__()
        self.base, self.ramp_epochs = base, ramp_epochs
        self.register_buffer("mass", torch.tensor(base, dtype=torch.float64))
        self.register_buffer("steps_done", torch.tensor(0))
        self.register_buffer("ramp_steps", torch.tensor(-1))  # not known before training begins

    def begin_training(self, steps_per_epoch: int) -> None:
        """Fix the horizon in steps, at the first call."""
        if self.ramp_steps < 0:
            self.ramp_steps.fill_(round(self.ramp_epochs * steps_per_epoch))

    def begin_step(self) -> None:
        """Take the mass of this step."""
        ramp = curriculum_mass(self.steps_done.item(), self.ramp_steps.item(), 0.0, 1.0)
        self.mass.fill_(min(1.0, self.base + ramp))
        self.steps_done += 1

    def check_state(self, state: Mapping[str, Tensor], prefix: str) -> list[str]:
        """Name buffers, in the state of a network, with values that no training leaves behind."""
        lawful = {
            f"{prefix}.mass": bool(0 < state[f"{prefix}.mass"] <= 1),
            f"{prefix}.steps_done": bool(state[f"{prefix}.steps_done"] >= 0),
            f"{prefix}.ramp_steps": bool(state[f"{prefix}.ramp_steps"] >= 0),
        }
        return [f"buffer {name!r} holds impossible values" for name, holds in lawful.items() if not holds]
