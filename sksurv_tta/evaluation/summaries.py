"""Folds and seeds summed up: means, spreads, bootstrap intervals, paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sksurv_tta.evaluation.intervals import (
    FoldPairs,
    bootstrap_concordance,
    fold_pairs,
    mean_over_folds,
    percentile_interval,
    resample_counts,
)

__all__ = ["Resamples", "fold_means", "paired_table", "summary_table"]

OfFolds = Sequence[NDArray]  # for each fold (n_seeds, n_test); n_seeds = 0 where the model failed
# metric -> model -> the patients' numbers: risks, or parts of the Brier score
Values = Mapping[str, Mapping[str, OfFolds]]


class Resamples:
    """Bootstrap resamples of the patients of each fold, the same for every model.

    Parameters
    ----------
    y : structured array
    splits : sequence of (train, test)
    n_resamples : int
    random_state : int
    """

    def __init__(self, y: NDArray, splits: Sequence, *, n_resamples: int, random_state: int):
        random = np.random.RandomState(random_state)
        self.counts = [resample_counts(len(test), n_resamples, random_state=random) for _, test in splits]
        self.pairs: dict[str, list[FoldPairs]] = {
            "c_index": [fold_pairs(y[test]) for _, test in splits],
            "c_index_uno": [fold_pairs(y[test], y_train=y[train]) for train, test in splits],
        }

    def fold_values(self, metric: str, values: OfFolds) -> NDArray[np.float64]:
        """Metric of each resample and fold, (n_resamples, n_folds); NaN for folds without values."""
        drawn = np.full((len(self.counts[0]), len(values)), np.nan)
        for k, of_fold in enumerate(values):
            if not len(of_fold):
                continue
            counts = self.counts[k]
            if metric in self.pairs:
                pairs = [self.pairs[metric][k]]
                drawn[:, k] = bootstrap_concordance(pairs, [of_fold], counts=[counts])[:, 0]
            else:
                drawn[:, k] = counts @ np.mean(of_fold, axis=0) / counts.shape[1]
        return drawn

    def pooled(self, risks: OfFolds) -> float:
        """Harrell's index over the comparable pairs of all folds together, averaged over seeds."""
        right, total = 0.0, 0.0
        for pairs, risk in zip(self.pairs["c_index"], risks, strict=True):
            if len(risk):
                right += float(np.mean([pairs.ordered(r).sum() for r in risk]))
                total += float(pairs.weights.sum())
        return right / total if total else float("nan")


def fold_means(table: pd.DataFrame) -> pd.DataFrame:
    """Metric of each model and fold, averaged over seeds; missing values are left out.

    Parameters
    ----------
    table : DataFrame
        Columns model, metric, fold, value.

    Returns
    -------
    DataFrame
        Rows (model, metric) in the order of the table, one column per fold.
    """
    means = table.groupby(["model", "metric", "fold"], sort=False)["value"].mean().unstack("fold")
    order = table[["model", "metric"]].drop_duplicates()
    return means.reindex(pd.MultiIndex.from_frame(order))


def summary_table(
    table: pd.DataFrame, *, values: Values, resamples: Resamples, seconds: pd.Series
) -> pd.DataFrame:
    """One row for each model and metric.

    Parameters
    ----------
    table : DataFrame
    values : mapping of metric to model to arrays of the folds
        Risks, or parts of the Brier score, of the patients; for the metrics that can be resampled.
    resamples : Resamples
    seconds : Series
        Mean time of a fit for each model.

    Returns
    -------
    DataFrame
        Columns model, metric, mean (over folds), sd (over folds, n - 1), lower and upper (95 %
        bootstrap interval of the mean over folds, for the concordance indices and the Brier score),
        pooled (Harrell's index only), n_folds, n_missing (fits without a value), n_seeds, fit_seconds
        and reason (why values are missing).
    """
    rows = []
    means = fold_means(table)
    for model, metric in means.index.tolist():
        of_folds = means.loc[(model, metric)]
        of_metric = table[(table["model"] == model) & (table["metric"] == metric)]
        there = of_folds.dropna()
        lower, upper, pooled = float("nan"), float("nan"), float("nan")
        if metric in values:
            drawn = resamples.fold_values(metric, values[metric][model])
            lower, upper = percentile_interval(mean_over_folds(drawn))
        if metric == "c_index":
            pooled = resamples.pooled(values["c_index"][model])
        reasons = dict.fromkeys(of_metric.loc[of_metric["reason"] != "", "reason"])
        rows.append(
            {
                "model": model,
                "metric": metric,
                "mean": there.mean() if len(there) else float("nan"),
                "sd": there.std(ddof=1) if len(there) > 1 else float("nan"),
                "lower": lower,
                "upper": upper,
                "pooled": pooled,
                "n_folds": len(there),
                "n_missing": int(of_metric["value"].isna().sum()),
                "n_seeds": of_metric["seed"].nunique(),
                "fit_seconds": seconds[model],
                "reason": "; ".join(reasons),
            }
        )
    return pd.DataFrame(rows)


def paired_table(
    table: pd.DataFrame, *, reference: str, values: Values, resamples: Resamples
) -> pd.DataFrame:
    """Differences of every model to a reference on the same folds.

    Parameters
    ----------
    table : DataFrame
    reference : str
    values : mapping of metric to model to arrays of the folds
        Risks, or parts of the Brier score, of the patients; for the metrics that can be resampled.
    resamples : Resamples

    Returns
    -------
    DataFrame
        Columns model, reference, metric, difference (mean over folds of model minus reference), sd
        (n - 1), lower and upper (95 % paired bootstrap interval: both models on the same resampled
        patients), share_above (part of the resamples with a difference above 0), n_folds (with both
        values) and n_folds_above. Bootstrap columns are NaN for metrics other than the concordance
        indices and the Brier score.
    """
    means = fold_means(table)
    rows = []
    for model, metric in means.index.tolist():
        of_folds = means.loc[(model, metric)]
        if model == reference:
            continue
        difference = (of_folds - means.loc[(reference, metric)]).dropna()
        drawn = np.empty(0)
        if metric in values:
            both = [resamples.fold_values(metric, values[metric][name]) for name in (model, reference)]
            drawn = mean_over_folds(both[0] - both[1])
            drawn = drawn[np.isfinite(drawn)]
        lower, upper = percentile_interval(drawn)
        rows.append(
            {
                "model": model,
                "reference": reference,
                "metric": metric,
                "difference": difference.mean() if len(difference) else float("nan"),
                "sd": difference.std(ddof=1) if len(difference) > 1 else float("nan"),
                "lower": lower,
                "upper": upper,
                "share_above": float((drawn > 0).mean()) if len(drawn) else float("nan"),
                "n_folds": len(difference),
                "n_folds_above": int((difference > 0).sum()),
            }
        )
    return pd.DataFrame(rows)
