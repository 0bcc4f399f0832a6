"""A validation part of a training set: whole sites, or patients drawn evenly over events and times."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection._assignment import near_optimal, search_assignments
from sksurv_tta.model_selection._splitter import generator_from, tell
from sksurv_tta.model_selection.sites import DEFAULT_WEIGHTS, SiteTable, check_outcome, site_table

__all__ = ["site_preserved_train_test_split"]

_N_RESTARTS = 8
# How far a test part may be from the size asked for before the user is told: twice or half.
_FAR = 2.0


def site_preserved_train_test_split(
    X: object,
    y: NDArray,
    groups: ArrayLike | None = None,
    *,
    test_size: float = 0.2,
    n_time_bins: int = 4,
    random_state: int | np.random.RandomState | None = None,
    on_imbalance: str = "warn",
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split patients in two so that no site is on both sides and events and follow-up are alike.

    This is the validation part for early stopping, taken from training patients only: whole sites there
    are as new to the network as those of the test fold will be. The objective is that of
    :class:`~sksurv_tta.model_selection.SitePreservedKFold` with parts of unequal size. Where two sites
    have events, both parts have some.

    Parameters
    ----------
    X : array-like with n_patients rows, or None
        Only its length is looked at.
    y : structured array, shape (n_patients,)
        Event indicator and time; may be all censored.
    groups : array-like, shape (n_patients,), optional
        Site of each patient. Without sites, patients are drawn one by one, evenly over events and times.
    test_size : float or int
        Share of the patients in the test part, or their number. With whole sites it is met nearly.
    n_time_bins : int
        Quantile bins of the observed time on which the two parts are compared.
    random_state : int, RandomState or None
        None gives the best split found, always the same; anything else draws one of the near-optimal ones.
    on_imbalance : {"warn", "ignore", "raise"}
        What to do if the test part is more than twice or less than half as large as asked for.

    Returns
    -------
    train, test : ndarray of int
        Positions, increasing.

    Raises
    ------
    OutcomeError
        If ``y`` is not a survival outcome.
    FoldError
        If there is one site or one patient only, a site is missing, or ``test_size`` cannot be met.

    Examples
    --------
    >>> import numpy as np
    >>> from sksurv.util import Surv
    >>> from sksurv_tta.model_selection import site_preserved_train_test_split
    >>> site = np.repeat(["A", "B", "C", "D", "E"], 4)
    >>> y = Surv.from_arrays(np.arange(20) % 2 == 0, np.arange(20) % 4 + 1.0)
    >>> train, test = site_preserved_train_test_split(None, y, site)
    >>> len(train), len(set(site[test]) & set(site[train]))
    (16, 0)
    """
    event, time = check_outcome(y, allow_all_censored=True)
    if X is not None and _num_samples(X) != len(event):
        raise FoldError(f"X has {_num_samples(X)} rows and y has {len(event)}.")
    if on_imbalance not in {"warn", "ignore", "raise"}:
        raise FoldError(f"on_imbalance must be 'warn', 'ignore' or 'raise'; got {on_imbalance!r}.")
    share = _share(test_size, len(event))
    if groups is None:
        tested = _draw_patients(event, time, share, random_state)
    else:
        table = site_table(event, time, groups, n_time_bins=n_time_bins)
        tested = _draw_sites(table, share, random_state)
        _tell_size(tested, share, table, on_imbalance)
    return np.flatnonzero(~tested), np.flatnonzero(tested)


def _share(test_size: float, n_patients: int) -> float:
    if n_patients < 2:
        raise FoldError(f"{n_patients} patient cannot be split in two.")
    whole = isinstance(test_size, Integral) and not isinstance(test_size, bool)
    share = test_size / n_patients if whole else test_size
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 < share < 1:
        raise FoldError(
            f"test_size must be a share between 0 and 1 or a number of patients below {n_patients}; "
            f"got {test_size!r}."
        )
    return float(share)


def _draw_sites(
    table: SiteTable, share: float, random_state: int | np.random.RandomState | None
) -> NDArray[np.bool_]:
    if table.n_sites < 2:
        raise FoldError(
            f"All {len(table.codes)} patients are from one site ({table.labels[0]}), so no whole site can be "
            "set aside. Give no sites, to set aside patients of that site evenly over events and times, "
            "or train without a validation part."
        )
    generator = generator_from(random_state)
    values, weight = table.features(DEFAULT_WEIGHTS, share)
    optima = search_assignments(
        values * np.sqrt(weight),
        np.array([1 - share, share]),
        table.must_spread(2),
        n_restarts=_N_RESTARTS,
        n_kicks=0,
        generator=generator,
    )
    if random_state is not None:
        optima = near_optimal(optima, relative=0.1, absolute=0.01)
    chosen = optima[0 if random_state is None else generator.randint(len(optima))]
    return (chosen.part == 1)[table.codes]


def _tell_size(tested: NDArray[np.bool_], share: float, table: SiteTable, on_imbalance: str) -> None:
    reached = tested.mean()
    if share / _FAR <= reached <= share * _FAR:
        return
    text = (
        f"The test part holds {tested.sum()} of {len(tested)} patients ({reached:.0%}) where {share:.0%} was "
        f"asked for: there are {table.n_sites} sites, the largest with {table.patients[0]} patients, and "
        "sites are kept whole. Ask for another size, or give no sites."
    )
    tell(text, on_imbalance)


def _draw_patients(
    event: NDArray[np.bool_],
    time: NDArray[np.float64],
    share: float,
    random_state: int | np.random.RandomState | None,
) -> NDArray[np.bool_]:
    """Every so-many-th patient in the order of time, separately for events and censored patients."""
    generator = None if random_state is None else generator_from(random_state)
    n_events, n_patients = int(event.sum()), len(event)
    n_tested = int(np.clip(round(share * n_patients), 1, n_patients - 1))
    n_tested_events = round(share * n_events)
    if n_events >= 2:
        n_tested_events = int(np.clip(n_tested_events, 1, n_events - 1))
    # As many as fit beside the censored patients there are.
    n_tested_events = int(np.clip(n_tested_events, n_tested - (n_patients - n_events), n_tested))
    tested = np.zeros(n_patients, dtype=bool)
    for kind, n_drawn in ((event, n_tested_events), (~event, n_tested - n_tested_events)):
        rows = np.flatnonzero(kind)
        rows = rows[np.argsort(time[rows], kind="stable")]
        # One patient from each of n_drawn stretches of the order: its middle, or a random one.
        edges = np.arange(n_drawn + 1) * len(rows) // max(n_drawn, 1)
        place = np.full(n_drawn, 0.5) if generator is None else generator.uniform(size=n_drawn)
        tested[rows[edges[:-1] + np.floor(place * np.diff(edges)).astype(np.intp)]] = True
    return tested
