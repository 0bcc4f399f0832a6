"""Rows of several patients, one after another, to a tensor with a row of rows for each, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sksurv_tta.networks.interface import Ragged

__all__ = ["count_tokens", "pad", "unpad"]


def pad(rows: Ragged) -> tuple[Tensor, Tensor | None]:
    """Put every patient's rows into a row of a tensor as long as the longest.

    Returns
    -------
    padded : Tensor of shape (n_patients, longest, dim)
        Zero where there is no row.
    mask : Tensor of shape (n_patients, longest), bool, or None
        True where there is a row; None where all are of one length.
    """
    values, lengths = rows.values, rows.lengths
    n_patients, longest = len(lengths), max(lengths)
    if min(lengths) == longest:
        return values.view(n_patients, longest, values.shape[1]), None
    mask = torch.arange(longest, device=values.device) < torch.tensor(
        lengths, device=values.device
    ).unsqueeze(1)
    padded = values.new_zeros(n_patients, longest, values.shape[1])
    padded[mask] = values
    return padded, mask


def unpad(padded: Tensor, mask: Tensor | None) -> Tensor:
    """Undo :func:`pad`: the rows of all patients one after another."""
    return padded.flatten(0, 1) if mask is None else padded[mask]


def count_tokens(padded: Sequence[Tensor], masks: Sequence[Tensor | None]) -> int | Tensor:
    """Rows of each patient in all of several :func:`pad` results: one number, or (n_patients, 1, 1)."""
    counts = [
        values.shape[1] if mask is None else mask.sum(dim=1)
        for values, mask in zip(padded, masks, strict=True)
    ]
    total = sum(counts)
    return total[:, None, None] if isinstance(total, Tensor) else total
