"""Folds for tables with one row per slide: patients are split, their slides follow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator

from sksurv_tta.exceptions import FoldError, listing
from sksurv_tta.model_selection.sites import check_outcome

__all__ = ["split_slides"]


def split_slides(
    splitter: BaseCrossValidator, y: NDArray, groups: ArrayLike, *, patients: ArrayLike
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Training and test rows of a table of slides, all slides of a patient on one side.

    Rows of a patient are merged before the splitter counts patients and events, so that a patient with
    ten slides counts once.

    Parameters
    ----------
    splitter : splitter
        For example :class:`~sksurv_tta.model_selection.SitePreservedKFold`.
    y : structured array, shape (n_slides,)
        Outcome of each slide's patient.
    groups : array-like, shape (n_slides,)
        Site of each slide's patient.
    patients : array-like, shape (n_slides,)
        Patient of each slide.

    Returns
    -------
    iterator of (train, test)
        Positions of slides, increasing.

    Raises
    ------
    OutcomeError
        If ``y`` is not a survival outcome with at least one event.
    FoldError
        If a patient is missing, or rows of a patient disagree on outcome or site.

    Examples
    --------
    >>> import numpy as np
    >>> from sksurv.util import Surv
    >>> from sksurv_tta.model_selection import SitePreservedKFold, split_slides
    >>> patients = np.repeat(np.arange(40), 2)
    >>> y = Surv.from_arrays(patients % 2 == 0, patients % 10 + 1.0)
    >>> pairs = split_slides(SitePreservedKFold(2), y, patients // 10, patients=patients)
    >>> [len(test) for train, test in pairs]
    [40, 40]
    """
    check_outcome(y)
    codes, names = pd.factorize(pd.Series(np.asarray(patients, dtype=object)), sort=False)
    if len(codes) != len(y) or (codes < 0).any():
        raise FoldError(
            f"patients must name the patient of each of {len(y)} rows; {sum(codes >= 0)} are named."
        )
    _, first = np.unique(codes, return_index=True)
    site_codes, _ = pd.factorize(pd.Series(np.asarray(groups, dtype=object)), use_na_sentinel=False)
    if len(site_codes) != len(y):
        raise FoldError(f"groups has {len(site_codes)} sites for {len(y)} rows.")
    differs = (np.asarray(y) != np.asarray(y)[first][codes]) | (site_codes != site_codes[first][codes])
    if differs.any():
        conflicting = names[np.unique(codes[differs])]
        raise FoldError(
            f"Rows of {len(conflicting)} patients disagree on outcome or site: {listing(conflicting)}."
        )
    pairs = splitter.split(None, np.asarray(y)[first], np.asarray(groups, dtype=object)[first])
    return ((_rows(codes, train), _rows(codes, test)) for train, test in pairs)


def _rows(codes: NDArray[np.intp], chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.flatnonzero(np.isin(codes, chosen))
