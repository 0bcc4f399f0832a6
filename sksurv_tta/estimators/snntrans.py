"""SNNTrans: a class token that attends to pathway tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import Pathways, PeerEstimator
from sksurv_tta.estimators.ranges import count, share
from sksurv_tta.estimators.recipes import GENE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup
from sksurv_tta.networks.class_token import ClassTokenEncoder
from sksurv_tta.networks.pathway_tokens import PathwayTokenizer, PathwayTokenNetwork

__all__ = ["SNNTransNetwork", "SNNTransSurvivalEstimator"]


class SNNTransNetwork(PathwayTokenNetwork):
    """Pathway tokens, gathered by a class token in two layers of exact attention; a linear head.

    Parameters
    ----------
    pathways : sequence of sequence of int
        Gene columns of each pathway.
    n_outputs : int
    token_dim, n_heads : int
        Width of the tokens, a multiple of the heads.
    dropout : float
        Of the tokens.
    """

    def __init__(
        self,
        pathways: Sequence[Sequence[int]],
        *,
        n_outputs: int = 1,
        token_dim: int = 256,
        n_heads: int = 8,
        dropout: float = 0.25,
    ):
        super().__init__()
        self.tokenize = PathwayTokenizer(pathways, token_dim, dropout)
        # As many landmarks as tokens is exact attention; pathways have no place to convolve over.
        self.gather = ClassTokenEncoder(
            token_dim,
            n_heads=n_heads,
            head_dim=token_dim // n_heads,
            n_landmarks=len(pathways) + 1,
            positions=False,
            convolve=False,
        )
        self.head = nn.Linear(token_dim, n_outputs)

    def embed(self, group: PatientGroup) -> Embedding:
        """Class token of each patient: (n_patients, token_dim)."""
        return Embedding(self.gather(group.profile_rows())[0])

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, token_dim)."""
        return NetworkOutput(self.head(tokens).float())


@dataclass(kw_only=True, eq=False, repr=False)
class SNNTransSurvivalEstimator(PeerEstimator):
    """Transformer over pathway tokens of self-normalising networks; bags are not looked at.

    The layers of TransMIL on tokens of genes, without what belongs to places in a slide.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        One token for each.
    token_dim : int, default=256
        Width of the tokens, a multiple of ``n_heads``.
    n_heads : int, default=8
        Attention heads.
    dropout : float, default=0.25
        Of the tokens.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "snntrans"
    _required = ("genes",)
    _original = Recipe(GENE_SETTINGS, censored_weight=0.5)

    pathways: Pathways = None
    token_dim: int = count(256)
    n_heads: int = count(8)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> SNNTransNetwork:
        options = self._options(SNNTransNetwork)
        return SNNTransNetwork(schema.pathways, n_outputs=n_outputs, **options)
