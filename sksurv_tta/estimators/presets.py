"""Recipes of TTASurvivalEstimator: what its parameters mean that were left at None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PAPER", "PRESETS", "ROBUST"]

#: Exactly the paper: one network, its sizes and its optimisation.
PAPER: Mapping[str, Any] = {
    "n_prototypes": 32,
    "prototype_dim": 256,
    "token_dim": 256,
    "n_heads": 5,
    "max_epochs": 30,
    "batch_size": 32,
    "lr": 1e-4,
    "warmup_epochs": 1,
    "n_members": 1,
    "view_losses": False,
    "linear_path": False,
    "profile_rank": 0,
    "standardise_instances": False,
}

#: For cohorts of some hundred patients: small networks, all patients in the risk sets of every step,
#: members that are tried on patients they have not seen, a linear Cox path beside them.
#: docs/accuracy.md says what each is good for.
ROBUST: Mapping[str, Any] = {
    "n_prototypes": 8,
    "prototype_dim": 32,
    "token_dim": 32,
    "n_heads": 1,
    "max_epochs": 10,
    "batch_size": 2**20,
    "lr": 1e-2,
    "warmup_epochs": 0,
    "n_members": 8,
    "view_losses": True,
    "linear_path": True,
    "profile_rank": 64,
    "standardise_instances": True,
}

PRESETS: Mapping[str, Mapping[str, Any]] = {"paper": PAPER, "robust": ROBUST}
