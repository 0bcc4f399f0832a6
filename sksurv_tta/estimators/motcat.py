"""MOTCat: MCAT with unbalanced transport in the place of co-attention."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.mcat import MCATNetwork, MCATSurvivalEstimator
from sksurv_tta.estimators.ranges import choice, positive
from sksurv_tta.networks import Ragged
from sksurv_tta.transport import REFERENCES, kl_unbalanced_transport, shifted_distances

__all__ = ["MOTCatSurvivalEstimator", "TransportAttention"]


class TransportAttention(nn.Module):
    """Sums of patches by a transport plan to the gene tokens, whose cost has no gradient.

    Parameters
    ----------
    kl_weight, epsilon : float
    reference : {"entropy", "product"}
        As of :func:`~sksurv_tta.transport.kl_unbalanced_transport`.
    """

    def __init__(self, *, kl_weight: float, epsilon: float, reference: str):
        super().__init__()
        self.transport = partial(
            kl_unbalanced_transport, kl_weight=kl_weight, epsilon=epsilon, reference=reference
        )

    def forward(self, genes: Ragged, patches: Ragged) -> Ragged:
        """Histology tokens: rows as of the gene tokens."""
        pairs = zip(genes, patches.each(Tensor.float), strict=True)
        return genes.with_values(torch.cat([self._plan(own, rows).T @ rows for own, rows in pairs]))

    def _plan(self, genes: Tensor, patches: Tensor) -> Tensor:
        """Plan (n_patches, n_genes) of one patient."""
        cost = shifted_distances(patches.detach(), genes.detach(), squared=True)
        return self.transport(cost).plan


@dataclass(kw_only=True, eq=False, repr=False)
class MOTCatSurvivalEstimator(MCATSurvivalEstimator):
    """Co-attention by optimal transport.

    Xu and Chen, "Multimodal Optimal Transport-based Co-Attention Transformer with Global Structure
    Consistency for Survival Prediction". Whole bags are transported at once, without micro-batches.
    Needs both modalities of every patient.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        One gene token for each; the authors take six functional families.
    token_dim : int, default=256
        Width of all tokens.
    n_heads : int, default=8
        Of the transformer layers.
    hidden_dim : int, default=512
        Feed-forward width of the transformer layers.
    dropout : float, default=0.25
    kl_weight : float, default=0.5
        Pull of both marginals towards uniform.
    epsilon : float, default=0.1
        Entropic regularisation.
    reference : {"entropy", "product"}, default="entropy"
        What the entropy is measured against; it changes how much mass is transported.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "motcat"

    kl_weight: float = positive(0.5)
    epsilon: float = positive(0.1)
    reference: str = choice("entropy", REFERENCES)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> MCATNetwork:
        coattention = TransportAttention(**self._options(TransportAttention))
        options = self._options(MCATNetwork)
        return MCATNetwork(
            schema.bag_widths[0], schema.pathways, n_outputs=n_outputs, coattention=coattention, **options
        )
