"""TOGETHER: tokens of all modalities assigned to shared prototypes by transport (section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from sksurv_tta.losses import agreement_loss, soft_cross_entropy
from sksurv_tta.networks.diary import PlanDiary
from sksurv_tta.networks.interface import Ragged
from sksurv_tta.networks.linear import Linear, linear
from sksurv_tta.networks.padding import count_tokens, pad, unpad
from sksurv_tta.networks.pieces import TokenPieces, Tokens
from sksurv_tta.networks.randomness import current_generator
from sksurv_tta.transport import TransportPlan, assignment_cost, split_tokens, stack_tokens

__all__ = ["PrototypeAssignment", "Together"]

#: ``(cost, mass, mask) -> TransportPlan``: how tokens are assigned to prototypes.
Assignment = Callable[[Tensor, float, Tensor | None], TransportPlan]

VIEW_SHARE = 0.8  # of a bag's tokens in each of the two random views
MAX_VIEW_TOKENS = 1024  # the two views are drawn from at most so many tokens of a bag
RUNNING_MOMENTUM = 0.9  # of the running agreement that chooses a head


@dataclass(frozen=True)
class Together:
    """Prototype tokens of a group of patients, and the losses on the way.

    Parameters
    ----------
    prototype_tokens : Tensor of shape (n_patients, n_modalities, K, token_dim)
    losses : mapping of str to Tensor of shape (n_patients,)
    statistics : mapping of str to Tensor
        Agreement of each head of each modality, summed over patients, and their number.
    """

    prototype_tokens: Tensor
    losses: Mapping[str, Tensor]
    statistics: Mapping[str, Tensor]


class PrototypeAssignment(nn.Module):
    """Heads, prototypes, transport, mixing and aggregation.

    Parameters
    ----------
    n_modalities, token_dim, n_prototypes, prototype_dim, n_heads : int
    temperature : float
        Of the logits.
    shared_prototypes : bool
        One bank of prototypes for all modalities, or one for each.
    joint_transport : bool
        One plan over the tokens of all modalities, or one for each.
    assignment : callable or None
        How tokens are assigned; None leaves transport out and uses the softmax alone.
    assignment_mix : float
        Share of the transported weights in the aggregation.
    with_agreement : bool
        Compare two views of a bag in every head, and let the head that agrees best lead.
    """

    running_agreement: Tensor
    selected_heads: Tensor

    def __init__(
        self,
        n_modalities: int,
        token_dim: int,
        n_prototypes: int,
        prototype_dim: int,
        *,
        n_heads: int,
        temperature: float,
        shared_prototypes: bool,
        joint_transport: bool,
        assignment: Assignment | None,
        assignment_mix: float,
        with_agreement: bool,
    ):
        super().__init__()
        self.n_heads = n_heads
        self.temperature = temperature
        self.joint_transport = joint_transport
        self.assignment = assignment
        self.assignment_mix = assignment_mix
        self.with_agreement = with_agreement
        self.heads = nn.ModuleList(
            nn.ModuleList(Linear(token_dim, prototype_dim) for _ in range(n_heads))
            for _ in range(n_modalities)
        )
        self.diary = PlanDiary()
        n_banks = 1 if shared_prototypes else n_modalities
        self.prototypes = nn.Parameter(torch.randn(n_banks, n_prototypes, prototype_dim))
        self.register_buffer("running_agreement", torch.full((n_modalities, n_heads), torch.nan))
        self.register_buffer("selected_heads", torch.zeros(n_modalities, dtype=torch.long))

    def forward(
        self, tokens: Sequence[Tokens], mass: float, *, view_weights: Tensor | None = None
    ) -> Together:
        """Summarise the tokens of a group of patients by prototype tokens.

        Parameters
        ----------
        tokens : sequence of Ragged
            For each modality ``(n_tokens, token_dim)``.
        mass : float
            Share of the tokens' mass that goes to prototypes.
        view_weights : Tensor of shape (n_patients,), optional
            Weight of each patient in the agreement loss.
        """
        logits = self.leading_logits(tokens)
        transported = self.transported_weights(logits, mass)
        weights = self.mix(logits, transported)
        losses: dict[str, Tensor] = {}
        statistics: dict[str, Tensor] = {}
        if transported is not None and self.training:
            losses["instance"] = instance_loss(logits, transported)
        if self.with_agreement and view_weights is not None:
            losses["agreement"], statistics = self._agreement(tokens, mass, view_weights)
        return Together(aggregate(weights, tokens), losses, statistics)

    def leading_logits(self, tokens: Sequence[Tokens]) -> list[Ragged]:
        """Logits of the leading head of each modality: (n_tokens, K) each."""
        leading = self.selected_heads.tolist()
        return [rows.each(partial(self.logits, m, leading[m])) for m, rows in enumerate(tokens)]

    def logits(self, modality: int, head: int, tokens: Tensor) -> Tensor:
        """Logits of one head: (n_tokens, K)."""
        return self._similarity(modality, self.heads[modality][head](tokens))  # type: ignore[index]

    def _similarity(self, modality: int, projected: Tensor) -> Tensor:
        """Cosine of projected tokens and prototypes over the temperature: Eq. (3).

        Single precision even where the projection ran in a lower one: a logit rounded to
        bfloat16 moves the transport plan by up to a percent.
        """
        bank = self.prototypes[..., min(modality, self.prototypes.shape[-3] - 1), :, :]
        with torch.autocast(projected.device.type, enabled=False):
            lengths = torch.linalg.vector_norm(projected.float(), dim=-1, keepdim=True).clamp_min(1e-12)
            # Divided after the product: K numbers of each token instead of its whole width.
            products = linear(projected.float(), functional.normalize(bank.float(), dim=-1))
            return products / (lengths * self.temperature)

    @torch.no_grad()
    def transported_weights(self, logits: Sequence[Ragged], mass: float) -> list[Ragged] | None:
        """Rows of the transport plan times the number of tokens, for each modality: Eq. (5).

        A row sums to at most one, like a softmax; what is missing went to the sink.
        """
        if self.assignment is None:
            return None
        if not self.joint_transport:
            return [self._transport([rows], mass)[0] for rows in logits]
        return self._transport(logits, mass)

    @torch.no_grad()
    def _plan(self, cost: Tensor, mask: Tensor | None, mass: float) -> Tensor:
        assert self.assignment is not None  # noqa: S101 - for the type checker; callers have looked
        # Autocast would run the solver's own products in half precision: it then does not converge.
        with torch.autocast(cost.device.type, enabled=False):
            solved = self.assignment(cost, mass, mask)
        if self.training:
            self.diary.note(solved)
        return solved.plan

    def _transport(self, logits: Sequence[Ragged], mass: float) -> list[Ragged]:
        costs, masks = zip(
            *(pad(rows.with_values(assignment_cost(rows.values))) for rows in logits), strict=True
        )
        plan = self._plan(*stack_tokens(costs, masks), mass)
        if self.training:
            self.diary.note_usage(plan)
        parts = split_tokens(plan * count_tokens(costs, masks), [cost.shape[1] for cost in costs])
        return [
            rows.with_values(unpad(part, own)) for rows, part, own in zip(logits, parts, masks, strict=True)
        ]

    def mix(self, logits: Sequence[Ragged], transported: Sequence[Ragged] | None) -> list[Ragged]:
        """Weights of the tokens in each prototype, similarity and transport mixed: Eq. (12)."""
        similar = [rows.with_values(rows.values.softmax(dim=-1)) for rows in logits]
        if transported is None:
            return similar
        share = self.assignment_mix
        return [
            s.with_values((1 - share) * s.values + share * t.values)
            for s, t in zip(similar, transported, strict=True)
        ]

    def _agreement(
        self, tokens: Sequence[Tokens], mass: float, view_weights: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of each patient, and what the running choice of heads needs (appendix B)."""
        losses = torch.zeros_like(view_weights)
        sums = torch.zeros_like(self.running_agreement)
        counts = torch.zeros_like(self.running_agreement[:, :1])
        chosen = view_weights.nonzero().squeeze(1).tolist()
        for modality, rows in enumerate(tokens):
            patients = [patient for patient in chosen if rows.lengths[patient]]
            if not patients:
                continue
            bags: list[Tensor | TokenPieces] = list(rows)
            per_head = self._view_agreement(modality, [bags[patient] for patient in patients], mass)
            places = torch.tensor(patients, device=losses.device)
            losses = losses.index_add(0, places, per_head.mean(dim=1))
            sums[modality] = per_head.detach().sum(dim=0)
            counts[modality] = len(patients)
        return losses * view_weights, {"agreement_sums": sums, "agreement_counts": counts}

    def _view_agreement(self, modality: int, bags: Sequence[Tensor | TokenPieces], mass: float) -> Tensor:
        """Agreement of two random views of each bag in each head: (n_bags, n_heads)."""
        device = bags[0].device
        subsets = [bag[random_rows(len(bag), MAX_VIEW_TOKENS, device)] for bag in bags]
        views, start = [], 0
        for subset in subsets:
            size = max(1, round(VIEW_SHARE * len(subset)))
            views.append([start + random_rows(len(subset), size, device) for _ in range(2)])
            start += len(subset)
        logits = self._all_logits(modality, torch.cat(subsets))  # (n_tokens, n_heads, K)
        flat = [view for number in range(2) for view in (pair[number] for pair in views)]
        rows, mask = pad(Ragged(torch.cat(flat).unsqueeze(1), tuple(len(view) for view in flat)))
        # Masked places repeat token 0; the mask keeps them out of plan and mean.
        mask = torch.ones_like(rows[:, :, 0], dtype=torch.bool) if mask is None else mask
        view_logits = logits[rows.squeeze(2)].transpose(1, 2)  # (2 * n_bags, n_heads, longest, K)
        n_views, n_heads, longest, _ = view_logits.shape
        per_head_mask = mask.unsqueeze(1).expand(-1, n_heads, -1)
        cost = assignment_cost(view_logits).flatten(0, 1)
        plan = self._plan(cost, per_head_mask.reshape(-1, longest), mass)
        masses = plan.sum(dim=1).view(2, n_views // 2, n_heads, -1)
        probabilities = view_logits.softmax(dim=-1) * mask[:, None, :, None]
        means = probabilities.sum(dim=2) / mask.sum(dim=1)[:, None, None]
        return agreement_loss(masses, means.view_as(masses))

    def _all_logits(self, modality: int, tokens: Tensor) -> Tensor:
        """Logits in every head at once: (n_tokens, n_heads, K)."""
        heads = [self.heads[modality][head] for head in range(self.n_heads)]  # type: ignore[index]
        weight = torch.cat([head.weight for head in heads])
        projected = linear(tokens, weight, torch.cat([head.bias for head in heads]))
        return self._similarity(modality, projected.view(len(tokens), len(heads), -1))

    @torch.no_grad()
    def update_leading_heads(self, statistics: Mapping[str, Tensor]) -> None:
        """Let the head with the lowest running agreement loss lead from the next step on."""
        if "agreement_sums" not in statistics:
            return
        latest = statistics["agreement_sums"] / statistics["agreement_counts"]  # NaN where none took part
        running = RUNNING_MOMENTUM * self.running_agreement + (1 - RUNNING_MOMENTUM) * latest
        running = torch.where(self.running_agreement.isnan(), latest, running)
        self.running_agreement.copy_(torch.where(latest.isnan(), self.running_agreement, running))
        # A head that never took part cannot lead before one that did.
        never = self.running_agreement.isnan()
        self.selected_heads.copy_(self.running_agreement.masked_fill(never, torch.inf).argmin(dim=1))


def random_rows(n_rows: int, n_wanted: int, device: torch.device) -> Tensor:
    """``min(n_rows, n_wanted)`` different row numbers in random order."""
    generator = current_generator()
    return torch.rand(n_rows, generator=generator, device=device).argsort()[:n_wanted]


def aggregate(weights: Sequence[Ragged], tokens: Sequence[Tokens]) -> Tensor:
    """Prototype tokens, each a weighted sum of a patient's tokens: Eq. (13).

    Returns
    -------
    prototype_tokens : Tensor of shape (n_patients, n_modalities, K, token_dim)
        Zero for a modality of which the patient has no tokens.
    """
    return torch.stack([_weighted_sums(*pair) for pair in zip(weights, tokens, strict=True)], dim=1).float()


def _weighted_sums(weights: Ragged, tokens: Tokens) -> Tensor:
    """Weighted sums of one modality's tokens: (n_patients, K, token_dim)."""
    if isinstance(tokens, TokenPieces):
        return tokens.weighted_sums(weights)
    n_patients, longest = len(tokens.lengths), max(tokens.lengths)
    if n_patients > 1 and min(tokens.lengths) == longest:
        own, rows = (part.values.unflatten(0, (n_patients, longest)) for part in (weights, tokens))
        return torch.bmm(own.transpose(1, 2), rows)
    # Patient by patient: nothing is padded.
    return torch.stack([w.T @ x for w, x in zip(weights, tokens, strict=True)])


def instance_loss(logits: Sequence[Ragged], transported: Sequence[Ragged]) -> Tensor:
    """Mean cross-entropy over a patient's tokens, summed over modalities: Eq. (14) and Eq. (15).

    Returns
    -------
    losses : Tensor of shape (n_patients,)
        Both modality weights of Eq. (15) are one.
    """
    total = logits[0].values.new_zeros(len(logits[0].lengths))
    for rows, targets in zip(logits, transported, strict=True):
        per_token = soft_cross_entropy(targets.values, rows.values)
        lengths = torch.tensor(rows.lengths, device=per_token.device)
        patient = torch.repeat_interleave(lengths)
        total = total.index_add(0, patient, per_token / lengths[patient])
    return total
