"""Cross-validation folds that keep sites whole and balance events, follow-up and size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection._milp import solve_programme
from sksurv_tta.model_selection._splitter import Problem, SiteSplitter, fold_pairs, generator_from, kicks_for

__all__ = ["RepeatedSitePreservedKFold", "SitePreservedKFold"]


class SitePreservedKFold(SiteSplitter):
    r"""K folds in which every site is in one fold only, with events, follow-up and size balanced.

    Patients of one hospital share staining, scanner and case mix, so a model that has seen the hospital
    looks better than it is. Here the sites are assigned to folds so that

    .. math::

        \sum_k \Big[ w_{size} \big(\tfrac{n_k}{\bar n} - 1\big)^2
        + w_{events} \big(\tfrac{e_k}{\bar e} - 1\big)^2
        + w_{rate} \big(\tfrac{e_k - p\,n_k}{\bar e}\big)^2
        + \tfrac{w_{strata}}{J} \sum_j \big(\tfrac{s_{jk} - n_k q_j}{\bar s_j}\big)^2 \Big]

    is small, where fold k has n_k patients, e_k events and s_jk patients in stratum j (event × quantile bin
    of time), p is the pooled event rate, q_j the pooled share of stratum j, and a bar is the mean over
    folds. No fold is without an event as long as ``n_splits`` sites have one.

    The folds depend on outcomes and on which patients share a site, but not on the order of the patients
    or on the names of the sites, except where two sites have exactly the same outcomes. Folds are numbered
    from the largest to the smallest.

    Parameters
    ----------
    n_splits : int
        Number of folds K.
    n_time_bins : int
        Quantile bins of the observed time that form the strata.
    weights : mapping, optional
        Weights of ``"size"``, ``"events"``, ``"rate"`` and ``"strata"``, by default 0.5, 0.5, 1 and 0.5.
        Terms that are not named keep their default; 0 turns one off.
    solver : {"local", "milp"}
        ``"local"`` improves many starts by moves and swaps of sites. ``"milp"`` solves the same problem with
        absolute instead of squared deviations, with a proven bound: seconds to minutes for 20 to 40 sites.
        Absolute deviations tolerate one bad fold among good ones more than squared ones do.
    n_restarts : int
        Starts of ``solver="local"``.
    time_limit : float, optional
        Seconds for ``solver="milp"``. A search cut off by the clock may differ between machines.
    min_events : int
        A fold with fewer events is reported.
    shuffle : bool
        False: the best folds found, always the same. True: one set drawn by ``random_state`` among the
        near-optimal ones, whose objective is at most 10 % above that of the best start, or hardly more
        (``solver="local"`` only).
    random_state : int, RandomState or None
        Used only if ``shuffle``. None is a fixed seed, so that two calls give the same folds.
    on_imbalance : {"warn", "ignore", "raise"}
        What to do about a site larger than a fold, folds with fewer than ``min_events`` events or 200
        comparable pairs, or a floor of the variation of events of 0.1 or more. In a cohort so small that even
        folds have fewer than 200 pairs, half of what even folds have is the limit.

    Attributes
    ----------
    report_ : FoldReport
        Balance of the folds of the last ``split``; print it.

    Examples
    --------
    >>> import numpy as np
    >>> from sksurv.util import Surv
    >>> from sksurv_tta.model_selection import SitePreservedKFold
    >>> site = np.repeat(["A", "B", "C", "D", "E", "F"], 10)
    >>> y = Surv.from_arrays(np.arange(60) % 2 == 0, np.arange(60) % 10 + 1.0)
    >>> folds = SitePreservedKFold(3)
    >>> [len(test) for train, test in folds.split(np.zeros((60, 1)), y, groups=site)]
    [20, 20, 20]
    >>> folds.report_.event_cv
    0.0
    """

    _parameter_constraints: ClassVar[dict] = {
        **SiteSplitter._parameter_constraints,
        "solver": [StrOptions({"local", "milp"})],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "shuffle": ["boolean"],
    }

    def __init__(
        self,
        n_splits: int = 5,
        *,
        n_time_bins: int = 4,
        weights: Mapping[str, float] | None = None,
        solver: str = "local",
        n_restarts: int = 30,
        time_limit: float | None = None,
        min_events: int = 5,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
        on_imbalance: str = "warn",
    ):
        self.n_splits = n_splits
        self.n_time_bins = n_time_bins
        self.weights = weights
        self.solver = solver
        self.n_restarts = n_restarts
        self.time_limit = time_limit
        self.min_events = min_events
        self.shuffle = shuffle
        self.random_state = random_state
        self.on_imbalance = on_imbalance

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(
        self, X: object, y: Any = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Training and test positions of each fold.

        The folds are made at once, before the first pair is asked for.

        Parameters
        ----------
        X : array-like with n_patients rows, or None
            Only its length is looked at.
        y : structured array, shape (n_patients,)
            Event indicator and time.
        groups : array-like, shape (n_patients,)
            Site of each patient.

        Returns
        -------
        iterator of (train, test)
            Positions, increasing.

        Raises
        ------
        OutcomeError
            If ``y`` is not a survival outcome with at least one event.
        FoldError
            If sites are missing or fewer than folds, or on an imbalance with ``on_imbalance="raise"``.
        """
        problem = self._problem(X, y, groups)
        part, solved = self._solve(problem)
        part = problem.numbered(part)
        self.report_ = problem.report(part, min_events=self.min_events, solver=self.solver, **solved)
        self._tell(self.report_.findings)
        return fold_pairs(part[problem.table.codes], self.n_splits)

    def _solve(self, problem: Problem) -> tuple[NDArray[np.int64], dict[str, float]]:
        if self.solver == "milp":
            if self.shuffle:
                raise FoldError(
                    "shuffle=True draws among the restarts of solver='local'; solver='milp' has none."
                )
            values, weight = problem.table.features(problem.weights, 1 / self.n_splits)
            spread = problem.table.must_spread(self.n_splits)
            solution = solve_programme(values, weight, spread, self.n_splits, time_limit=self.time_limit)
            return solution.part, {"objective": solution.objective, "objective_bound": solution.bound}
        if self.shuffle:
            generator = generator_from(self.random_state)
            optima = self._near_optimal(problem, n_restarts=self.n_restarts, generator=generator)
            chosen = optima[generator.randint(len(optima))]
        else:
            n_kicks = kicks_for(problem.table.n_sites)
            generator = generator_from(None)
            chosen = self._search(problem, n_restarts=self.n_restarts, n_kicks=n_kicks, generator=generator)[
                0
            ]
        return chosen.part, {"objective": chosen.objective, "objective_bound": problem.bound()}


