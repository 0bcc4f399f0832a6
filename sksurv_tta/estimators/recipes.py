"""How the authors of a method trained it, where that differs from this package's recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

__all__ = ["GENE_SETTINGS", "PROTOTYPE_SETTINGS", "SLIDE_SETTINGS", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """Settings of ``recipe="original"``.

    Parameters
    ----------
    settings : mapping of str to value
        Parameters of the estimator. They hold where the user left the default, and are complete: a
        default that changes must not change what the authors did.
    optimizer : type
        torch optimizer; it gets the weight decay of the settings.
    constant_rate : bool
        Keep the learning rate as it is, instead of a warm-up and a cosine.
    censored_weight : float
        Weight of censored patients in the discrete-time likelihood: one minus the "alpha" that
        this field gives to uncensored ones.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam
    constant_rate: bool = True
    censored_weight: float = 1.0


#: Settings that the authors of many methods share, of methods that look at genes only.
GENE_SETTINGS: Mapping[str, Any] = {
    "loss": "discrete",
    "max_epochs": 20,
    "batch_size": 32,
    "lr": 0.0002,
    "weight_decay": 1e-05,
    "clip_norm": None,
    "early_stopping": False,
}
#: The same of methods that look at bags, all of every one.
SLIDE_SETTINGS: Mapping[str, Any] = {**GENE_SETTINGS, "bag_size": None}
#: Settings of methods that sum up a bag by a few prototypes.
PROTOTYPE_SETTINGS: Mapping[str, Any] = {
    "loss": "cox",
    "max_epochs": 50,
    "batch_size": 64,
    "bag_size": None,
    "lr": 0.0001,
    "weight_decay": 1e-05,
    "clip_norm": None,
    "early_stopping": False,
}
