"""Instances of all patients in the memory of an accelerator, for as long as a training lasts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sksurv_tta.bags import Bag
from sksurv_tta.networks import Ragged
from sksurv_tta.training.instances import (
    HostInstances,
    InstanceSource,
    Request,
    copy_rows,
)
from sksurv_tta.training.patients import PatientDataset
from sksurv_tta.training.read_ahead import ReadAhead

__all__ = ["ResidentInstances", "free_bytes", "instances_at_hand", "lending_instances", "resident_bytes"]

BLOCK_ROWS = 8192  # instances on the host at a time while the memory is filled

logger = logging.getLogger("sksurv_tta")


class ResidentInstances:
    """One flat matrix for each bag modality, patients one after another, as narrow as they are stored.

    Half precision is widened after rows were gathered, which changes no bit.

    Parameters
    ----------
    data : PatientDataset
        Its bags are read once, now.
    device : torch.device

    Attributes
    ----------
    values : list of Tensor (n_rows, n_features)
    starts : ndarray of shape (n_patients, n_bag_modalities)
        First row of each patient.
    """

    def __init__(self, data: PatientDataset, device: torch.device):
        self.data, self.device = data, device
        self.starts = np.cumsum(data.n_instances, axis=0) - data.n_instances
        self.values = [self._load(modality) for modality in range(len(data.bags))]

    def read(self, request: Request) -> Ragged:
        """Instances (n_rows, n_features), float32, on the device."""
        chosen = request.chosen(self.data.bags[request.modality])
        starts = self.starts[list(request.patients), request.modality]
        rows = [
            start + (np.arange(own.stop) if isinstance(own, slice) else own)
            for start, own in zip(starts, chosen, strict=True)
        ]
        index = torch.from_numpy(np.concatenate(rows))
        if self.device.type == "cuda":
            index = index.pin_memory()  # otherwise the host waits for the copy
        gathered = self.values[request.modality].index_select(0, index.to(self.device, non_blocking=True))
        return Ragged(gathered.float(), tuple(len(own) for own in rows))

    def prepare(self, request: Request) -> None:
        """Do nothing: everything is there."""

    def close(self) -> None:
        """Give the memory back."""
        self.values.clear()

    def _load(self, modality: int) -> Tensor:
        column, width = self.data.bags[modality], self.data.n_features[modality]
        n_rows = int(self.data.n_instances[:, modality].sum())
        values = torch.empty(n_rows, width, dtype=self.data.stored_types[modality], device=self.device)
        for bag, start in zip(column, self.starts[:, modality].tolist(), strict=True):
            if bag is not None:
                _fill(values[start : start + bag.n_instances], bag)
        return values


def _fill(values: Tensor, bag: Bag) -> None:
    for start in range(0, bag.n_instances, BLOCK_ROWS):
        part = values[start : start + BLOCK_ROWS]
        block = torch.empty(part.shape, dtype=part.dtype)
        copy_rows(bag, slice(start, start + len(part)), block)
        part.copy_(block)


def resident_bytes(data: PatientDataset) -> int:
    """Bytes that all instances take, each as narrow as it is stored."""
    rows = data.n_instances.sum(axis=0).tolist()
    return sum(
        n_rows * width * dtype.itemsize
        for n_rows, width, dtype in zip(rows, data.n_features, data.stored_types, strict=True)
    )


def free_bytes(device: torch.device) -> int:
    """Memory of an accelerator that is free, or held by PyTorch for nothing; 0 for a CPU."""
    if device.type != "cuda":
        return 0
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


@contextmanager
def instances_at_hand(
    data: PatientDataset, device: torch.device, resident_share: float
) -> Iterator[InstanceSource]:
    """Give the fastest source of instances for a training.

    Parameters
    ----------
    data : PatientDataset
    device : torch.device
    resident_share : float
        Part of the accelerator's free memory that instances may take. If they fit, they are kept there;
        otherwise the next group is read while the device works on one. 0: never keep them there.

    Yields
    ------
    source : InstanceSource
        For a CPU, instances are read when they are asked for.
    """
    source: InstanceSource
    n_bytes, free = resident_bytes(data), free_bytes(device)
    if 0 < n_bytes <= resident_share * free:
        source = ResidentInstances(data, device)
        logger.info("%.1f GB of instances are kept on %s", n_bytes / 1e9, device)
    elif device.type == "cuda":
        source = ReadAhead(HostInstances(data, device))
        logger.info("%.1f GB of instances are read by the host, one group ahead", n_bytes / 1e9)
    else:
        source = HostInstances(data, device)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def lending_instances(net: Any, data: PatientDataset) -> Iterator[None]:
    """Let ``net.instances_`` be the source of instances inside the block, and nothing after it.

    Parameters
    ----------
    net : SurvivalNet
    data : PatientDataset
        What it trains on.
    """
    with instances_at_hand(data, net.module_.device, net.resident_share) as net.instances_:
        try:
            yield
        finally:
            del net.instances_  # nothing that stays may hold patients
