"""Where a training step takes its instances from, and the plain answer: read by the host, when asked.

Which instances take part is drawn on the host in every case, so every source gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sksurv_tta.bags import Bag
from sksurv_tta.networks import Ragged
from sksurv_tta.training.patients import PatientDataset

__all__ = ["HostInstances", "InstanceSource", "Request", "copy_rows"]


@dataclass(frozen=True)
class Request:
    """Instances that a group of patients needs.

    Parameters
    ----------
    modality : int
    patients : tuple of int
        Rows of the data set.
    epoch : int
        Instances are drawn anew in each.
    rows : callable
        Of a patient's number: sorted row numbers in the bag, or None for all.
    """

    modality: int
    patients: tuple[int, ...]
    epoch: int
    rows: Callable[[int], np.ndarray | None]

    @property
    def key(self) -> tuple[int, tuple[int, ...], int]:
        """Equal for requests of the same instances, within one training."""
        return self.modality, self.patients, self.epoch

    def chosen(self, column: Sequence[Bag | None]) -> list[slice | np.ndarray]:
        """Rows of each patient's bag; an empty range where it is missing."""
        return [self._chosen(column[patient], patient) for patient in self.patients]

    def _chosen(self, bag: Bag | None, patient: int) -> slice | np.ndarray:
        if bag is None:
            return slice(0, 0)
        rows = self.rows(patient)
        return slice(0, bag.n_instances) if rows is None else rows


class InstanceSource(Protocol):
    """What the step needs."""

    def read(self, request: Request) -> Ragged:
        """Instances (n_rows, n_features), float32, on the device."""
        ...

    def prepare(self, request: Request) -> None:
        """Hear what will be asked for next."""

    def close(self) -> None:
        """Give back what is held."""


def copy_rows(bag: Bag, rows: slice | np.ndarray, out: Tensor) -> None:
    """Copy rows of a bag into ``out`` (n_rows, n_features), on the host, of its narrowest type."""
    if out.dtype == torch.float32:
        bag.read(rows, out=out.numpy())
    else:
        np.copyto(out.numpy(), bag.read_raw(rows))


class HostInstances:
    """Instances read from the bags and copied to the device.

    Parameters
    ----------
    data : PatientDataset
    device : torch.device
        For CUDA the host's copy is in pinned memory, as narrow as it is stored, so that the copy runs beside
        the computation; the device widens it.
    """

    def __init__(self, data: PatientDataset, device: torch.device):
        self.data, self.device = data, device
        self.pinned = device.type == "cuda"
        self.types = data.stored_types if self.pinned else (torch.float32,) * len(data.bags)

    def read(self, request: Request) -> Ragged:
        """Instances (n_rows, n_features), float32, on the device."""
        staged = self.stage(request)
        return staged.with_values(self.send(staged.values))

    def prepare(self, request: Request) -> None:
        """Do nothing: on a CPU, reading ahead would take the cores from the computation."""

    def close(self) -> None:
        """Do nothing."""

    def stage(self, request: Request) -> Ragged:
        """Instances (n_rows, n_features) on the host."""
        column, modality = self.data.bags[request.modality], request.modality
        chosen = request.chosen(column)
        lengths = tuple(rows.stop if isinstance(rows, slice) else len(rows) for rows in chosen)
        shape = (sum(lengths), self.data.n_features[modality])
        staged = torch.empty(shape, dtype=self.types[modality], pin_memory=self.pinned)
        for patient, rows, own in zip(request.patients, chosen, staged.split(list(lengths)), strict=True):
            bag = column[patient]
            if bag is not None:
                copy_rows(bag, rows, own)
        return Ragged(staged, lengths)

    def send(self, staged: Tensor) -> Tensor:
        """Bring what :meth:`stage` gave to the device as float32; the host does not wait."""
        return staged.to(self.device, non_blocking=True).float()
