"""Patches of a slide as GeoJSON that QuPath reads: a square each, with its prototype and its numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta.evaluation.explain.palette import prototype_colour

__all__ = ["as_geojson", "slide_features", "slides_with_squares"]

#: Numbers of a patch that go into its measurements, with the names that QuPath shows.
_MEASUREMENTS = {
    "prototype": "Prototype",
    "confidence": "Confidence",
    "transported": "Transported share",
    "contribution": "Contribution to risk",
}

_KEYS = ["patient", "modality", "slide"]


def slides_with_squares(instances: pd.DataFrame) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Yield the slides whose patches have a place and a size: ((patient, modality, slide), its rows).

    Parameters
    ----------
    instances : DataFrame
        ``instances`` of an explanation.
    """
    for key, rows in instances.groupby(_KEYS, sort=False):
        if rows[["x", "y", "patch_size"]].notna().all(axis=None):
            yield key, rows


def slide_features(instances: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Features of one slide, a square in pixels of level 0 for each patch.

    Parameters
    ----------
    instances : DataFrame
        Rows of one slide, with x, y and patch_size.

    Yields
    ------
    dict
        Detections whose class is the prototype, in its colour, with confidence, transported share and
        contribution as measurements where there are numbers.
    """
    numbers = {name: instances[column].to_numpy() for column, name in _MEASUREMENTS.items()}
    corners = instances[["x", "y", "patch_size"]].to_numpy(dtype=np.float64)
    for row, (x, y, size) in enumerate(corners.tolist()):
        prototype = int(numbers["Prototype"][row])
        colour = prototype_colour(prototype)
        measured = {name: float(values[row]) for name, values in numbers.items()}
        yield {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [_ring(x, y, size)]},
            "properties": {
                "objectType": "detection",
                "classification": {
                    "name": f"Prototype {prototype}",
                    "color": [int(colour[place : place + 2], 16) for place in (1, 3, 5)],
                },
                "measurements": {name: value for name, value in measured.items() if np.isfinite(value)},
            },
        }


def _ring(x: float, y: float, size: float) -> list[list[float]]:
    """Corners of a square, the first again at the end."""
    right, bottom = x + size, y + size
    corners = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)]
    return [[_whole(across), _whole(down)] for across, down in corners]


def _whole(pixel: float) -> float:
    return int(pixel) if pixel == int(pixel) else pixel


def as_geojson(instances: pd.DataFrame) -> str:
    """A FeatureCollection of one slide, a feature per line.

    Parameters
    ----------
    instances : DataFrame
        Rows of one slide, with x, y and patch_size.

    Raises
    ------
    ValueError
        If the rows are of several slides, or a patch has no place or size.
    """
    if len(instances[_KEYS].drop_duplicates()) > 1:
        raise ValueError("GeoJSON is for one slide; divide the instances by patient and slide first.")
    if instances[["x", "y", "patch_size"]].isna().any(axis=None):
        raise ValueError("Patches without coordinates or without a size have no place on the slide.")
    lines = ",\n".join(json.dumps(feature, allow_nan=False) for feature in slide_features(instances))
    return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'
