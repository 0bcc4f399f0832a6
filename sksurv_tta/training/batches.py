"""Which patients make a batch, which of their instances take part, and in which groups.

Everything is drawn from (seed, epoch, patient): see :mod:`sksurv_tta.training.randomness`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sksurv_tta.networks import PatientGroup, Ragged
from sksurv_tta.training.criteria import Outcome
from sksurv_tta.training.instances import HostInstances, InstanceSource, Request
from sksurv_tta.training.patients import PatientDataset
from sksurv_tta.training.randomness import Purpose, derive_seed, generator_for

__all__ = ["Batch", "deal_patients", "epoch_batches", "instance_statistics", "sample_rows"]

GROUP_TOKENS = 8192  # patients are embedded together up to so many (padded) tokens
VIEW_PATIENTS = 1 / 8  # share of a batch's patients whose views are compared at a step


def sample_rows(n_rows: int, bag_size: int | None, generator: np.random.Generator) -> np.ndarray | None:
    """Sorted row numbers of a uniform sample without replacement; None for all rows."""
    if bag_size is None or n_rows <= bag_size:
        return None
    return np.sort(generator.choice(n_rows, bag_size, replace=False, shuffle=False))


def deal_patients(
    event: np.ndarray, batch_size: int, generator: np.random.Generator, strata: np.ndarray | None = None
) -> list[np.ndarray]:
    """Deal shuffled patients to batches of nearly equal size and number of events, also of each stratum.

    Events are dealt first, one to each batch in turn, so that a batch without an event, from
    which a Cox loss learns nothing, occurs only where there are fewer events than batches. Of both, those
    with event and those without, one stratum is dealt after another.

    Parameters
    ----------
    event : ndarray of shape (n_patients,), bool
    batch_size : int
        Patients in a batch at the most.
    generator : numpy Generator
    strata : ndarray of shape (n_patients,), optional

    Returns
    -------
    batches : list of ndarray of int
        Each patient's number in exactly one of them.
    """
    n_batches = -(-len(event) // batch_size)
    shuffled = generator.permutation(len(event))
    strata = np.zeros(len(event)) if strata is None else strata
    events_first = shuffled[np.lexsort((strata[shuffled], ~event[shuffled]))]
    return [events_first[start::n_batches] for start in range(n_batches)]


def instance_statistics(
    data: PatientDataset, modality: int, seed: int, rows_per_bag: int = 256
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n_features,) of a modality's instances, some of every bag.

    Parameters
    ----------
    data : PatientDataset
    modality : int
    seed : int
    rows_per_bag : int
        Instances taken from a longer bag.
    """
    total = np.zeros((2, data.n_features[modality]))
    count = 0
    for patient, bag in enumerate(data.bags[modality]):
        if bag is None:
            continue
        generator = generator_for(seed, Purpose.STATISTICS, patient, modality)
        values = bag.read(sample_rows(bag.n_instances, rows_per_bag, generator)).astype(np.float64)
        total += values.sum(axis=0), (values**2).sum(axis=0)
        count += len(values)
    mean, square = total / max(count, 1)
    scale = np.sqrt(np.maximum(square - mean**2, 0.0))
    return torch.from_numpy(mean), torch.from_numpy(scale)


