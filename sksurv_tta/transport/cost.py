"""From logits to transport costs, and from modalities to one token axis and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["assignment_cost", "shifted_distances", "split_tokens", "stack_tokens"]


def assignment_cost(logits: torch.Tensor) -> torch.Tensor:
    """Cost of assigning each token to each prototype.

    Eq. (4): C = -log softmax(L), over the prototypes. Computed in float32 at least and without
    gradient: logits rounded to bfloat16 move the plan by up to a percent.

    Parameters
    ----------
    logits : Tensor of shape (..., K)
        Similarity of tokens to prototypes.

    Returns
    -------
    Tensor of shape (..., K)
        Non-negative costs; float64 for float64 logits, else float32.

    Raises
    ------
    TypeError
        If the logits are not floating point.
    """
    if not logits.is_floating_point():
        raise TypeError(f"The logits must be floating point, got {logits.dtype}.")
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return -torch.log_softmax(logits.detach().to(dtype), dim=-1)


def stack_tokens(
    costs: Sequence[torch.Tensor], masks: Sequence[torch.Tensor | None] | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Tokens of all modalities on one axis, so that one plan ties them together.

    Eq. (5): C = [C^1; ...; C^M].

    Parameters
    ----------
    costs : sequence of M Tensors of shape (B, N_m, K) or (N_m, K)
        One for each modality.
    masks : sequence of M Tensors of shape (B, N_m) or (N_m,), or None
        True marks a real token; None stands for "all real", for one modality or for all.

    Returns
    -------
    cost : Tensor of shape (B, N_tot, K) or (N_tot, K)
        The stacked costs.
    mask : Tensor of bool of shape (B, N_tot) or (N_tot,), or None
        The stacked masks, None if every mask was None.

    Raises
    ------
    ValueError
        If there is no modality, or not one mask for each.
    """
    if len(costs) == 0:
        raise ValueError("At least one modality is needed.")
    cost = torch.cat(list(costs), dim=-2)
    if masks is None or all(mask is None for mask in masks):
        return cost, None
    if len(masks) != len(costs):
        raise ValueError(f"{len(costs)} costs came with {len(masks)} masks.")
    filled = [
        torch.ones(each.shape[:-1], dtype=torch.bool, device=each.device) if mask is None else mask
        for each, mask in zip(costs, masks, strict=True)
    ]
    return cost, torch.cat(filled, dim=-1)


def split_tokens(stacked: torch.Tensor, lengths: Sequence[int]) -> tuple[torch.Tensor, ...]:
    """Parts of the modalities of something stacked by :func:`stack_tokens`; views.

    Parameters
    ----------
    stacked : Tensor of shape (..., N_tot, K)
        A cost or a plan.
    lengths : sequence of int
        N_m of each modality, in the order of stacking.

    Returns
    -------
    parts : tuple of Tensor of shape (..., N_m, K)

    Raises
    ------
    ValueError
        If the lengths do not add up to N_tot.
    """
    if sum(lengths) != stacked.shape[-2]:
        raise ValueError(f"{list(lengths)} tokens do not add up to the {stacked.shape[-2]} of the plan.")
    return torch.split(stacked, list(lengths), dim=-2)


def shifted_distances(rows: torch.Tensor, columns: torch.Tensor, *, squared: bool) -> torch.Tensor:
    """Distances between two sets of vectors, each less its smallest entry, as a share of the largest.

    Parameters
    ----------
    rows : Tensor of shape (N, dim)
    columns : Tensor of shape (K, dim)
    squared : bool
        Squared Euclidean distances instead of Euclidean ones.

    Returns
    -------
    Tensor of shape (N, K)
        In [0, 1]; float32 at least.
    """
    first, second = (each.float() - each.float().amin(dim=1, keepdim=True) for each in (rows, columns))
    # The exact mode: with the other, distances of near vectors are rounding.
    distances = torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
    distances = distances.square() if squared else distances
    return distances / distances.amax().clamp_min(torch.finfo(distances.dtype).tiny)
