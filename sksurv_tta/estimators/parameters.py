"""Parameters of an estimator as JSON values."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sksurv_tta.exceptions import listing
from sksurv_tta.training.tensor_files import storable

__all__ = ["NOT_STORED", "stored_parameters"]

#: ``pathways`` can be the path of a file of this machine; the genes in use are stored instead.
NOT_STORED = {"callbacks", "checkpoint_dir", "pathways"}


def stored_parameters(estimator: Any, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Parameters as JSON values, by name.

    Parameters
    ----------
    estimator : estimator
    without : collection of str
        Names to leave out, besides ``NOT_STORED``.

    Raises
    ------
    ValueError
        If some hold what JSON cannot; names them all.
    """
    stored, refused = {}, []
    for name, value in estimator.get_params(deep=False).items():
        if name in NOT_STORED or name in without:
            continue
        try:
            stored[name] = storable(value)
        except TypeError:
            refused.append(f"{name} ({type(value).__name__})")
    if refused:
        raise ValueError(
            f"{len(refused)} parameters of {type(estimator).__name__} hold neither numbers nor strings: "
            f"{listing(refused)}. Give such values instead, for example random_state=0."
        )
    return stored
