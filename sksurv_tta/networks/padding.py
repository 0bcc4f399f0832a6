"""Rows of several patients, one after another, to a tensor with a row of rows for each, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from sksurv_tta.networks.interface import Ragged

__all__ = ["pad", "unpad"]


def pad(rows: Ragged) -> tuple[Tensor, Tensor]:
    """Put every patient's rows into a row of a tensor as long as the longest.

    Returns
    -------
    padded : Tensor of shape (n_patients, longest, dim)
        Zero where there is no row.
    mask : Tensor of shape (n_patients, longest), bool
        True where there is one.
    """
    values, lengths = rows.values, rows.lengths
    n_patients, longest = len(lengths), max(lengths)
    if min(lengths) == longest:
        padded = values.view(n_patients, longest, values.shape[1])
        return padded, torch.ones(n_patients, longest, dtype=torch.bool, device=values.device)
    mask = torch.arange(longest, device=values.device) < torch.tensor(
        lengths, device=values.device
    ).unsqueeze(1)
    padded = values.new_zeros(n_patients, longest, values.shape[1])
    padded[mask] = values
    return padded, mask


def unpad(padded: Tensor, mask: Tensor) -> Tensor:
    """Undo :func:`pad`: the rows of all patients one after another."""
    if padded.shape[0] == 1:
        return padded[0]
    return padded[mask]
