"""One patient whose bags are too large to hold, summarised by one or several networks block by block.

A block is read once for all networks: reading and preparing a large bag costs more than what a small
network makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from sksurv_tta.networks.interface import Ragged, RowReader

__all__ = ["BlockwiseNetwork", "row_blocks", "summarise_in_blocks"]


class BlockwiseNetwork(Protocol):
    """What a network must know for this: prototype tokens are weighted sums, the weights made of logits."""

    def encode(self, modality: int, rows: Tensor) -> Tensor:
        """Tokens (n_rows, token_dim) of instances of one bag modality."""

    def token_logits(self, modality: int, tokens: Tensor) -> Tensor:
        """Logits (n_tokens, K) of tokens of any modality."""

    def weigh(self, logits: Sequence[Ragged]) -> list[Ragged]:
        """Weights (n_tokens, K) of each modality, from the logits of all tokens."""


def row_blocks(n_rows: int, block_size: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges (start, stop) that cover ``n_rows``; one empty range for none."""
    for start in range(0, max(n_rows, 1), block_size):
        yield start, min(start + block_size, n_rows)


def summarise_in_blocks(
    networks: Sequence[BlockwiseNetwork],
    readers: Sequence[tuple[RowReader, int]],
    profiles: Sequence[Ragged | None],
    block_size: int,
) -> list[Tensor]:
    """Embed one patient holding ``block_size`` instances at a time.

    The transport needs the logits of all tokens, but only K numbers of each: a first pass
    collects them, a second one encodes the blocks again and adds them up.

    Parameters
    ----------
    networks : sequence of BlockwiseNetwork
    readers : sequence of (reader, n_rows)
        For each bag modality how to read its rows, and how many there are.
    profiles : sequence of Ragged or None
        The patient's profile tokens for each network.
    block_size : int
        Rows to hold at a time.

    Returns
    -------
    tokens : list of Tensor of shape (1, n_modalities, K, token_dim)
        Of each network.
    """
    weights = _all_weights(networks, readers, profiles, block_size)
    sums: list[list[Tensor]] = [[] for _ in networks]
    for modality, (read, n_rows) in enumerate(readers):
        parts: list[list[Tensor]] = [[] for _ in networks]
        for start, stop in row_blocks(n_rows, block_size):
            rows = read(start, stop)
            for network, own, part in zip(networks, weights, parts, strict=True):
                part.append(own[modality].values[start:stop].T @ network.encode(modality, rows).float())
        for total, part in zip(sums, parts, strict=True):
            total.append(torch.stack(part).sum(dim=0))
    for total, own, tokens in zip(sums, weights, profiles, strict=True):
        if tokens is not None:
            total.append(own[-1].values.T @ tokens.values.float())
    return [torch.stack(total).unsqueeze(0) for total in sums]


def _all_weights(
    networks: Sequence[BlockwiseNetwork],
    readers: Sequence[tuple[RowReader, int]],
    profiles: Sequence[Ragged | None],
    block_size: int,
) -> list[list[Ragged]]:
    """First pass: the weights of all tokens, for each network and modality."""
    logits: list[list[Ragged]] = [[] for _ in networks]
    for modality, (read, n_rows) in enumerate(readers):
        parts: list[list[Tensor]] = [[] for _ in networks]
        for start, stop in row_blocks(n_rows, block_size):
            rows = read(start, stop)
            for network, part in zip(networks, parts, strict=True):
                part.append(network.token_logits(modality, network.encode(modality, rows)))
        for own, part in zip(logits, parts, strict=True):
            own.append(Ragged(torch.cat(part), (n_rows,)))
    for network, own, tokens in zip(networks, logits, profiles, strict=True):
        if tokens is not None:
            own.append(tokens.with_values(network.token_logits(len(readers), tokens.values)))
    return [network.weigh(own) for network, own in zip(networks, logits, strict=True)]
