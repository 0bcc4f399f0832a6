"""Prediction: one patient at a time, on all instances, without any draw.

A patient's output cannot depend on who else is predicted, since nobody else is there.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from sksurv_tta.bags import Bag
from sksurv_tta.exceptions import NonFiniteCostError
from sksurv_tta.networks import PatientGroup, Ragged, SurvivalNetwork
from sksurv_tta.training.memory import embed_within_memory
from sksurv_tta.training.patients import PatientDataset
from sksurv_tta.training.threads import threads_for

__all__ = ["embed_patient", "predict_patients"]

BLOCK_INSTANCES = 8192  # instances held at a time; larger bags are read in blocks


@torch.no_grad()
def predict_patients(network: SurvivalNetwork, data: PatientDataset) -> np.ndarray:
    """Outputs of the network for each patient.

    Parameters
    ----------
    network : SurvivalNetwork
        Is put into evaluation mode.
    data : PatientDataset

    Returns
    -------
    outputs : ndarray of shape (n_patients, n_outputs), float64
        NaN for a patient whose values are so large that the network overflows.
    """
    asked = network.eval().for_prediction()
    present = data.present.to(network.device)
    outputs: dict[int, np.ndarray] = {}
    for patient in range(len(data)):
        # The caller names all such patients at once: one of them must not hide the others.
        with threads_for(int(data.n_instances[patient].sum())), suppress(NonFiniteCostError):
            tokens = embed_patient(asked, data, patient)
            prediction = asked(tokens, present[patient : patient + 1]).prediction
            outputs[patient] = prediction.double().cpu().numpy()
    n_outputs = max((row.shape[1] for row in outputs.values()), default=1)
    overflown = np.full((1, n_outputs), np.nan)
    return np.concatenate([outputs.get(patient, overflown) for patient in range(len(data))])


def embed_patient(network: SurvivalNetwork, data: PatientDataset, patient: int) -> Tensor:
    """Summary of one patient, (1, ...), as ``network.forward`` takes it.

    Raises
    ------
    InsufficientMemoryError
        If even small blocks of instances do not fit into memory.
    """
    name = f"patient {data.names[patient]} ({int(data.n_instances[patient].sum()):,} instances)"
    return embed_within_memory(lambda size: _embed(network, data, patient, size), BLOCK_INSTANCES, name)


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
