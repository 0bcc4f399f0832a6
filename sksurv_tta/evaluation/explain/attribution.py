"""Which tokens a patient's risk comes from: gradients, once or along a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sksurv_tta.evaluation.explain.trace import PatientTrace
from sksurv_tta.networks import Ragged, TTANetwork
from sksurv_tta.networks.pieces import row_blocks
from sksurv_tta.networks.together import aggregate
from sksurv_tta.training.predict import BLOCK_INSTANCES

__all__ = ["ATTRIBUTIONS", "Attribution", "Baseline", "attribute_tokens", "baseline_tokens"]

#: How contributions are found.
ATTRIBUTIONS = ("integrated", "gradient")
#: "average", "zero", or vectors of features by modality.
Baseline = str | Mapping[str, Any]


@dataclass(frozen=True)
class Attribution:
    """Contributions of one patient's tokens to the risk.

    Attributes
    ----------
    values : tuple of ndarray (n_tokens,)
        One for each modality; positive where a token raises the risk above that of the baseline.
    risk : float
        Of the patient.
    baseline_risk : float
        With every token replaced by its baseline and the transport plan as it is.
    gap : float
        Sum of the values minus (risk - baseline_risk). Integrated gradients are complete as far as this is
        zero; of gradients at one point it says how far from linear the network is.
    """

    values: tuple[np.ndarray, ...]
    risk: float
    baseline_risk: float
    gap: float


def attribute_tokens(
    network: TTANetwork,
    trace: PatientTrace,
    baseline: tuple[Tensor, ...],
    *,
    method: str = "integrated",
    n_steps: int = 8,
) -> Attribution:
    """Share the difference of a patient's risk to that of a baseline among the tokens.

    With x the tokens, b the baseline, r the risk and the transport plan held fixed, as in training,

        integrated: (x - b) . integral over s from 0 to 1 of r'(b + s (x - b)),
        gradient:   (x - b) . r'(x),

    the dot product being taken token by token. The integral is a Gauss-Legendre sum. The chain rule is cut
    at the prototype tokens, so that only a block of tokens is differentiated at a time.

    Parameters
    ----------
    network : TTANetwork
        In evaluation mode.
    trace : PatientTrace
    baseline : tuple of Tensor
        From :func:`baseline_tokens`.
    method : {"integrated", "gradient"}
    n_steps : int
        Points of the integral.
    """
    ends = [_risk(network, trace, tokens)[0].item() for tokens in (baseline, trace.tokens)]
    places, weights = np.polynomial.legendre.leggauss(n_steps)
    path = [(1.0, 1.0)] if method == "gradient" else zip((places + 1) / 2, weights / 2, strict=True)
    values = [torch.zeros(len(tokens), dtype=torch.float64) for tokens in trace.tokens]
    for place, weight in path:
        tokens = tuple(b + place * (x - b) for x, b in zip(trace.tokens, baseline, strict=True))
        gradients = _token_gradients(network, trace, tokens)
        for total, gradient, x, b in zip(values, gradients, trace.tokens, baseline, strict=True):
            total += weight * ((x - b) * gradient).sum(dim=1).double().cpu()
    contributed = sum(float(own.sum()) for own in values)
    return Attribution(
        values=tuple(own.numpy() for own in values),
        risk=ends[1],
        baseline_risk=ends[0],
        gap=contributed - (ends[1] - ends[0]),
    )


@torch.no_grad()
def baseline_tokens(
    network: TTANetwork, trace: PatientTrace, modalities: tuple[str, ...], baseline: Baseline
) -> tuple[Tensor, ...]:
    """Tokens that say nothing of their own: (1, token_dim) for a bag, (n_pathways, token_dim) for genes.

    Parameters
    ----------
    network : TTANetwork
    trace : PatientTrace
    modalities : tuple of str
    baseline : {"average", "zero"} or mapping of str to ndarray (n_features,)
        "average": for a bag the mean of the patient's own tokens, so that contributions tell where in the
        slide the risk comes from; for genes the expression of the average training patient. "zero":
        features that are all zero, for genes the same as before. A mapping gives the features of an
        instance (for genes: standardised expression) by modality, "average" where it has none.
    """
    given = {} if isinstance(baseline, str) else baseline
    made = []
    for modality, (name, tokens) in enumerate(zip(modalities, trace.tokens, strict=True)):
        of_bag = modality < len(network.instance_encoders)
        if of_bag and name not in given and baseline != "zero":
            made.append(
                tokens.mean(dim=0, keepdim=True) if len(tokens) else tokens.new_zeros(1, tokens.shape[1])
            )
            continue
        features = _features(network, modality, given.get(name))
        encoded = (
            network.instance_encoders[modality](features) if of_bag else network.encode_profiles(features)[0]
        )
        # Without tokens there is nothing to compare, but the shapes must go together.
        made.append(encoded if of_bag or len(tokens) else encoded[:0])
    return tuple(made)


def _features(network: TTANetwork, modality: int, given: Any) -> Tensor:
    """Features of the baseline as the encoder takes them: (1, n_features)."""
    if modality < len(network.instance_encoders):
        width = network.instance_encoders[modality].linear.in_features
    else:
        width = int(network.pathway_encoder.gene_index.max()) + 1  # type: ignore[union-attr]
    if given is None:
        return torch.zeros(1, width, device=network.device)
    values = np.asarray(given, dtype=np.float32).reshape(1, -1)
    if values.shape[1] != width or not np.isfinite(values).all():
        raise ValueError(f"a baseline must have {width} finite features, got an array of {values.shape[1]}.")
    return torch.from_numpy(values).to(network.device)


def _risk(
    network: TTANetwork, trace: PatientTrace, tokens: tuple[Tensor, ...], *, differentiate: bool = False
) -> tuple[Tensor, Tensor]:
    """Risk of these tokens, and its gradient at the prototype tokens (zero if not asked for)."""
    sums = []
    with torch.no_grad():
        for modality, x in enumerate(trace.tokens):
            own = tokens[modality].expand(len(x), -1)
            blocks = row_blocks(len(x), BLOCK_INSTANCES)
            parts = [_pooled(network, trace, modality, own[slice(*block)], block) for block in blocks]
            sums.append(torch.stack(parts).sum(dim=0))
    prototype_tokens = torch.stack(sums).unsqueeze(0).requires_grad_(differentiate)
    with torch.set_grad_enabled(differentiate):
        risk = _risk_of(network(prototype_tokens, trace.present).prediction)
    if not differentiate:
        return risk, torch.zeros_like(prototype_tokens)
    (gradient,) = torch.autograd.grad(risk, prototype_tokens)
    return risk.detach(), gradient


def _token_gradients(network: TTANetwork, trace: PatientTrace, tokens: tuple[Tensor, ...]) -> list[Tensor]:
    """Gradient of the risk at each token: (n_tokens, token_dim) for each modality."""
    _, cotangent = _risk(network, trace, tokens, differentiate=True)
    gradients = []
    for modality, own in enumerate(tokens):
        parts: list[Tensor] = []
        for start, stop in row_blocks(len(own), BLOCK_INSTANCES):
            block = own[start:stop].detach().requires_grad_()
            pooled = _pooled(network, trace, modality, block, (start, stop))
            parts += torch.autograd.grad(pooled, block, cotangent[0, modality])
        gradients.append(torch.cat(parts))
    return gradients


def _pooled(
    network: TTANetwork, trace: PatientTrace, modality: int, tokens: Tensor, block: tuple[int, int]
) -> Tensor:
    """What the tokens of a block of one modality's rows add to its prototype tokens: (K, token_dim)."""
    together = network.together
    rows = Ragged(tokens, (len(tokens),))
    head = int(together.selected_heads[modality])
    logits = rows.with_values(together.logits(modality, head, tokens))
    plan = None
    if trace.transported is not None:
        plan = [rows.with_values(trace.transported[modality][slice(*block)])]
    return aggregate(together.mix([logits], plan), [rows])[0, 0]


def _risk_of(prediction: Tensor) -> Tensor:
    """Risk of one patient's outputs (1, n_outputs), as the estimator's prediction rule has it."""
    if prediction.shape[1] == 1:
        return prediction[0, 0]
    return -functional.logsigmoid(-prediction[0]).cumsum(dim=0).exp().sum()
