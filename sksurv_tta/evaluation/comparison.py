"""The result of a comparison: tables to read, to plot and to put into a paper."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sksurv.util import Surv

from sksurv_tta.evaluation.calibration import calibration_table
from sksurv_tta.evaluation.intervals import noise_floor
from sksurv_tta.evaluation.risk_groups import RiskGroups, group_by_risk
from sksurv_tta.evaluation.safe_csv import write_csv
from sksurv_tta.evaluation.summaries import Resamples, fold_means, paired_table, summary_table

__all__ = ["Comparison"]

THRESHOLDS = {
    2: ["threshold"],
    3: ["threshold_q33", "threshold_q67"],
    4: ["threshold_q25", "threshold", "threshold_q75"],
}


class Comparison:
    """What :func:`sksurv_tta.evaluation.compare` found.

    Attributes
    ----------
    table : DataFrame
        Tidy: one row for each model, seed, fold and metric, with value, reason (why it is missing, else
        empty), time_lower, time_upper, n_patients, n_events, n_pairs.
    predictions : DataFrame
        Out-of-fold risks, one row for each patient, model and seed: id, model, seed, fold, site, event,
        time, risk, brier (the patient's part of the integrated Brier score), threshold (median of the
        training risks) and threshold_q25, _q33, _q67, _q75, and survival@t for each chosen time t.
    folds : DataFrame
        Size, events, pairs, sites and common time range of each fold.
    fits : DataFrame
        One row for each fit: model, seed, fold, fit_seconds, predict_seconds, from_cache, chosen (what
        the model chose on its training rows) and error.
    splits : list of (train, test)
        Positions of rows.
    histories : DataFrame
        Of networks: one row for each fit and epoch with model, seed, fold, epoch and what ``history_`` of
        the estimator holds, such as every part of the loss. Empty without networks.
    explanations : dict of str to DataFrame
        What explains the risks of networks with prototypes, of patients that the explained fit has not
        seen; each row begins with model, seed and fold. ``modalities``: patient, modality, present, risk,
        risk_without, change, share. ``usage``: modality, prototype, n_patients, share, share_sd, softmax,
        transported, mixed. ``pathway_prototypes``: pathway, prototype, softmax, transported, mixed. The
        prototypes of two fits have nothing to do with each other. Empty tables without such networks.
    """

    def __init__(
        self,
        *,
        table: pd.DataFrame,
        predictions: pd.DataFrame,
        folds: pd.DataFrame,
        fits: pd.DataFrame,
        splits: Sequence[tuple[NDArray, NDArray]],
        y: NDArray,
        n_resamples: int,
        random_state: int,
        histories: pd.DataFrame | None = None,
        explanations: Mapping[str, pd.DataFrame] | None = None,
    ):
        self.table = table
        self.predictions = predictions
        self.folds = folds
        self.fits = fits
        self.splits = list(splits)
        self.histories = pd.DataFrame() if histories is None else histories
        self.explanations = dict(explanations or {})
        self._paired: dict[str, pd.DataFrame] = {}
        self._y = y
        self._n_resamples = n_resamples
        self._random_state = random_state

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order in which they were given."""
        return list(dict.fromkeys(self.fits["model"]))

    @cached_property
    def _resamples(self) -> Resamples:
        return Resamples(self._y, self.splits, n_resamples=self._n_resamples, random_state=self._random_state)

    @cached_property
    def _resampled_values(self) -> dict[str, dict[str, list[NDArray]]]:
        """For each metric that can be resampled the numbers of the patients, by model and fold."""
        risks = self._by_fold("risk")
        return {"c_index": risks, "c_index_uno": risks, "brier_integrated": self._by_fold("brier")}

    def _by_fold(self, column: str) -> dict[str, list[NDArray]]:
        """Values (n_seeds, n_test) of each model and fold; seeds with one that is not finite left out."""
        values = {model: [np.empty((0, len(test))) for _, test in self.splits] for model in self.models}
        for (model, fold), rows in self.predictions.groupby(["model", "fold"], sort=False):
            by_seed = np.array([group[column].to_numpy() for _, group in rows.groupby("seed", sort=False)])
            values[str(model)][int(str(fold))] = by_seed[np.isfinite(by_seed).all(axis=1)]
        return values

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per model and metric: mean, sd, interval, pooled index, and why values are missing.

        Mean and sd (n - 1) are over folds after averaging over seeds; lower and upper are the 95 %
        bootstrap interval over patients within folds, for the concordance indices and the Brier score;
        pooled is Harrell's index over the comparable pairs of all folds together. If it was asked for, the
        last column, optimistic, is the mean over folds at the epoch that was best on the test fold.
        """
        seconds = self.fits.groupby("model", sort=False)["fit_seconds"].mean()
        table = summary_table(
            self.table, values=self._resampled_values, resamples=self._resamples, seconds=seconds
        )
        if self.fits["optimistic"].notna().any():
            by_fold = self.fits.groupby(["model", "fold"])["optimistic"].mean().groupby("model").mean()
            of_harrell = table["metric"] == "c_index"
            table["optimistic"] = table["model"].map(by_fold).where(of_harrell)
        return table

    @cached_property
    def noise_floor(self) -> pd.DataFrame:
        """Spread of Harrell's index of random scores on these folds, per fold and for the mean."""
        return noise_floor(self._resamples.pairs["c_index"], n_draws=1000, random_state=self._random_state)

    @property
    def fold_values(self) -> pd.DataFrame:
        """Metric of each model (rows) and fold (columns), averaged over seeds."""
        return fold_means(self.table)

    def paired(self, reference: str | None = None) -> pd.DataFrame:
        """Paired differences of every model to a reference, with bootstrap intervals.

        Parameters
        ----------
        reference : str, optional
            Default: the first model.

        Returns
        -------
        DataFrame
            See :func:`sksurv_tta.evaluation.summaries.paired_table`.
        """
        reference = self.models[0] if reference is None else reference
        self._check_model(reference)
        if reference not in self._paired:
            self._paired[reference] = paired_table(
                self.table, reference=reference, values=self._resampled_values, resamples=self._resamples
            )
        return self._paired[reference].copy()

    def of_model(self, model: str, *, seed: int | None = None) -> pd.DataFrame:
        """Predictions of one model and one seed.

        Parameters
        ----------
        model : str
        seed : int, optional
            Default: the first one of the model.

        Returns
        -------
        DataFrame
        """
        self._check_model(model)
        rows = self.predictions[self.predictions["model"] == model]
        seeds = list(dict.fromkeys(rows["seed"]))
        if not seeds:
            raise ValueError(f"model {model!r} has no predictions: it failed on every fold")
        if seed is not None and seed not in seeds:
            raise ValueError(f"model {model!r} has the seeds {seeds}, not {seed}")
        return rows[rows["seed"] == (seeds[0] if seed is None else seed)].reset_index(drop=True)

    def risk_groups(self, model: str, *, n_groups: int = 2, seed: int | None = None) -> RiskGroups:
        """Risk groups cut at quantiles of the training risks of each fold, with curves and tests.

        Parameters
        ----------
        model : str
        n_groups : {2, 3, 4}
        seed : int, optional
            Default: the first one of the model.

        Returns
        -------
        RiskGroups
        """
        if n_groups not in THRESHOLDS:
            raise ValueError(f"n_groups must be one of {list(THRESHOLDS)}, got {n_groups}")
        return group_by_risk(self.of_model(model, seed=seed), thresholds=THRESHOLDS[n_groups])

    def calibration(
        self, model: str, *, time: float, n_groups: int = 5, seed: int | None = None
    ) -> pd.DataFrame:
        """Observed against predicted survival at a chosen time, folds pooled.

        Parameters
        ----------
        model : str
        time : float
            One of the ``times`` of the comparison.
        n_groups : int
        seed : int, optional

        Returns
        -------
        DataFrame
            See :func:`sksurv_tta.evaluation.calibration_table`.
        """
        rows = self.of_model(model, seed=seed)
        column = f"survival@{time:g}"
        if column not in rows:
            raise ValueError(f"no survival probabilities at {time:g}; ask for compare(..., times=[{time:g}])")
        known = rows[np.isfinite(rows[column])]
        if known.empty:
            raise ValueError(f"model {model!r} predicts no survival probability at {time:g}")
        y = Surv.from_arrays(known["event"].to_numpy(), known["time"].to_numpy())
        return calibration_table(y, known[column].to_numpy(), time=time, n_groups=n_groups)

    def to_csv(self, directory: str | os.PathLike) -> None:
        """Write every table as a CSV file: table, summary, paired, noise_floor, folds, fits, predictions.

        Parameters
        ----------
        directory : path
            Made if it does not exist. ``predictions.csv`` holds patient identifiers. Text that a spreadsheet
            would run as a formula begins with an apostrophe; a file is replaced whole or not at all.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        tables = {
            "table": self.table,
            "summary": self.summary,
            "paired": self.paired(),
            "noise_floor": self.noise_floor,
            "folds": self.folds,
            "fits": self.fits,
            "predictions": self.predictions,
        }
        for name, table in tables.items():
            write_csv(table, folder / f"{name}.csv")

    def _check_model(self, model: str) -> None:
        if model not in self.models:
            raise ValueError(f"no model {model!r}; there are {self.models}")

    def __repr__(self) -> str:
        shown = self.summary.copy()
        shown["mean ± sd"] = [f"{m:.3f} ± {s:.3f}" for m, s in zip(shown["mean"], shown["sd"], strict=True)]
        shown["95 % interval"] = [
            f"{low:.3f} to {high:.3f}" if np.isfinite(low) else ""
            for low, high in zip(shown["lower"], shown["upper"], strict=True)
        ]
        columns = ["model", "metric", "mean ± sd", "95 % interval", "pooled", "n_folds", "n_missing"]
        text = shown[columns].to_string(index=False, float_format="{:.3f}".format, na_rep="")
        floor = float(self.noise_floor["sd"].iloc[-1])
        return (
            f"Comparison of {len(self.models)} models on {len(self.splits)} folds, "
            f"{len(np.unique(np.concatenate([test for _, test in self.splits])))} patients\n{text}\n"
            f"noise floor: the mean concordance index of random scores has sd {floor:.3f}"
        )
