"""One training step: bag by bag around a batch-wide tail, with exact gradients.

A Cox loss couples all patients of a batch, so bags cannot simply be accumulated one by one.
But between a bag and the loss there is a narrow place, the patient's few prototype tokens.
The step embeds the bags group by group up to there, runs the rest of the network on the whole
batch, and takes the gradients of the prototype tokens back into each group. The sum is the
gradient of the whole, to the last rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from sksurv_tta.networks import Embedding, SurvivalNetwork, drawing_from
from sksurv_tta.training.batches import Batch
from sksurv_tta.training.criteria import Outcome
from sksurv_tta.training.held import holding_as_stored
from sksurv_tta.training.randomness import Purpose

__all__ = ["StepResult", "accumulate_gradients"]

SurvivalLoss = Callable[[Tensor, Outcome], Tensor]


@dataclass(frozen=True)
class StepResult:
    """What a training step reports.

    Parameters
    ----------
    loss : Tensor, scalar
        The weighted sum of all parts.
    parts : dict of str to float
        Each part before its weight; ``"survival"`` among them.
    prediction : Tensor of shape (n_patients, n_outputs)
    statistics : dict of str to Tensor
        Summed over the groups of the batch.
    """

    loss: Tensor
    parts: dict[str, float]
    prediction: Tensor
    statistics: dict[str, Tensor]


def accumulate_gradients(
    network: SurvivalNetwork, batch: Batch, survival_loss: SurvivalLoss, *, low_memory: bool = False
) -> StepResult:
    """Add the gradients of one batch to the network's parameters.

    Parameters
    ----------
    network : SurvivalNetwork
        In training mode.
    batch : Batch
    survival_loss : callable
        ``(prediction, outcome) -> scalar``.
    low_memory : bool
        Embed every group twice, once without and once with gradient, so that only one group's
        intermediate results exist at a time. The gradients are the same.

    Returns
    -------
    result : StepResult
        If its loss is not finite, no gradient was added.
    """
    step = _Step(network, batch, low_memory=low_memory)
    embeddings = step.embed()
    order = [place for group in batch.groups for place in group.tolist()]
    tokens = torch.cat([embedding.tokens.detach() for embedding in embeddings])
    tokens.requires_grad_()
    prediction, tail_losses = step.tail(tokens, order)
    outcome = batch.outcome.take(order).to(step.device)
    survival = survival_loss(prediction, outcome)
    local = _mean_local_losses(embeddings, len(batch))
    batch_loss = survival + sum(network.loss_weights[name] * loss for name, loss in tail_losses.items())
    loss = batch_loss.detach() + sum(network.loss_weights[name] * loss for name, loss in local.items())
    parts = {"survival": survival.item()} | {
        name: value.item() for name, value in (tail_losses | local).items()
    }
    if torch.isfinite(loss):
        batch_loss.backward()
        step.backward(embeddings, tokens)
    by_place = torch.empty_like(prediction)
    by_place[order] = prediction.detach()
    return StepResult(loss, parts, by_place, _sum_statistics(embeddings))


class _Step:
    """The pieces of a step that share network, batch and generator."""

    def __init__(self, network: SurvivalNetwork, batch: Batch, *, low_memory: bool):
        self.network, self.batch, self.low_memory = network, batch, low_memory
        self.device = network.device
        self.generator = torch.Generator(self.device)
        self.profile_tokens: Tensor | None = None  # with their graph
        self.profile_leaf: Tensor | None = None  # cut off, collects the groups' gradients

    def embed(self) -> list[Embedding]:
        """Embed all groups, profiles of the whole batch first."""
        profiles = self.batch.profiles()
        if profiles is not None:
            with self._drawing(Purpose.PROFILES, self.batch.step):
                tokens, n_tokens = self.network.encode_profiles(profiles.to(self.device))
            # The width is named: of a batch in which nobody has expression it cannot be inferred.
            self.profile_tokens = tokens.view(len(profiles), n_tokens, tokens.shape[1])
            self.profile_leaf = self.profile_tokens.detach().requires_grad_()
        with torch.set_grad_enabled(not self.low_memory):
            return [self._embed_group(number) for number in range(len(self.batch.groups))]

    def _embed_group(self, number: int) -> Embedding:
        group = self.batch.groups[number]
        # Seeded by its first patient: computing the group a second time draws the same masks.
        with self._drawing(Purpose.GROUP, int(self.batch.rows[group[0]])):
            loaded = self.batch.load(group, self.profile_leaf, self.device)
            self.batch.prepare(number + 1)
            if self.low_memory:  # this group's gradient comes next: there is nothing to wait for
                return self.network.embed(loaded)
            with holding_as_stored(loaded, self.batch.data.stored_types):
                return self.network.embed(loaded)

    def tail(self, tokens: Tensor, order: list[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the batch-wide part on the tokens of all groups, one group after another."""
        present = self.batch.data.present[torch.from_numpy(self.batch.rows)][order]
        with self._drawing(Purpose.TAIL, self.batch.step):
            output = self.network(tokens, present.to(self.device))
        return output.prediction, dict(output.losses)

    def backward(self, embeddings: list[Embedding], tokens: Tensor) -> None:
        """Take the gradients of the tokens, and of the local losses, back through every group."""
        if tokens.grad is None:
            raise ValueError(f"{type(self.network).__name__}.forward() does not use the tokens it is given.")
        start = 0
        for number, embedding in enumerate(embeddings):
            stop = start + len(embedding.tokens)
            if self.low_memory:
                embedding = self._embed_group(number)
            roots, gradients = [embedding.tokens], [tokens.grad[start:stop]]
            for name, losses in embedding.losses.items():
                if losses.requires_grad:
                    roots.append(losses)
                    share = self.network.loss_weights[name] / len(self.batch)
                    gradients.append(torch.full_like(losses, share))
            torch.autograd.backward(roots, gradients)
            start = stop
        leaf = self.profile_leaf
        if self.profile_tokens is not None and leaf is not None and leaf.grad is not None and len(leaf):
            self.profile_tokens.backward(leaf.grad)

    def _drawing(self, purpose: Purpose, key: int) -> AbstractContextManager[None]:
        self.generator.manual_seed(self.batch.seed_of(purpose, key))
        return drawing_from(self.generator)


def _mean_local_losses(embeddings: list[Embedding], n_patients: int) -> dict[str, Tensor]:
    names = {name: None for embedding in embeddings for name in embedding.losses}
    return {
        name: torch.stack([e.losses[name].detach().sum() for e in embeddings]).sum() / n_patients
        for name in names
    }


def _sum_statistics(embeddings: list[Embedding]) -> dict[str, Tensor]:
    totals: dict[str, Tensor] = {}
    statistics: Mapping[str, Tensor]
    for statistics in (embedding.statistics for embedding in embeddings):
        for name, value in statistics.items():
            totals[name] = totals[name] + value if name in totals else value
    return totals
