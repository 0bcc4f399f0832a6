"""LD-CVAE: gene tokens are generated from what slide and genes say together, so that genes may be missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sksurv_tta.estimators.auxiliary_outputs import AuxiliaryOutputsEstimator
from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.mcat import MCATNetwork
from sksurv_tta.estimators.peer import Pathways
from sksurv_tta.estimators.ranges import count, not_negative, share
from sksurv_tta.estimators.recipes import SLIDE_SETTINGS, Recipe
from sksurv_tta.networks import Embedding, NetworkOutput, PatientGroup, Ragged, SurvivalNetwork
from sksurv_tta.networks.class_token import ClassTokenEncoder
from sksurv_tta.networks.gaussians import Gaussian, product_of_experts
from sksurv_tta.networks.token_autoencoder import TokenDecoder, TokenEncoder

__all__ = ["LDCVAENetwork", "LDCVAESurvivalEstimator"]

CODE_DROPOUT = 0.1  # of the encoder of the gene tokens


class LDCVAENetwork(SurvivalNetwork):
    """Slide and gene tokens each as a Gaussian, their product, tokens decoded from it, MCAT on these.

    Parameters
    ----------
    n_features : int
        Width of the instances, and of the encoder of the slide.
    pathways : sequence of sequence of int
        Gene columns of each gene token.
    n_outputs : int
    token_dim, n_heads, hidden_dim, dropout
        As of :class:`~sksurv_tta.estimators.mcat.MCATNetwork`.
    n_landmarks : int
        Of the encoder of the slide.
    reconstruction_weight, distance_weight, divergence_weight : float
        Of the losses.
    n_real_epochs, anneal_epochs : int
        Epochs in which MCAT sees real tokens, and over which the divergence gains its weight.
    """

    epochs_done: Tensor

    def __init__(
        self,
        n_features: int,
        pathways: Sequence[Sequence[int]],
        *,
        n_outputs: int = 1,
        token_dim: int = 256,
        n_heads: int = 8,
        hidden_dim: int = 512,
        n_landmarks: int = 256,
        dropout: float = 0.25,
        reconstruction_weight: float = 1.0,
        distance_weight: float = 0.1,
        divergence_weight: float = 0.1,
        n_real_epochs: int = 5,
        anneal_epochs: int = 20,
    ):
        super().__init__()
        self.n_real_epochs, self.anneal_epochs = n_real_epochs, anneal_epochs
        self.register_buffer("epochs_done", torch.tensor(0))
        self.backbone = MCATNetwork(
            n_features,
            pathways,
            n_outputs=n_outputs,
            token_dim=token_dim,
            n_heads=n_heads,
            hidden_dim=hidden_dim,
            dropout=dropout,
        )
        self.encode_slide = ClassTokenEncoder(
            n_features,
            n_heads=n_heads,
            head_dim=max(n_features // n_heads, 1),
            n_landmarks=n_landmarks,
            positions=True,
            n_class_tokens=2,
        )
        self.slide_mean = nn.Linear(n_features, token_dim)
        self.slide_log_variance = nn.Linear(n_features, token_dim)
        self.slide_head = nn.Linear(token_dim, n_outputs)
        self.encode_genes = TokenEncoder(token_dim, n_heads=max(n_heads // 2, 1), dropout=CODE_DROPOUT)
        self.decode = TokenDecoder(len(pathways), token_dim)
        self.loss_weights = {
            "reconstruction": reconstruction_weight,
            "distance": distance_weight,
            "divergence": divergence_weight,
        }

    def encode_profiles(self, profiles: Tensor) -> tuple[Tensor, int]:
        """Encode expression as one token per pathway."""
        return self.backbone.encode_profiles(profiles)

    def embed(self, group: PatientGroup) -> Embedding:
        """Tokens of MCAT, flattened, and the vector of the slide: (n_patients, (2 P + 1) * token_dim)."""
        (bags,) = group.bags
        real, places = self._real_tokens(group)
        of_slides, of_genes = self._encode_slides(bags), self.encode_genes(real.detach())
        joint = self._join(of_slides, of_genes, places)
        slide = self._value(of_slides)
        decoded, of_tokens = self.decode(self._value(joint), slide)
        fed = decoded
        if self.training and self.epochs_done < self.n_real_epochs:
            fed = decoded.index_copy(0, places, real)
        rows = Ragged(fed.flatten(0, 1), (fed.shape[1],) * len(fed))
        tokens = self.backbone.embed(PatientGroup((bags,), rows)).tokens
        divergence = of_slides.divergence_from_standard() + joint.divergence_from_standard() + of_tokens
        losses = self._losses_of_present(real, decoded[places], of_genes, of_slides.at(places))
        zeros = slide.new_zeros(len(slide))
        losses = {name: zeros.index_copy(0, places, own) for name, own in losses.items()}
        losses["divergence"] = self._annealed() * (losses["divergence"] + divergence / slide.shape[1])
        return Embedding(torch.cat([tokens.flatten(1), slide], dim=1), losses)

    @staticmethod
    def _losses_of_present(
        real: Tensor, decoded: Tensor, of_genes: Gaussian, of_slides: Gaussian
    ) -> dict[str, Tensor]:
        """Losses of patients with expression, (n_present,) each.

        All are means over the dimensions: sums would outweigh the reconstruction.
        """
        dim = real.shape[2]
        return {
            "reconstruction": torch.square(decoded - real.detach()).mean(dim=(1, 2)),
            "distance": of_genes.squared_wasserstein(of_slides) / dim,
            "divergence": of_genes.divergence_from_standard() / dim,
        }

    def _real_tokens(self, group: PatientGroup) -> tuple[Tensor, Tensor]:
        """Tokens of those patients that have expression (n_present, P, token_dim), and their places."""
        if group.profiles is None:
            raise ValueError("This network needs the profile tokens of its patients, even if there are none.")
        values, lengths = group.profiles.values, group.profiles.lengths
        places = [place for place, length in enumerate(lengths) if length]
        real = values.float().view(len(places), self.decode.n_tokens, values.shape[1])
        return real, torch.tensor(places, dtype=torch.long, device=values.device)

    def _encode_slides(self, bags: Ragged) -> Gaussian:
        """Gaussian of each slide: (n_patients, token_dim)."""
        gathered, _ = self.encode_slide(bags)
        return Gaussian(
            self.slide_mean(gathered[:, 0]).float(), self.slide_log_variance(gathered[:, 1]).float()
        )

    def _join(self, of_slides: Gaussian, of_genes: Gaussian, places: Tensor) -> Gaussian:
        """Product of the standard normal, the slide's Gaussian and, where there are genes, theirs."""
        nothing = torch.zeros_like(of_slides.mean)
        known = Gaussian(
            nothing.index_copy(0, places, of_genes.mean),
            (nothing + math.inf).index_copy(0, places, of_genes.log_variance),  # no precision, no say
        )
        return product_of_experts([Gaussian.standard_like(nothing), of_slides, known])

    def _value(self, gaussian: Gaussian) -> Tensor:
        return gaussian.draw() if self.training else gaussian.mean

    def _annealed(self) -> float:
        """From 0 to 1 along a cosine, an epoch at a time."""
        return 0.5 - 0.5 * math.cos(math.pi * min(self.epochs_done.item() / self.anneal_epochs, 1.0))

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Predict from (n_patients, (2 P + 1) * token_dim); in training also from the slide alone."""
        dim = self.slide_head.in_features
        of_backbone = tokens[:, :-dim].unflatten(1, (2, self.decode.n_tokens, dim))
        prediction = self.backbone(of_backbone, present).prediction
        if not self.training:
            return NetworkOutput(prediction)
        return NetworkOutput(torch.stack([prediction, self.slide_head(tokens[:, -dim:]).float()], dim=1))

    def end_epoch(self) -> Mapping[str, float]:
        """Count the epochs."""
        self.epochs_done += 1
        return {}

    def check_state(self, state: Mapping[str, Tensor]) -> list[str]:
        """Name the buffer if no training leaves its value behind."""
        return [] if state["epochs_done"] >= 0 else ["buffer 'epochs_done' holds impossible values"]


@dataclass(kw_only=True, eq=False, repr=False)
class LDCVAESurvivalEstimator(AuxiliaryOutputsEstimator):
    """Latent differentiation variational auto-encoder: gene tokens that can be generated from the slide.

    Zhou et al., "Robust Multimodal Survival Prediction with Conditional Latent Differentiation
    Variational AutoEncoder", with MCAT behind it. Needs the slide of every patient. A patient without
    expression (all genes NaN) takes part in training, except in the losses that compare with real
    genes, and is predicted from tokens that the slide alone generates. A prediction takes the means
    of all Gaussians. The order of the patches matters.

    Parameters
    ----------
    pathways : path, dict of str to list of str, or None, default=None
        One gene token for each; the authors take six functional families.
    token_dim : int, default=256
        Width of all tokens, and of the Gaussians.
    n_heads : int, default=8
        Of MCAT and of the encoder of the slide; half as many encode the gene tokens.
    hidden_dim : int, default=512
        Feed-forward width of MCAT's transformer layers.
    n_landmarks : int, default=256
        Landmarks of the attention in the encoder of the slide.
    dropout : float, default=0.25
        Of MCAT.
    reconstruction_weight : float, default=1.0
        Weight of the squared error of the generated tokens.
    distance_weight : float, default=0.1
        Weight of the distance between the Gaussians of slide and genes.
    divergence_weight : float, default=0.1
        Weight of the Gaussians' divergence from a standard normal.
    auxiliary_weight : float, default=1.0
        Weight of the survival loss of the slide alone.
    n_real_epochs : int, default=5
        First epochs, in which MCAT sees the real tokens where there are any. Later they get no
        gradient.
    anneal_epochs : int, default=20
        Epochs over which the divergence gains its weight.
    **others
        Loss and training as of :class:`~sksurv_tta.TTASurvivalEstimator`; ``recipe`` as of
        :class:`~sksurv_tta.estimators.peer.PeerEstimator`.
    """

    _short_name = "ld-cvae"
    _required = ("bags", "genes")
    _may_lack = ("genes",)
    _original = Recipe(SLIDE_SETTINGS)

    pathways: Pathways = None
    token_dim: int = count(256)
    n_heads: int = count(8)
    hidden_dim: int = count(512)
    n_landmarks: int = count(256)
    dropout: float = share(0.25)
    reconstruction_weight: float = not_negative(1.0)
    distance_weight: float = not_negative(0.1)
    divergence_weight: float = not_negative(0.1)
    auxiliary_weight: float = not_negative(1.0)
    n_real_epochs: int = count(5, at_least=0)
    anneal_epochs: int = count(20)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> LDCVAENetwork:
        options = self._options(LDCVAENetwork)
        return LDCVAENetwork(schema.bag_widths[0], schema.pathways, n_outputs=n_outputs, **options)
