"""Several networks of the same build, trained side by side on the same batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from sksurv_tta.networks.interface import (
    Embedding,
    NetworkOutput,
    PatientGroup,
    Ragged,
    RowReader,
    SurvivalNetwork,
)
from sksurv_tta.networks.linear import linear
from sksurv_tta.networks.preparation import InputPreparation
from sksurv_tta.networks.stacking import stack_members

__all__ = ["EnsembleNetwork"]


class EnsembleNetwork(SurvivalNetwork):
    """Members that share nothing but the input; the prediction is the mean of theirs.

    In training every member predicts on its own, first from all modalities and then, with
    ``with_views``, from each modality alone; the criterion takes the mean of their losses, so a
    member's gradient is that of its own loss.

    Parameters
    ----------
    members : sequence of SurvivalNetwork
        Of one class and size.
    preparation : InputPreparation
        What all members see of the input.
    n_modalities : int
    with_views : bool
        Train on the prediction from each modality alone as well.
    """

    def __init__(
        self,
        members: Sequence[SurvivalNetwork],
        preparation: InputPreparation,
        *,
        n_modalities: int,
        with_views: bool,
    ):
        super().__init__()
        self.members: Any = nn.ModuleList(members)  # of SurvivalNetwork
        self.preparation = preparation
        self.n_views = 1 + (n_modalities if with_views and n_modalities > 1 else 0)
        self.loss_weights = dict(members[0].loss_weights)
        self.speaker: int | None = None

    @property
    def embeds_in_pieces(self) -> bool:  # type: ignore[override]
        """Whether the members do."""
        return all(member.embeds_in_pieces for member in self.members)

    @property
    def mass(self) -> Tensor:
        """Transported mass of the members, which follow one curriculum."""
        return self.members[0].mass

    @contextmanager
    def only(self, member: int) -> Iterator[None]:
        """Let one member alone predict inside the block."""
        self.speaker = member
        try:
            yield
        finally:
            self.speaker = None

    @property
    def _working(self) -> list[SurvivalNetwork]:
        """Members that are asked now: all, but inside :meth:`only`."""
        if self.training or self.speaker is None:
            return list(self.members)
        return [self.members[self.speaker]]

    def for_prediction(self) -> SurvivalNetwork:
        """All members stacked to one, where they can be."""
        stacked = stack_members(self._working)
        if stacked is None:
            return self
        n_modalities = len(stacked.apart.to_anchor_space)
        return EnsembleNetwork(
            [stacked], self.preparation, n_modalities=n_modalities, with_views=False
        ).eval()

    def independent_parameters(self) -> list[list[nn.Parameter]]:
        """Parameters of each member: their gradients are clipped apart."""
        return [list(member.parameters()) for member in self.members]

    def encode_profiles(self, profiles: Tensor) -> tuple[Tensor, int]:
        """Encode (n_present, n_genes) by every member: (n_present * n_tokens, n_members * token_dim)."""
        prepared = self.preparation.profiles(profiles)
        encoded = [member.encode_profiles(prepared) for member in self._working]
        return torch.cat([tokens for tokens, _ in encoded], dim=1), encoded[0][1]

    def embed(self, group: PatientGroup) -> Embedding:
        """Tokens of all members (n_patients, n_members, ...), and the mean of their losses."""
        bags = tuple(
            rows.with_values(self.preparation.instances(modality, rows.values))
            for modality, rows in enumerate(group.bags)
        )
        parts = [
            member.embed(replace(own, profiles=profiles))
            for member, own, profiles in zip(
                self._working,
                self._entered(replace(group, bags=bags)),
                self._split(group.profiles),
                strict=True,
            )
        ]
        losses = {
            name: torch.stack([part.losses[name] for part in parts]).mean(dim=0) for name in parts[0].losses
        }
        statistics = {
            f"{number}.{name}": value
            for number, part in enumerate(parts)
            for name, value in part.statistics.items()
        }
        return Embedding(torch.stack([part.tokens for part in parts], dim=1), losses, statistics)

    def embed_in_blocks(
        self, readers: Sequence[tuple[RowReader, int]], profiles: Ragged | None, block_size: int
    ) -> Tensor | None:
        """Embed one patient block by block, one member after another."""
        prepared = [
            (_prepared_reader(self.preparation, modality, read), n_rows)
            for modality, (read, n_rows) in enumerate(readers)
        ]
        tokens = []
        for member, own in zip(self._working, self._split(profiles), strict=True):
            part = member.embed_in_blocks(prepared, own, block_size)
            if part is None:
                return None
            tokens.append(part)
        return torch.stack(tokens, dim=1)

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, n_members, ...).

        In training the prediction is (n_patients, n_members, n_views, n_outputs); otherwise
        (n_patients, n_outputs), averaged over the members.
        """
        if not self.training:
            pairs = zip(self._working, tokens.unbind(1), strict=True)
            return NetworkOutput(torch.stack([m(own, present).prediction for m, own in pairs]).mean(dim=0))
        predictions, losses = [], []
        for member, own in zip(self.members, tokens.unbind(1), strict=True):
            output = member(own, present)
            views = [member(own, view).prediction for view in self._views(present)]
            predictions.append(torch.stack([output.prediction, *views], dim=1))
            losses.append(output.losses)
        mean = {name: torch.stack([part[name] for part in losses]).mean() for name in losses[0]}
        return NetworkOutput(torch.stack(predictions, dim=1), mean)

    def begin_training(self, steps_per_epoch: int) -> None:
        """Tell every member."""
        for member in self.members:
            member.begin_training(steps_per_epoch)

    def begin_step(self) -> None:
        """Tell every member."""
        for member in self.members:
            member.begin_step()

    def end_step(self, statistics: Mapping[str, Tensor]) -> None:
        """Hand every member its own statistics."""
        for number, member in enumerate(self.members):
            member.end_step(_of_member(statistics, f"{number}."))

    def end_epoch(self) -> dict[str, float]:
        """Numbers of the members for the history: the worst residual, unsolved plans, means."""
        reports = [member.end_epoch() for member in self.members]
        merge: dict[str, Callable[[list[float]], float]] = {"transport_residual": max, "unsolved_plans": sum}
        return {
            name: merge.get(name, fmean)([report[name] for report in reports]) for name in dict(reports[0])
        }

    def check_state(self, state: Mapping[str, Tensor]) -> list[str]:
        """Name what no training leaves behind, member by member."""
        problems = self.preparation.check_state(_of_member(state, "preparation."))
        for number, member in enumerate(self.members):
            of_member = member.check_state(_of_member(state, f"members.{number}."))
            problems += [f"member {number}: {problem}" for problem in of_member]
        return problems

    def _views(self, present: Tensor) -> Iterator[Tensor]:
        """Each modality alone; a patient who lacks it is seen with what there is."""
        for modality in range(self.n_views - 1):
            alone = torch.zeros_like(present)
            alone[:, modality] = present[:, modality]
            yield torch.where(alone.any(dim=1, keepdim=True), alone, present)

    def _entered(self, group: PatientGroup) -> list[PatientGroup]:
        """The group for each member: with one wide product for the first maps of all, where that can be."""
        working = self._working
        maps = [member.entry_maps() for member in working]
        if len(working) < 2 or group.piece_size is not None or any(own is None for own in maps):
            return [group] * len(working)
        of_members: list[list[Ragged]] = [[] for _ in working]
        for rows, own in zip(group.bags, zip(*maps, strict=True), strict=True):
            weight, bias = torch.cat([m.weight for m in own]), torch.cat([m.bias for m in own])
            for entered, values in zip(
                of_members, linear(rows.values, weight, bias).chunk(len(own), dim=1), strict=True
            ):
                entered.append(rows.with_values(values))
        return [replace(group, bags=tuple(entered), mapped=True) for entered in of_members]

    def _split(self, profiles: Ragged | None) -> list[Ragged | None]:
        n_working = len(self._working)
        if profiles is None:
            return [None] * n_working
        return [profiles.with_values(own) for own in profiles.values.chunk(n_working, dim=1)]


def _prepared_reader(preparation: InputPreparation, modality: int, read: RowReader) -> RowReader:
    return lambda start, stop: preparation.instances(modality, read(start, stop))


def _of_member(values: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
