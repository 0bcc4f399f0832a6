"""SNN: a self-normalising network on all genes at once."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.peer import Pathways, PeerEstimator
from sksurv_tta.estimators.ranges import count, share
from sksurv_tta.estimators.recipes import GENE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, SurvivalNetwork
from sksurv_tta.networks.self_normalising import SelfNormalisingBlock

__all__ = ["SNNNetwork", "SNNSurvivalEstimator"]


class SNNNetwork(SurvivalNetwork):
    """Two self-normalising blocks and a linear head.

    Parameters
    ----------
    n_genes : int
    n_outputs : int
    hidden_dim : int
    dropout : float
    """

    def __init__(self, n_genes: int, *, n_outputs: int = 1, hidden_dim: int = 256, dropout: float = 0.25):
        super().__init__()
        self.encode = nn.Sequential(
            SelfNormalisingBlock(n_genes, hidden_dim, dropout, fan_in=True),
            SelfNormalisingBlock(hidden_dim, hidden_dim, dropout, fan_in=True),
        )
        self.head = nn.Linear(hidden_dim, n_outputs)

    def encode_profiles(self, profiles: Tensor) -> tuple[Tensor, int]:
        """Encode (n_patients, n_genes) as one token each."""
        return self.encode(profiles), 1

    def embed(self, group: PatientGroup) -> Embedding:
        """The patients' tokens (n_patients, hidden_dim)."""
        return Embedding(group.profile_tokens().squeeze(1))

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, hidden_dim)."""
        return NetworkOutput(self.head(tokens).float())


@dataclass(kw_only=True, eq=False, repr=False)
class SNNSurvivalEstimator(PeerEstimator):
    """Self-normalising network on genes; bags are not looked at.

    Klambauer et al., "Self-Normalizing Neural Networks", as the field uses it for expression.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        Restricts the genes to those of some pathway; their grouping does not matter.
    hidden_dim : int, default=256
        Width of both blocks.
    dropout : float, default=0.25
        Alpha dropout after each block.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "snn"
    _required = ("genes",)
    _original = Recipe(GENE_SETTINGS, censored_weight=0.5)

    pathways: Pathways = None
    hidden_dim: int = count(256)
    dropout: float = share(0.25)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> SNNNetwork:
        options = self._options(SNNNetwork)
        return SNNNetwork(len(schema.gene_columns), n_outputs=n_outputs, **options)
