"""Tables of what the network made of one patient; a row says what it is about in its first columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor
from torch.nn import functional

from sksurv_tta.bags import Bag

__all__ = [
    "ASSIGNMENT_COLUMNS",
    "INSTANCE_COLUMNS",
    "KINDS",
    "PATHWAY_COLUMNS",
    "Weights",
    "anchor_table",
    "assignment_table",
    "cohort_usage",
    "instance_table",
    "pathway_table",
    "token_columns",
    "usage_table",
]

#: Kinds of weights between tokens and prototypes.
KINDS = ("softmax", "transported", "mixed")
#: Weights (n_tokens, K) by kind; "transported" is absent where the network has no transport.
Weights = Mapping[str, np.ndarray]

_TOKEN_COLUMNS = ("prototype", "confidence", "transported", "contribution")
INSTANCE_COLUMNS = ("patient", "modality", "slide", "instance", "x", "y", "patch_size", *_TOKEN_COLUMNS)
PATHWAY_COLUMNS = ("patient", "pathway", *_TOKEN_COLUMNS)
ASSIGNMENT_COLUMNS = ("patient", "modality", "token", "prototype", *KINDS, "rank")


def token_columns(weights: Weights, contribution: np.ndarray | None) -> dict[str, np.ndarray]:
    """What is told of every token, instance or pathway.

    Parameters
    ----------
    weights : mapping of str to ndarray (n_tokens, K)
    contribution : ndarray of shape (n_tokens,), or None

    Returns
    -------
    dict
        prototype: the one with the largest mixed weight; confidence: that weight; transported: the share
        of the token that went to prototypes and not to the sink; contribution to the risk. NaN where the
        network has no transport, or contributions were not asked for.
    """
    mixed = weights["mixed"]
    nothing = np.full(len(mixed), np.nan)
    return {
        "prototype": mixed.argmax(axis=1),
        "confidence": mixed.max(axis=1),
        "transported": weights["transported"].sum(axis=1) if "transported" in weights else nothing,
        "contribution": nothing if contribution is None else contribution,
    }


def instance_table(
    patient: Any, modality: str, bag: Bag, weights: Weights, contribution: np.ndarray | None
) -> pd.DataFrame:
    """One row for each instance of a bag, in the order of the bag.

    Parameters
    ----------
    patient : object
    modality : str
    bag : Bag
    weights : mapping of str to ndarray (n_instances, K)
    contribution : ndarray of shape (n_instances,), or None

    Returns
    -------
    DataFrame
        Columns patient, modality, slide, instance (within the slide), x, y (top-left corner in pixels of
        level 0), patch_size (of the same pixels; NaN where it is not known) and those of
        :func:`token_columns`.
    """
    sizes = bag.slide_sizes
    corners = bag.coordinates
    corners = np.full((bag.n_instances, 2), np.nan) if corners is None else corners
    patch_sizes = [np.nan if size is None else float(size) for size in bag.patch_size_level0]
    table = {
        "patient": patient,
        "modality": modality,
        "slide": np.repeat(np.array(bag.slide_names, dtype=object), sizes),
        "instance": np.concatenate([np.arange(size) for size in sizes]),
        "x": corners[:, 0],
        "y": corners[:, 1],
        "patch_size": np.repeat(patch_sizes, sizes),
    }
    return pd.DataFrame(table | token_columns(weights, contribution))


def pathway_table(
    patient: Any, pathways: Sequence[str], weights: Weights, contribution: np.ndarray | None
) -> pd.DataFrame:
    """One row for each pathway.

    Parameters
    ----------
    patient : object
    pathways : sequence of str
    weights : mapping of str to ndarray (n_pathways, K)
    contribution : ndarray of shape (n_pathways,), or None

    Returns
    -------
    DataFrame
        Columns patient, pathway and those of :func:`token_columns`.
    """
    return pd.DataFrame(
        {"patient": patient, "pathway": list(pathways)} | token_columns(weights, contribution)
    )


def assignment_table(
    patient: Any, modality: str, tokens: Sequence[Any] | np.ndarray, weights: Weights
) -> pd.DataFrame:
    """One row for each pair of token and prototype.

    Parameters
    ----------
    patient : object
    modality : str
    tokens : sequence of length n_tokens
        Numbers of instances or names of pathways.
    weights : mapping of str to ndarray (n_tokens, K)

    Returns
    -------
    DataFrame
        Columns patient, modality, token, prototype, softmax, transported, mixed and rank (1 for the
        prototype with the largest mixed weight of the token).
    """
    n_tokens, n_prototypes = weights["mixed"].shape
    order = np.argsort(-weights["mixed"], axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(1, n_prototypes + 1)[None], axis=1)
    table = {
        "patient": patient,
        "modality": modality,
        "token": np.repeat(np.asarray(tokens, dtype=object), n_prototypes),
        "prototype": np.tile(np.arange(n_prototypes), n_tokens),
    }
    return pd.DataFrame(table | {kind: _flat(weights, kind) for kind in KINDS} | {"rank": rank.ravel()})


def _flat(weights: Weights, kind: str) -> np.ndarray:
    return weights[kind].ravel() if kind in weights else np.full(weights["mixed"].size, np.nan)


def usage_table(patient: Any, weights: Mapping[str, Weights]) -> pd.DataFrame:
    """How much of each modality every prototype takes, of one patient.

    Parameters
    ----------
    patient : object
    weights : mapping of modality to weights by kind
        Of the modalities that the patient has.

    Returns
    -------
    DataFrame
        Columns patient, modality, prototype, share (of the tokens that have this prototype as their
        first), softmax, transported, mixed (means over the tokens).
    """
    tables = []
    for modality, own in weights.items():
        n_tokens, n_prototypes = own["mixed"].shape
        first = np.bincount(own["mixed"].argmax(axis=1), minlength=n_prototypes)
        table = {
            "patient": patient,
            "modality": modality,
            "prototype": np.arange(n_prototypes),
            "share": first / n_tokens,
        }
        nothing = np.full(n_prototypes, np.nan)
        means = {kind: own[kind].mean(axis=0, dtype=np.float64) if kind in own else nothing for kind in KINDS}
        tables.append(pd.DataFrame(table | means))
    return pd.concat(tables, ignore_index=True)


def cohort_usage(usage: pd.DataFrame) -> pd.DataFrame:
    """Means of :func:`usage_table` over the patients that have a modality.

    Parameters
    ----------
    usage : DataFrame
        Of several patients.

    Returns
    -------
    DataFrame
        Columns modality, prototype, n_patients, share, share_sd, softmax, transported, mixed. The spread
        is missing for a single patient.
    """
    groups = usage.groupby(["modality", "prototype"], sort=False)
    means = groups[["share", *KINDS]].mean()
    means.insert(0, "n_patients", groups.size())
    means.insert(2, "share_sd", groups["share"].std())
    return means.reset_index()


def anchor_table(
    patient: Any, modalities: Sequence[str], anchors: Tensor | None, before: Tensor, after: Tensor
) -> pd.DataFrame:
    """Distance of a patient's prototype tokens to every modality's anchor, before and after APART.

    Parameters
    ----------
    patient : object
    modalities : sequence of str
    anchors : Tensor of shape (n_modalities, dim), or None
        None where the network has no anchors.
    before, after : Tensor of shape (n_modalities, K, dim)
        NaN for a modality that the patient lacks.

    Returns
    -------
    DataFrame
        Columns patient, modality, prototype, anchor (whose), before, after: one minus the cosine, from 0
        (the same direction) to 2. No rows without anchors.
    """
    columns = ["patient", "modality", "prototype", "anchor", "before", "after"]
    if anchors is None:
        return pd.DataFrame(columns=columns)
    distances = [
        (1 - functional.normalize(tokens, dim=-1) @ functional.normalize(anchors.detach(), dim=-1).T)
        .cpu()
        .numpy()
        for tokens in (before, after)
    ]
    n_modalities, n_prototypes, n_anchors = distances[0].shape
    modality, prototype, anchor = (
        place.ravel() for place in np.indices((n_modalities, n_prototypes, n_anchors))
    )
    names = np.array(modalities, dtype=object)
    values = (patient, names[modality], prototype, names[anchor], distances[0].ravel(), distances[1].ravel())
    table = pd.DataFrame(dict(zip(columns, values, strict=True)))
    return table[table["before"].notna()].reset_index(drop=True)
