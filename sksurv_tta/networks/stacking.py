"""Members of an ensemble side by side in one network, for predicting one patient at a time."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from sksurv_tta.networks.interface import SurvivalNetwork
from sksurv_tta.networks.tta import TTANetwork

__all__ = ["WIDEST_STACK", "stack_members"]

#: Width of the tokens of all members together. Wider members have enough to do each by itself, and
#: side by side would hold too much.
WIDEST_STACK = 1024


@torch.no_grad()
def stack_members(members: Sequence[SurvivalNetwork]) -> TTANetwork | None:
    """Make one network that does for a patient what all members do, each operation once for all.

    Encoders, which see the same input, become one wide encoder. Behind them stand the members where a
    batch has its patients, and every layer applies to each its own weights.

    Parameters
    ----------
    members : sequence of SurvivalNetwork
        In evaluation mode, of one class and size. Their weights are copied.

    Returns
    -------
    stacked : TTANetwork or None
        Predicts the mean of the members. None where they cannot be stacked, or there is nothing to gain.
    """
    if len(members) < 2 or not all(isinstance(member, TTANetwork) for member in members):
        return None
    networks = [cast(TTANetwork, member) for member in members]
    first = networks[0]
    shapes = [parameter.shape for parameter in first.apart.to_anchor_space.parameters()]  # (dim, token_dim)
    width = max(max(shape) for shape in shapes)
    if width * len(members) > WIDEST_STACK or any(bool(other.mass != first.mass) for other in networks):
        return None
    stacked = copy.deepcopy(first)
    stacked.n_stacked = len(members)
    stacked.together.selected_heads.zero_()
    weights = [_leading_weights(network) for network in networks]
    for name in weights[0]:
        owner, _, leaf = name.rpartition(".")
        joined = _join(name, [own[name] for own in weights])
        setattr(stacked.get_submodule(owner), leaf, nn.Parameter(joined, requires_grad=False))
    return stacked


def _leading_weights(network: TTANetwork) -> dict[str, Tensor]:
    """Weights by name, with those of the leading head of each modality in the place of the first."""
    weights: dict[str, Tensor] = dict(network.named_parameters())
    for modality, head in enumerate(network.together.selected_heads.tolist()):
        for kind in ("weight", "bias"):
            place = f"together.heads.{modality}"
            weights[f"{place}.0.{kind}"] = weights[f"{place}.{head}.{kind}"]
    return weights


def _join(name: str, weights: list[Tensor]) -> Tensor:
    """One weight of all members: wider in the encoders, with a dimension more behind them."""
    if name.startswith("instance_encoders."):
        return torch.cat(weights, dim=0)
    if name.startswith("pathway_encoder."):
        return torch.cat(weights, dim=-1)
    return torch.stack(weights)
