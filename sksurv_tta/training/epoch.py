"""The steps of an epoch: the batches they take, and what they add up to until it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from sksurv_tta.training.batches import Batch, epoch_batches
from sksurv_tta.training.patients import PatientDataset

__all__ = ["EpochBatches", "EpochSums"]


@dataclass
class EpochSums:
    """Sums over the steps of an epoch that are done.

    Attributes
    ----------
    n_steps : int
    n_eventless : int
        Steps whose batch had no event.
    lr : float
        Learning rate of the last of them.
    totals, weights : dict of str to float
        For each part of the loss the weighted sum of its values, and the sum of the weights.
    """

    n_steps: int = 0
    n_eventless: int = 0
    lr: float = 0.0
    totals: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._is_torn = False

    @contextmanager
    def one_step(self) -> Iterator[None]:
        """Count the step of the block; if that does not come to its end, weights and sums do not fit."""
        self._is_torn = True
        yield
        self.n_steps += 1
        self._is_torn = False

    @property
    def can_be_saved(self) -> bool:
        """Whether there are steps, and all of them are done."""
        return self.n_steps > 0 and not self._is_torn

    def add(self, name: str, value: float, weight: float) -> None:
        """Add what a step has to say on one part of the loss."""
        self.totals[name] = self.totals.get(name, 0.0) + weight * value
        self.weights[name] = self.weights.get(name, 0.0) + weight

    def means(self) -> dict[str, float]:
        """Weighted mean of every part."""
        return {name: total / max(self.weights[name], 1.0) for name, total in self.totals.items()}

    def as_record(self) -> dict[str, Any]:
        """JSON values; :meth:`of_record` undoes it."""
        return asdict(self)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Sums of an epoch that was stopped, to go on with."""
        return cls(**record)


class EpochBatches:
    """Iterable over the batches of whatever epoch the net's history is in."""

    def __init__(self, net: Any, data: PatientDataset):
        self.net, self.data = net, data

    def __iter__(self) -> Iterator[Batch]:
        net = self.net
        return epoch_batches(
            self.data,
            batch_size=net.batch_size,
            seed=net.seed,
            epoch=len(net.history) - 1,
            bag_size=net.bag_size,
            n_profile_tokens=net.n_profile_tokens,
            instances=getattr(net, "instances_", None),
        )
