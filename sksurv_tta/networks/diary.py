"""What the transport plans of an epoch were like: solved or not, and whether all prototypes are used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from sksurv_tta.transport import TransportPlan

__all__ = ["PlanDiary", "notes_of", "restore_notes"]


class PlanDiary:
    """Notes on transport plans, from the last :meth:`report` on.

    They are kept on the device and read once an epoch, so taking them does not make an accelerator wait.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all notes."""
        self._worst: Tensor | None = None
        self._unsolved: Tensor | None = None
        self._usage: Tensor | None = None

    @torch.no_grad()
    def note(self, plan: TransportPlan) -> None:
        """Note how well the plans of some bags were solved."""
        worst = torch.where(plan.converged, 0.0, plan.residual).max()
        unsolved = (~plan.converged).sum()
        self._worst = worst if self._worst is None else torch.maximum(self._worst, worst)
        self._unsolved = unsolved if self._unsolved is None else self._unsolved + unsolved

    @torch.no_grad()
    def note_usage(self, plan: Tensor) -> None:
        """Note how much mass each prototype was given by plans of shape (B, N, K).

        Bags with no more tokens than prototypes cannot use them all and say nothing.
        """
        if plan.shape[1] <= plan.shape[2]:
            return
        usage = plan.sum(dim=(0, 1)).double()
        self._usage = usage if self._usage is None else self._usage + usage

    def notes(self) -> dict[str, Tensor]:
        """What was noted since the last report, as tensors."""
        noted = {"worst": self._worst, "unsolved": self._unsolved, "usage": self._usage}
        return {name: value for name, value in noted.items() if value is not None}

    def restore(self, notes: Mapping[str, Tensor]) -> None:
        """Undo :meth:`notes`."""
        self._worst, self._unsolved = notes.get("worst"), notes.get("unsolved")
        self._usage = notes.get("usage")

    def report(self) -> dict[str, float]:
        """Return the notes as numbers for the history, and forget them.

        Returns
        -------
        numbers : dict of str to float
            ``transport_residual``: worst residual of plans that did not converge, else 0;
            ``unsolved_plans``: their number; ``prototype_usage``: entropy of the mass that the prototypes
            were given, 1 for equal shares, 0 for a single prototype. Empty without a plan.
        """
        numbers = {}
        if self._worst is not None and self._unsolved is not None:
            numbers["transport_residual"] = float(self._worst)
            numbers["unsolved_plans"] = int(self._unsolved)
        if self._usage is not None and len(self._usage) > 1:
            shares = self._usage / self._usage.sum().clamp(min=torch.finfo(torch.float64).tiny)
            entropy = -torch.special.xlogy(shares, shares).sum()
            numbers["prototype_usage"] = float(entropy) / math.log(len(shares))
        self.clear()
        return numbers


def _diaries(network: nn.Module) -> Iterator[tuple[str, PlanDiary]]:
    for name, module in network.named_modules():
        diary = getattr(module, "diary", None)
        if isinstance(diary, PlanDiary):
            yield f"{name}.diary.", diary


def notes_of(network: nn.Module) -> dict[str, Tensor]:
    """Notes of all diaries in a network: what an epoch leaves until it ends, and no ``state_dict`` holds.

    Parameters
    ----------
    network : Module

    Returns
    -------
    notes : dict of str to Tensor
        For :func:`restore_notes`.
    """
    return {
        f"{place}{name}": value for place, diary in _diaries(network) for name, value in diary.notes().items()
    }


def restore_notes(network: nn.Module, notes: Mapping[str, Tensor]) -> None:
    """Put notes back, on the device of the network."""
    device = next(network.parameters()).device
    for place, diary in _diaries(network):
        own = {name.removeprefix(place): v.to(device) for name, v in notes.items() if name.startswith(place)}
        diary.restore(own)
