"""How much of the tokens' mass is transported at which step of training."""

from __future__ import annotations

import math

__all__ = ["curriculum_mass"]


def curriculum_mass(step: float, horizon: float, base: float = 0.1, upper: float = 1.0) -> float:
    """Mass to transport at a step of training.

    Eq. (9): base + (upper - base) exp(-5 (1 - step / horizon)²), clipped to [0, 1]. From `horizon` on
    the mass stays at `upper`; without a ramp (``horizon=0``) it is `upper` at once.

    Parameters
    ----------
    step : float
        Optimiser steps (or epochs) done so far, >= 0.
    horizon : float
        Step at which the ramp ends, in the same unit, >= 0.
    base, upper : float
        Lower and upper end of the ramp, in [0, 1], base <= upper.

    Returns
    -------
    float
        The mass. At step 0 it is ``base + 0.0067 (upper - base)``: the formula does not start at `base`.

    Raises
    ------
    ValueError
        If an argument is not finite or outside its range.
    """
    for name, value in {"step": step, "horizon": horizon}.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be finite and at least 0, got {value}.")
    if not 0 <= base <= upper <= 1:
        raise ValueError(f"The masses must obey 0 <= base <= upper <= 1, got base={base}, upper={upper}.")
    if step >= horizon:
        return float(upper)
    mass = base + (upper - base) * math.exp(-5.0 * (1.0 - step / horizon) ** 2)
    return min(max(mass, 0.0), 1.0)
