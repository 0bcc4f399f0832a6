"""Prediction: one patient at a time, on all instances, without any draw.

A patient's output cannot depend on who else is predicted, since nobody else is there.
"""

from __future__ import annotations

import warnings
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from sksurv_tta.bags import Bag
from sksurv_tta.exceptions import NonFiniteCostError, PredictionWarning
from sksurv_tta.networks import PatientGroup, Ragged, SurvivalNetwork
from sksurv_tta.training.memory import embed_within_memory
from sksurv_tta.training.patients import PatientDataset
from sksurv_tta.training.threads import threads_for

__all__ = ["predict_patients"]

BLOCK_INSTANCES = 8192  # instances held at a time; larger bags are read in blocks


@torch.no_grad()
def predict_patients(network: SurvivalNetwork, data: PatientDataset) -> np.ndarray:
    """Outputs of the network for each patient.

    Where memory runs out, the network remembers the smaller blocks and uses them from then on: also for
    patients of this call who were read in larger ones. So all of them are treated alike, whatever their
    order, and so is whoever is predicted later.

    Parameters
    ----------
    network : SurvivalNetwork
        Is put into evaluation mode.
    data : PatientDataset

    Returns
    -------
    outputs : ndarray of shape (n_patients, n_outputs), float64
        NaN for a patient whose values are so large that the network overflows.

    Raises
    ------
    InsufficientMemoryError
        If even small blocks of instances do not fit into memory.

    Warns
    -----
    PredictionWarning
        If memory ran out, with the number of instances that are held at a time from now on.
    """
    asked = network.eval().for_prediction()
    before = block_size = min(network.block_instances or BLOCK_INSTANCES, BLOCK_INSTANCES)
    outputs: dict[int, np.ndarray | None] = {}
    waiting = list(range(len(data)))
    while waiting:
        patient = waiting.pop(0)
        outputs[patient], held = _predict_one(asked, data, patient, block_size)
        if held < block_size:
            block_size = held
            again = (done for done in outputs if done != patient and done not in waiting)
            waiting += [done for done in again if data.n_instances[done].max(initial=0) > held]
    if block_size < before:
        network.block_instances = block_size
        _warn_of_smaller_blocks(block_size, before)
    n_outputs = max((row.shape[1] for row in outputs.values() if row is not None), default=1)
    overflown = np.full((1, n_outputs), np.nan)
    found = [outputs[patient] for patient in range(len(data))]
    return np.concatenate([overflown if row is None else row for row in found])


def _predict_one(
    network: SurvivalNetwork, data: PatientDataset, patient: int, block_size: int
) -> tuple[np.ndarray | None, int]:
    """Outputs (1, n_outputs), None if the network overflows, and the size of blocks they were made with."""
    n_instances = int(data.n_instances[patient].sum())
    name = f"patient {data.names[patient]} ({n_instances:,} instances)"
    # The caller names all such patients at once: one of them must not hide the others.
    with threads_for(n_instances), suppress(NonFiniteCostError):
        tokens, block_size = embed_within_memory(
            lambda size: _embed(network, data, patient, size), block_size, name
        )
        present = data.present[patient : patient + 1].to(network.device)
        return network(tokens, present).prediction.double().cpu().numpy(), block_size
    return None, block_size


def _warn_of_smaller_blocks(block_size: int, before: int) -> None:
    warnings.warn(
        f"Memory ran out in prediction, so bags are read {block_size:,} instances at a time from now on, "
        f"not {before:,}. Risks of patients with more may differ, by up to 1e-5, from those of before and of "
        "other machines.",
        PredictionWarning,
        stacklevel=5,
    )


def _embed(network: SurvivalNetwork, data: PatientDataset, patient: int, block_size: int) -> Tensor:
    device = network.device
    profiles = None
    if data.profiles is not None:
        own = data.profiles[patient : patient + 1] if data.has_profile[patient] else data.profiles[:0]
        tokens, n_tokens = network.encode_profiles(own.to(device))
        profiles = Ragged(tokens, (len(own) * n_tokens,))
    bags = [column[patient] for column in data.bags]
    if any(bag is not None and bag.n_instances > block_size for bag in bags):
        widths = zip(bags, data.n_features, strict=True)
        readers = [
            (_RowReader(bag, width, device), 0 if bag is None else bag.n_instances) for bag, width in widths
        ]
        tokens_in_blocks = network.embed_in_blocks(readers, profiles, block_size)
        if tokens_in_blocks is not None:
            return tokens_in_blocks
    ragged = tuple(
        Ragged(
            _RowReader(bag, width, device)(0, 0 if bag is None else bag.n_instances),
            (0 if bag is None else bag.n_instances,),
        )
        for bag, width in zip(bags, data.n_features, strict=True)
    )
    return network.embed(PatientGroup(ragged, profiles)).tokens


class _RowReader:
    """Rows of one bag as a tensor; no rows where the bag is missing."""

    def __init__(self, bag: Bag | None, n_features: int, device: torch.device):
        self.bag, self.n_features, self.device = bag, n_features, device

    def __call__(self, start: int, stop: int) -> Tensor:
        if self.bag is None:
            return torch.empty(0, self.n_features, device=self.device)
        return torch.from_numpy(self.bag.read(slice(start, stop))).to(self.device)
