"""Prototypes of the instances of a cohort: k-means on the training patients, and on nobody else."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sksurv_tta.networks.clusters import k_means
from sksurv_tta.training.batches import sample_rows
from sksurv_tta.training.patients import PatientDataset
from sksurv_tta.training.randomness import Purpose, generator_for

__all__ = ["fit_prototypes"]

MAX_INSTANCES = 65536  # that are clustered: a bounded amount of memory for a cohort of any size
N_STARTS = 3
N_ITERATIONS = 50


def fit_prototypes(patients: PatientDataset, n_prototypes: int, *, seed: int, modality: int = 0) -> Tensor:
    """Centres of the clusters of equally many instances of each patient, drawn at random.

    Parameters
    ----------
    patients : PatientDataset
        The training patients.
    n_prototypes : int
        Cohorts with fewer instances have some prototypes several times.
    seed : int
    modality : int
        Which column of bags.

    Returns
    -------
    prototypes : Tensor of shape (n_prototypes, n_features)
        The best of a few starts.
    """
    points = _sample(patients, modality, seed)
    best, lowest = points[:1], torch.inf
    for start in range(N_STARTS):
        generator = generator_for(seed, Purpose.PROTOTYPES, start)
        centres, labels = k_means(points, _spread(points, n_prototypes, generator), N_ITERATIONS)
        inertia = (points - centres[labels]).square().sum().item()
        if inertia < lowest:
            best, lowest = centres, inertia
    return best


def _sample(patients: PatientDataset, modality: int, seed: int) -> Tensor:
    column = patients.bags[modality]
    per_patient = max(1, MAX_INSTANCES // max(sum(bag is not None for bag in column), 1))
    parts = [
        bag.read(sample_rows(bag.n_instances, per_patient, generator_for(seed, Purpose.PROTOTYPES, 0, row)))
        for row, bag in zip(patients.rows.tolist(), column, strict=True)
        if bag is not None
    ]
    return torch.from_numpy(np.concatenate(parts)).float()


def _spread(points: Tensor, n_wanted: int, generator: np.random.Generator) -> Tensor:
    """Starting centres by k-means++: each drawn with the squared distance to those before as weight."""
    chosen = [int(generator.integers(len(points)))]
    nearest = (points - points[chosen[0]]).square().sum(dim=1)
    while len(chosen) < n_wanted:
        weight = nearest.double().cumsum(dim=0)
        # Where all points are taken, the weights are zero and the last of them is taken again.
        target = generator.random() * weight[-1].item()
        place = int(torch.searchsorted(weight, torch.tensor(target, dtype=weight.dtype), right=True))
        chosen.append(min(place, len(points) - 1))
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).square().sum(dim=1))
    return points[chosen]
