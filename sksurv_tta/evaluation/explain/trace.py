"""One patient's way through the network, with everything on it kept."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sksurv_tta.bags import Bag
from sksurv_tta.networks import Ragged, TTANetwork
from sksurv_tta.networks.pieces import row_blocks
from sksurv_tta.networks.together import aggregate
from sksurv_tta.training import PatientDataset
from sksurv_tta.training.predict import BLOCK_INSTANCES

__all__ = ["PatientTrace", "trace_patient"]


@dataclass(frozen=True)
class PatientTrace:
    """What the network made of one patient, in single precision, on the network's device.

    Attributes
    ----------
    tokens : tuple of Tensor (n_tokens, token_dim)
        One for each modality; no rows where the patient lacks it. So for the next three.
    similar : tuple of Tensor (n_tokens, K)
        Softmax of the logits: rows sum to one.
    transported : tuple of Tensor (n_tokens, K), or None
        Rows of the transport plan times the number of tokens: rows sum to at most one. None where the
        network has no transport.
    mixed : tuple of Tensor (n_tokens, K)
        What the tokens are pooled with.
    present : Tensor of shape (1, n_modalities), bool
    prototype_tokens : Tensor of shape (1, n_modalities, K, token_dim)
    before, after : Tensor of shape (n_modalities, K, prototype_dim)
        Prototype tokens in the space of the anchors, of unit length, and what refinement made of them.
        NaN for a modality that the patient lacks.
    """

    tokens: tuple[Tensor, ...]
    similar: tuple[Tensor, ...]
    transported: tuple[Tensor, ...] | None
    mixed: tuple[Tensor, ...]
    present: Tensor
    prototype_tokens: Tensor
    before: Tensor
    after: Tensor


@torch.no_grad()
def trace_patient(network: TTANetwork, patients: PatientDataset, patient: int) -> PatientTrace:
    """Take one patient through the network.

    Raw features are read and encoded in blocks; what stays is one token and a few numbers for each
    prototype per instance.

    Parameters
    ----------
    network : TTANetwork
        In evaluation mode.
    patients : PatientDataset
    patient : int
        Row of ``patients``.
    """
    together = network.together
    tokens = [
        Ragged(_encode(network, modality, column[patient]), (int(patients.n_instances[patient, modality]),))
        for modality, column in enumerate(patients.bags)
    ]
    if patients.profiles is not None:
        own = patients.profiles[patient : patient + 1][: int(patients.has_profile[patient])]
        pathway_tokens, n_tokens = network.encode_profiles(own.to(network.device))
        tokens.append(Ragged(pathway_tokens, (len(own) * n_tokens,)))
    logits = together.leading_logits(tokens)
    transported = together.transported_weights(logits, network.mass.item())
    mixed = together.mix(logits, transported)
    prototype_tokens = aggregate(mixed, tokens)
    present = patients.present[patient : patient + 1].to(network.device)
    after = network.apart(prototype_tokens)[0]
    before = torch.stack([network.apart.project(m, own) for m, own in enumerate(prototype_tokens[0])])
    lacking = ~present[0, :, None, None]
    return PatientTrace(
        tokens=tuple(rows.values for rows in tokens),
        similar=tuple(rows.values.softmax(dim=-1) for rows in logits),
        transported=None if transported is None else tuple(rows.values for rows in transported),
        mixed=tuple(rows.values for rows in mixed),
        present=present,
        prototype_tokens=prototype_tokens,
        before=before.masked_fill(lacking, torch.nan),
        after=after.masked_fill(lacking, torch.nan),
    )


def _encode(network: TTANetwork, modality: int, bag: Bag | None) -> Tensor:
    encoder = network.instance_encoders[modality]
    if bag is None:
        n_features = encoder.linear.in_features
        return encoder(torch.empty(0, n_features, device=network.device))
    return torch.cat(
        [
            encoder(torch.from_numpy(bag.read(slice(*block))).to(network.device))
            for block in row_blocks(bag.n_instances, BLOCK_INSTANCES)
        ]
    )