class Batch:
    """Patients of one training step.

    Parameters
    ----------
    data : PatientDataset
        The whole training set.
    rows : ndarray of int
        Patients of this batch.
    seed, epoch, step : int
        What all draws are made from; ``step`` counts within the epoch.
    bag_size : int or None
        Instances taken from a longer bag.
    n_profile_tokens : int
        Tokens that a profile becomes, to size the groups.
    instances : InstanceSource, optional
        Where instances come from; by default they are read when they are asked for.
    """

    def __init__(
        self,
        data: PatientDataset,
        rows: np.ndarray,
        *,
        seed: int,
        epoch: int,
        step: int,
        bag_size: int | None,
        n_profile_tokens: int,
        instances: InstanceSource | None = None,
    ):
        self.data, self.rows, self.instances = data, rows, instances
        self.seed, self.epoch, self.step = seed, epoch, step
        self.bag_size, self.n_profile_tokens = bag_size, n_profile_tokens
        self.group_tokens = GROUP_TOKENS
        self.piece_size: int | None = None

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.rows)

    @cached_property
    def outcome(self) -> Outcome:
        """Outcome of the batch's patients."""
        if self.data.outcome is None:
            raise ValueError("These patients have no outcome to train on.")
        return self.data.outcome.take(torch.from_numpy(self.rows))

    @cached_property
    def profile_positions(self) -> np.ndarray:
        """For each patient the place among those with expression; -1 for those without."""
        has = self.data.has_profile[self.rows]
        return np.where(has, np.cumsum(has) - 1, -1)

    def profiles(self) -> Tensor | None:
        """Expression of those patients that have it: (n_present, n_genes)."""
        if self.data.profiles is None:
            return None
        return self.data.profiles[torch.from_numpy(self.rows[self.profile_positions >= 0])]

    @cached_property
    def view_weights(self) -> Tensor:
        """Weight of each patient in the comparison of views; its mean over the batch is one."""
        n_chosen = max(1, round(VIEW_PATIENTS * len(self)))
        chosen = generator_for(self.seed, Purpose.VIEWS, self.epoch, self.step).choice(
            len(self), n_chosen, replace=False
        )
        weights = torch.zeros(len(self))
        weights[torch.from_numpy(chosen)] = len(self) / n_chosen
        return weights

    @cached_property
    def counts(self) -> np.ndarray:
        """Instances that take part, of each patient and bag modality: (n_patients, n_bag_modalities)."""
        counts = self.data.n_instances[self.rows]
        return counts if self.bag_size is None else np.minimum(counts, self.bag_size)

    @property
    def n_values(self) -> int:
        """Numbers in all instances that take part."""
        return int((self.counts * np.array(self.data.n_features, dtype=np.int64)).sum())

    @cached_property
    def groups(self) -> list[np.ndarray]:
        """Places in the batch of the patients that are embedded together.

        Longest bags first, so that what is padded together is of similar length.
        """
        n_tokens = self.counts.sum(axis=1) + self.n_profile_tokens
        order = np.argsort(-n_tokens, kind="stable")
        groups, start = [], 0
        while start < len(order):
            size = max(1, int(self.group_tokens // max(n_tokens[order[start]], 1)))
            groups.append(order[start : start + size])
            start += size
        return groups

    def halve_groups(self) -> bool:
        """Embed half as many patients together from now on; False where each is alone already."""
        largest = max(len(group) for group in self.groups)
        while largest > 1 and max(len(group) for group in self.groups) == largest:
            self.group_tokens //= 2
            del self.groups
        return largest > 1

    def halve_pieces(self, smallest: int) -> bool:
        """Hold half as many of a patient's instances at a time from now on; False where that is too few.

        Pieces are multiples of eight instances: eight entries share a random number of a dropout mask.
        """
        held = int(self.counts.max(initial=0)) if self.piece_size is None else self.piece_size
        half = held // 16 * 8
        if half < max(smallest, 1):
            return False
        self.piece_size = half
        return True

    def seed_of(self, purpose: Purpose, *keys: int) -> int:
        """Seed of one purpose at this step."""
        return derive_seed(self.seed, purpose, self.epoch, *keys)

    def load(self, group: np.ndarray, profile_tokens: Tensor | None, device: torch.device) -> PatientGroup:
        """Take the instances of a group.

        Parameters
        ----------
        group : ndarray of int
            Places in the batch.
        profile_tokens : Tensor of shape (n_present, n_tokens, token_dim) or None
            Encoded profiles of the batch's patients with expression.
        device : torch.device
        """
        patients = self.rows[group]
        bags = tuple(
            self._read(self._request(modality, patients), device) for modality in range(len(self.data.bags))
        )
        profiles = None
        if profile_tokens is not None:
            places = self.profile_positions[group]
            index = torch.from_numpy(places[places >= 0]).to(device)
            lengths = tuple(np.where(places >= 0, profile_tokens.shape[1], 0).tolist())
            profiles = Ragged(profile_tokens[index].flatten(0, 1), lengths)
        own = torch.from_numpy(group)
        outcome = None
        if self.data.outcome is not None:
            outcome = self.outcome.time[own].to(device), self.outcome.event[own].to(device)
        return PatientGroup(bags, profiles, self.view_weights[own].to(device), outcome, self.piece_size)

    def prepare(self, number: int) -> None:
        """Let the source of instances know that group ``number``, if there is one, comes next."""
        if self.instances is None or number >= len(self.groups):
            return
        for modality in range(len(self.data.bags)):
            self.instances.prepare(self._request(modality, self.rows[self.groups[number]]))

    def _request(self, modality: int, patients: np.ndarray) -> Request:
        def rows(patient: int) -> np.ndarray | None:
            return self._sampled_rows(int(self.data.n_instances[patient, modality]), patient, modality)

        return Request(modality, tuple(patients.tolist()), self.epoch, rows)

    def _read(self, request: Request, device: torch.device) -> Ragged:
        source = HostInstances(self.data, device) if self.instances is None else self.instances
        return source.read(request)

    def _sampled_rows(self, n_rows: int, patient: int, modality: int) -> np.ndarray | None:
        if self.bag_size is None or n_rows <= self.bag_size:
            return None  # before a generator is made: it costs as much as reading a small bag
        generator = generator_for(self.seed, Purpose.INSTANCES, self.epoch, patient, modality)
        return sample_rows(n_rows, self.bag_size, generator)


def epoch_batches(
    data: PatientDataset,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    bag_size: int | None,
    n_profile_tokens: int,
    instances: InstanceSource | None = None,
) -> Iterator[Batch]:
    """Yield the batches of one epoch; parameters as for :class:`Batch`."""
    if data.outcome is None:
        raise ValueError("These patients have no outcome to train on.")
    generator = generator_for(seed, Purpose.BATCHES, epoch)
    dealt = deal_patients(data.outcome.event.numpy(), batch_size, generator, data.known_strata())
    for step, rows in enumerate(dealt):
        yield Batch(
            data,
            rows,
            seed=seed,
            epoch=epoch,
            step=step,
            bag_size=bag_size,
            n_profile_tokens=n_profile_tokens,
            instances=instances,
        )