class RepeatedSitePreservedKFold(SiteSplitter):
    """Several different sets of near-optimal site-preserving folds, one after another.

    Repeats show how much a result depends on the folds. Each is a different local optimum whose
    objective (see :class:`SitePreservedKFold`) is within 10 % of the best found; when sites leave fewer such
    sets than ``n_repeats``, sets are used again and this is reported.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    n_repeats : int
        Number of sets of folds.
    n_time_bins, weights, min_events
        As for :class:`SitePreservedKFold`.
    n_restarts : int
        Starts of the search per repeat.
    random_state : int, RandomState or None
        Which sets are drawn. None is a fixed seed, so that two calls give the same folds.
    on_imbalance : {"warn", "ignore", "raise"}
        As for :class:`SitePreservedKFold`; what several sets share is said once.

    Attributes
    ----------
    reports_ : list of FoldReport, length n_repeats
        Balance of each set of the last ``split``.
    """

    _parameter_constraints: ClassVar[dict] = {
        **SiteSplitter._parameter_constraints,
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_splits: int = 5,
        *,
        n_repeats: int = 10,
        random_state: int | np.random.RandomState | None = None,
        n_time_bins: int = 4,
        weights: Mapping[str, float] | None = None,
        n_restarts: int = 30,
        min_events: int = 5,
        on_imbalance: str = "warn",
    ):
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.random_state = random_state
        self.n_time_bins = n_time_bins
        self.weights = weights
        self.n_restarts = n_restarts
        self.min_events = min_events
        self.on_imbalance = on_imbalance

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of folds times the number of repeats."""
        return self.n_splits * self.n_repeats

    def split(
        self, X: object, y: Any = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Training and test positions, all folds of the first repeat, then of the second and so on.

        Parameters, result and errors are those of :meth:`SitePreservedKFold.split`.
        """
        problem = self._problem(X, y, groups)
        generator = generator_from(self.random_state)
        optima = self._near_optimal(problem, n_restarts=self.n_restarts * self.n_repeats, generator=generator)
        order = generator.permutation(len(optima))
        chosen = [optima[order[repeat % len(optima)]] for repeat in range(self.n_repeats)]
        parts = [problem.numbered(optimum.part) for optimum in chosen]
        self.reports_ = [
            problem.report(
                part,
                min_events=self.min_events,
                objective=optimum.objective,
                objective_bound=problem.bound(),
                solver="local",
            )
            for part, optimum in zip(parts, chosen, strict=True)
        ]
        findings = [finding for report in self.reports_ for finding in report.findings]
        if len(optima) < self.n_repeats:
            few = f"only {len(optima)} different near-optimal sets of folds for {self.n_repeats} repeats"
            findings.insert(0, few)
        self._tell(tuple(dict.fromkeys(findings)))
        fold_of = [part[problem.table.codes] for part in parts]
        return (pair for folds in fold_of for pair in fold_pairs(folds, self.n_splits))
