"""Vectors of many numbers as points in the plane, so that they can be drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE

__all__ = ["prototypes_in_plane", "tokens_in_plane"]

PERPLEXITY = 30.0


def prototypes_in_plane(prototypes: np.ndarray, *, random_state: int | None = 0) -> pd.DataFrame:
    """Prototypes as points; those close together point in similar directions.

    Parameters
    ----------
    prototypes : ndarray of shape (n_banks, K, dim)
        ``Explanation.prototypes``.
    random_state : int or None

    Returns
    -------
    DataFrame
        Columns bank, prototype, x, y.
    """
    n_banks, n_prototypes, _ = prototypes.shape
    points = _in_plane(prototypes.reshape(n_banks * n_prototypes, -1), random_state)
    bank, prototype = (place.ravel() for place in np.indices((n_banks, n_prototypes)))
    return pd.DataFrame({"bank": bank, "prototype": prototype, "x": points[:, 0], "y": points[:, 1]})


def tokens_in_plane(
    before: np.ndarray,
    after: np.ndarray,
    modalities: Sequence[str],
    *,
    max_tokens: int = 2000,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Prototype tokens of patients as points, before and after APART, each stage in a plane of its own.

    Parameters
    ----------
    before, after : ndarray of shape (n_patients, n_modalities, K, dim)
        Of an ``Explanation``. Modalities that a patient lacks (NaN) are left out.
    modalities : sequence of str
    max_tokens : int
        So many tokens, drawn at random, are shown at most; the same in both planes.
    random_state : int or None

    Returns
    -------
    DataFrame
        Columns stage ("before", "after"), patient (row), modality, prototype, x, y.
    """
    places = np.argwhere(np.isfinite(before).all(axis=3))
    if len(places) > max_tokens:
        chosen = np.random.default_rng(random_state).choice(len(places), max_tokens, replace=False)
        places = places[np.sort(chosen)]
    patient, modality, prototype = places.T
    names = np.array(modalities, dtype=object)
    tables = []
    for stage, tokens in (("before", before), ("after", after)):
        points = _in_plane(tokens[patient, modality, prototype], random_state)
        columns = {
            "stage": stage,
            "patient": patient,
            "modality": names[modality],
            "prototype": prototype,
            "x": points[:, 0],
            "y": points[:, 1],
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _in_plane(vectors: np.ndarray, random_state: int | None) -> np.ndarray:
    """t-SNE of the directions of vectors (n, dim): (n, 2)."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors.astype(np.float64) / np.where(lengths > 0, lengths, 1.0)
    if len(directions) < 4:  # too few for neighbourhoods: their main directions will do
        return _main_directions(directions)
    perplexity = min(PERPLEXITY, (len(directions) - 1) / 3)
    embedding = TSNE(
        perplexity=perplexity,
        init=_main_directions(directions) * 1e-4,
        learning_rate="auto",
        random_state=random_state,
    )
    return embedding.fit_transform(directions)


def _main_directions(vectors: np.ndarray) -> np.ndarray:
    """First two principal components, the first of unit spread where it has any: (n, 2)."""
    left, sizes, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    points = np.zeros((len(vectors), 2))
    n_directions = min(2, len(sizes))
    points[:, :n_directions] = left[:, :n_directions] * sizes[:n_directions]
    spread = points[:, 0].std()
    return points / spread if spread > 0 else points
