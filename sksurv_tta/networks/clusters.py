"""Lloyd's k-means, and where it starts."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["far_apart", "k_means"]


def far_apart(points: Tensor, n_wanted: int) -> Tensor:
    """Rows far from each other, in a way that does not depend on the order of the rows.

    The first is nearest to the mean of all, each further one farthest from those before.

    Parameters
    ----------
    points : Tensor of shape (n_points, dim)
    n_wanted : int

    Returns
    -------
    rows : Tensor of shape (min(n_wanted, n_points), dim)
    """
    place = _squared_distances(points, points.mean(dim=0)).argmin()
    rows = [points[place]]
    nearest = _squared_distances(points, rows[0])
    while len(rows) < min(n_wanted, len(points)):
        rows.append(points[nearest.argmax()])
        nearest = torch.minimum(nearest, _squared_distances(points, rows[-1]))
    return torch.stack(rows)


def _squared_distances(points: Tensor, centre: Tensor) -> Tensor:
    return (points - centre).square().sum(dim=1)


def k_means(points: Tensor, start: Tensor, n_iterations: int = 10) -> tuple[Tensor, Tensor]:
    """Move centres to the means of the points nearest to them, until nothing changes.

    Parameters
    ----------
    points : Tensor of shape (n_points, dim)
    start : Tensor of shape (n_clusters, dim)
    n_iterations : int
        At the most.

    Returns
    -------
    centres : Tensor of shape (n_clusters, dim)
        One to which no point is nearest stays where it was.
    labels : Tensor of shape (n_points,), integer
        The nearest of the returned centres.
    """
    centres, labels = start, _nearest(points, start)
    for _ in range(n_iterations):
        counts = torch.bincount(labels, minlength=len(centres)).unsqueeze(1)
        sums = torch.zeros_like(centres).index_add_(0, labels, points)
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        before, labels = labels, _nearest(points, centres)
        if torch.equal(before, labels):
            break
    return centres, labels


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    # The squared norm of a point is the same for all centres.
    return (centres.square().sum(dim=1) - 2 * points @ centres.T).argmin(dim=1)
