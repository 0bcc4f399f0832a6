"""Models side by side on the same folds, honestly."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from tqdm import tqdm

from sksurv_tta.evaluation.baselines import get_model
from sksurv_tta.evaluation.cache import data_digest, fit_digest, model_digest
from sksurv_tta.evaluation.comparison import Comparison
from sksurv_tta.evaluation.fitting import random_state_parameters
from sksurv_tta.evaluation.folds import Split, check_disjoint, fold_table, resolve_folds
from sksurv_tta.evaluation.outcomes import outcome_fields
from sksurv_tta.evaluation.records import explanation_tables, rows_of
from sksurv_tta.evaluation.scoring import brier_of_record, check_metrics, metrics_of_record, prediction_times
from sksurv_tta.evaluation.tasks import AS_GIVEN, QUANTILES, Task, run_task
from sksurv_tta.exceptions import CohortError, FoldError

__all__ = ["compare"]


def compare(
    models: Mapping[str, Any] | Sequence[str],
    X: Any,
    y: NDArray,
    *,
    groups: ArrayLike | None = None,
    cv: Any = None,
    metrics: Sequence[str] | None = None,
    times: Sequence[float] | None = None,
    seeds: int | Sequence[int] | None = None,
    ids: ArrayLike | None = None,
    pathways: Any = None,
    clinical: Sequence[str] | None = None,
    n_resamples: int = 1000,
    n_jobs: int | None = None,
    random_state: int | None = None,
    cache_dir: str | os.PathLike | None = None,
    error_score: str = "raise",
    optimistic: bool = False,
    verbose: int = 0,
) -> Comparison:
    """Fit every model on the training rows of every fold and measure it on the test rows.

    Nothing of the test fold is seen before the last prediction: models are cloned and fitted on training
    rows only, with their sites where they take them; thresholds for risk groups are quantiles of the risks
    of the training rows; the times of the Brier score and the AUC come from the training events.

    Parameters
    ----------
    models : mapping of name to estimator, or sequence of names
        Estimators with scikit-survival's ``fit(X, y)`` and ``predict``; names as in
        :func:`available_models`, also as values of the mapping.
    X : DataFrame or array of shape (n_patients, n_columns)
    y : structured array of shape (n_patients,)
        Event indicator and time.
    groups : array-like of shape (n_patients,), optional
        Sites. No site may be in training and test of one fold. Handed to models whose ``fit`` takes
        ``sites``, and to searches as ``groups``.
    cv : int, splitter or iterable of (train, test), optional
        Default 5: site-preserved folds with ``groups``, else shuffled folds with equal shares of events.
    metrics : sequence of str, optional
        Of ``c_index``, ``c_index_uno``, ``auc_mean``, ``brier_integrated`` and, with ``times``,
        ``auc_at`` and ``calibration``. Default: all that can be asked for.
    times : sequence of float, optional
        Times, in the unit of ``y``, at which AUC and calibration are wanted.
    seeds : int or sequence of int, optional
        Each model with a random state is fitted once with each seed, or with that many seeds drawn from
        ``random_state``. Values are averaged over seeds before folds are summed up.
        Default: one fit; random states that are not set take ``random_state``.
    ids : array-like of shape (n_patients,), optional
        Patients. Default: the index of ``X``, or numbers. No patient may be in training and test.
    pathways, clinical
        For models given by name, see :func:`get_model`.
    n_resamples : int
        Bootstrap resamples.
    n_jobs : int, optional
        Fits at the same time, by joblib; ``joblib.parallel_config`` chooses where.
    random_state : int, optional
        Folds made here, seeds, bootstrap and noise floor.
    cache_dir : path, optional
        Finished fits are kept here as JSON; a fit whose parameters, data, fold, seed and library versions
        are unchanged is not run again. Holds no patient data but risks.
    error_score : {"raise", "record"}
        What happens when a model fails: the error (with a note of model, fold and seed), or missing
        metrics with the error as the reason.
    optimistic : bool
        Also find Harrell's index at the best epoch on the test fold, which most published figures of this
        field are. It is kept apart, as the column ``optimistic`` of ``fits`` and ``summary``, and has no
        influence on anything else. Of an ensemble it is that of its networks, without the linear path.
    verbose : int
        1 shows a progress bar.

    Returns
    -------
    Comparison

    Raises
    ------
    FoldError
        If rows, patients or sites are shared between training and test.
    OutcomeError
        If ``y`` cannot be used.
    CohortError
        If lengths differ.
    ValueError
        If a parameter or model name is unknown.
    """
    if error_score not in ("raise", "record"):
        raise ValueError(f'error_score must be "raise" or "record", got {error_score!r}')
    chosen_times = [] if times is None else [float(t) for t in np.atleast_1d(times)]
    names = check_metrics(metrics, chosen_times)
    ids, sites = _labels(X, y, ids, groups)
    estimators = _resolve_models(models, pathways=pathways, clinical=clinical)
    splits = resolve_folds(cv, X, y=y, sites=sites, random_state=random_state)
    check_disjoint(splits, ids=ids, sites=sites)

    fold_times = [prediction_times(y[train], chosen_times) for train, _ in splits]
    tasks = _make_tasks(estimators, splits, _seed_list(seeds, random_state), random_state, optimistic)
    if cache_dir is not None:
        tasks = _with_digests(tasks, data_digest(X, y, sites), fold_times)
    settings = {
        "y": y,
        "sites": sites,
        "times": fold_times,
        "cache_dir": None if cache_dir is None else os.fspath(cache_dir),
        "error_score": error_score,
    }
    run = joblib.delayed(run_task)
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
        run(task, X, **settings) for task in tasks
    )
    records = list(tqdm(results, total=len(tasks), desc="fits", disable=not verbose))

    return Comparison(
        table=_metric_table(records, splits, y, names, chosen_times),
        predictions=_prediction_table(records, splits, y, ids, sites, chosen_times),
        folds=fold_table(splits, y=y, sites=sites),
        fits=_fit_table(records),
        histories=rows_of(records, "history"),
        explanations=explanation_tables(records),
        splits=splits,
        y=y,
        n_resamples=n_resamples,
        random_state=int(check_random_state(random_state).randint(2**31 - 1)),
    )


def _labels(
    X: Any, y: NDArray, ids: ArrayLike | None, groups: ArrayLike | None
) -> tuple[NDArray, NDArray | None]:
    outcome_fields(y)
    if ids is None:
        ids = X.index if isinstance(X, pd.DataFrame) else np.arange(len(y))
    labels = {"X": X, "ids": ids, **({} if groups is None else {"groups": groups})}
    wrong = [f"{name} has {len(v)} rows, y has {len(y)}" for name, v in labels.items() if len(v) != len(y)]
    if wrong:
        raise CohortError(wrong)
    if groups is None:
        return np.asarray(ids), None
    sites = np.asarray(groups)
    absent = pd.isna(sites)
    if absent.any():
        raise FoldError(
            f"{absent.sum()} of {len(sites)} patients have no site; first row: {np.argmax(absent)}"
        )
    return np.asarray(ids), sites


def _resolve_models(models: Any, *, pathways: Any, clinical: Sequence[str] | None) -> dict[str, Any]:
    if isinstance(models, str):
        models = [models]
    if not isinstance(models, Mapping):
        models = {name: name for name in models}
    if not models:
        raise ValueError("there is no model to compare")
    return {
        str(name): get_model(model, pathways=pathways, clinical=clinical) if isinstance(model, str) else model
        for name, model in models.items()
    }


def _seed_list(seeds: int | Sequence[int] | None, random_state: int | None) -> list[int] | None:
    if seeds is None:
        return None
    if isinstance(seeds, Iterable):
        return [int(seed) for seed in seeds]
    return [int(seed) for seed in check_random_state(random_state).randint(2**31 - 1, size=seeds)]


def _make_tasks(
    estimators: Mapping[str, Any],
    splits: Sequence[Split],
    seeds: list[int] | None,
    random_state: int | None,
    optimistic: bool,
) -> list[Task]:
    tasks = []
    for name, estimator in estimators.items():
        for seed, seeded in _seeded(estimator, seeds, random_state):
            tasks += [
                Task(name, seeded, seed, fold, *split, optimistic=optimistic)
                for fold, split in enumerate(splits)
            ]
    return tasks


def _seeded(estimator: Any, seeds: list[int] | None, random_state: int | None) -> list[tuple[int, Any]]:
    """Copies of an estimator with their random states set, and the seed of each."""
    names = random_state_parameters(estimator, only_unset=seeds is None)
    if seeds is None and random_state is not None:
        seeds = [random_state]
    if not names or seeds is None:
        return [(AS_GIVEN, estimator)]
    return [(seed, clone(estimator).set_params(**dict.fromkeys(names, seed))) for seed in seeds]


def _with_digests(tasks: Sequence[Task], data: str, fold_times: Sequence[NDArray]) -> list[Task]:
    known: dict[int, str] = {}
    named = []
    for task in tasks:
        model = known.get(id(task.estimator)) or model_digest(task.estimator)
        known[id(task.estimator)] = model  # the folds of a model share its estimator
        settings = {"train": task.train, "test": task.test, "seed": task.seed, "times": fold_times[task.fold]}
        digest = fit_digest(model, data, **settings, **({"optimistic": True} if task.optimistic else {}))
        named.append(replace(task, digest=digest))
    return named


def _metric_table(
    records: Sequence[dict], splits: Sequence[Split], y: NDArray, names: Sequence[str], times: Sequence[float]
) -> pd.DataFrame:
    rows = []
    for record in records:
        train, test = splits[record["fold"]]
        values = metrics_of_record(record, y_train=y[train], y_test=y[test], metrics=names, times=times)
        for metric, value in values.items():
            lower, upper = value.time_range or (float("nan"), float("nan"))
            rows.append(
                {
                    **{key: record[key] for key in ("model", "fold", "seed")},
                    "metric": metric,
                    "value": value.value,
                    "reason": value.reason,
                    "time_lower": lower,
                    "time_upper": upper,
                    "n_patients": value.n_patients,
                    "n_events": value.n_events,
                    "n_pairs": value.n_pairs,
                }
            )
    return pd.DataFrame(rows)


def _prediction_table(
    records: Sequence[dict],
    splits: Sequence[Split],
    y: NDArray,
    ids: NDArray,
    sites: NDArray | None,
    times: Sequence[float],
) -> pd.DataFrame:
    event, time = outcome_fields(y)
    parts = []
    for record in records:
        if record["risk"] is None:
            continue
        train, test = splits[record["fold"]]
        part = {
            "id": ids[test],
            **{key: record[key] for key in ("model", "seed", "fold")},
            "site": "" if sites is None else sites[test],
            "event": event[test],
            "time": time[test],
            "risk": np.asarray(record["risk"], dtype=float),
            "brier": brier_of_record(record, y_train=y[train], y_test=y[test]),
        }
        for name in QUANTILES:
            part["threshold" if name == "median" else f"threshold_{name}"] = record["thresholds"][name]
        if times and record["survival"] is not None:
            kept = np.asarray(record["survival"], dtype=float)[:, -len(times) :]
            part.update({f"survival@{t:g}": column for t, column in zip(times, kept.T, strict=True)})
        parts.append(pd.DataFrame(part))
    columns = ["id", "model", "seed", "fold", "site", "event", "time", "risk", "brier", "threshold"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _fit_table(records: Sequence[dict]) -> pd.DataFrame:
    keys = ("model", "seed", "fold", "fit_seconds", "predict_seconds", "from_cache")
    rows = [
        {
            **{key: record[key] for key in keys},
            "optimistic": record.get("optimistic"),
            "chosen": ", ".join(f"{name}={value}" for name, value in record["chosen"].items()),
            "error": record["error"],
        }
        for record in records
    ]
    table = pd.DataFrame(rows)
    return table.astype({"fit_seconds": float, "predict_seconds": float, "optimistic": float})
