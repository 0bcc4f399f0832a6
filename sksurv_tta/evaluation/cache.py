"""Finished fits on disk, so that an interrupted comparison goes on where it stopped.

A record is a JSON file named after a digest of everything its numbers depend on: parameters, rows,
outcomes, sites, fold, seed, times and library versions. JSON executes nothing when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sksurv_tta._files import write_atomically

__all__ = ["data_digest", "fit_digest", "model_digest", "read_record", "write_record"]

FORMAT = 1
_LIBRARIES = ("sksurv-tta", "scikit-survival", "scikit-learn", "numpy")


def model_digest(model: Any) -> str:
    """Digest of an unfitted estimator: its class and all its parameters.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If a parameter cannot be digested, such as a lambda function.
    """
    try:
        # joblib.hash writes the object to a hash function, nothing is ever read back
        return joblib.hash(model)
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} cannot be cached because a parameter cannot be digested: {error}. "
            "Use functions that can be imported instead of lambdas, or cache_dir=None."
        ) from error


def data_digest(X: Any, y: NDArray, sites: NDArray | None) -> str:
    """Digest of rows, outcomes and sites.

    Bags in memory count by content; bags in files by path, shape, size and time of the last change, because
    reading all of them would take as long as a fit.

    Parameters
    ----------
    X : DataFrame or array-like
    y : structured array
    sites : ndarray or None

    Returns
    -------
    str
    """
    parts = [joblib.hash(np.ascontiguousarray(y[name])) for name in y.dtype.names or ()]
    if isinstance(X, pd.DataFrame):
        parts += [str(list(X.columns)), str([str(dtype) for dtype in X.dtypes])]
        numeric = X.select_dtypes("number")
        parts.append(joblib.hash(np.ascontiguousarray(numeric.to_numpy())))
        others = [name for name in X.columns if name not in set(numeric.columns)]
        parts += [_cell_digest(cell) for name in others for cell in X[name]]
    else:
        parts.append(joblib.hash(np.ascontiguousarray(X)))
    parts.append("" if sites is None else str([str(site) for site in sites]))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _cell_digest(cell: Any) -> str:
    """Digest of a bag, a missing one, or a cell of text."""
    if not hasattr(cell, "read"):
        return str(cell)
    stats = [os.stat(path) for path in cell.paths if os.path.isfile(path)]
    if not stats:
        return joblib.hash(np.ascontiguousarray(cell.read()))
    stamps = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
    return f"{joblib.hash(cell)}{stamps}"  # the handle: paths, rows and shape


def fit_digest(model: str, data: str, **settings: Any) -> str:
    """Name of the record of one fit.

    Parameters
    ----------
    model, data : str
        From :func:`model_digest` and :func:`data_digest`.
    **settings : arrays, numbers and text
        Rows, seed, times and whatever else the numbers depend on.

    Returns
    -------
    str
    """
    plain = {key: _plain(value) for key, value in settings.items()}
    versions = {name: version(name) for name in _LIBRARIES}
    everything = {"format": FORMAT, "model": model, "data": data, "versions": versions, **plain}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist() if isinstance(value, np.ndarray | np.generic) else value


def read_record(directory: str | os.PathLike, digest: str) -> dict[str, Any] | None:
    """The record, or None when it is not there, was cut short or altered.

    Parameters
    ----------
    directory : path
    digest : str

    Returns
    -------
    dict or None
    """
    path = Path(directory) / f"{digest}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None  # a damaged record only costs one fit
    if not isinstance(record, dict) or record.get("digest") != digest:
        return None
    return record if record.pop("sha256", None) == _checksum(record) else None


def write_record(directory: str | os.PathLike, digest: str, record: Mapping[str, Any]) -> None:
    """Write the record whole or not at all.

    Parameters
    ----------
    directory : path
        Made if it does not exist.
    digest : str
    record : mapping
        Numbers, text, lists and mappings of them. Floats come back bit by bit.

    Raises
    ------
    OSError
        If the disk is full, or the folder cannot be written.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    # as JSON gives it back, so that the checksum of what is read is that of what was written
    content = json.loads(json.dumps({**record, "digest": digest}, default=_plain))
    text = json.dumps({**content, "sha256": _checksum(content)})
    write_atomically(folder / f"{digest}.json", text.encode("utf-8"))


def _checksum(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
