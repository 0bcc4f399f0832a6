"""``predict``: risks of patients from a saved model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta.cli.data import as_fitted, check_writable, read_data
from sksurv_tta.cli.messages import say
from sksurv_tta.cli.values import UsageError
from sksurv_tta.estimators import load_model
from sksurv_tta.report import write_csv

__all__ = ["run_predict"]


def run_predict(options: argparse.Namespace) -> None:
    """Predict risks and survival probabilities.

    Parameters
    ----------
    options : Namespace
    """
    estimator = load_model(options.model)
    times = _check_times(options.times or [], estimator)
    if options.out.is_dir():
        raise UsageError(f"--out {options.out} is a folder; give the name of a CSV file.")
    check_writable(options.out.parent)
    cohort = read_data(options)
    X = as_fitted(cohort.X, estimator)
    table = pd.DataFrame({"id": cohort.ids, "risk": estimator.predict(X)})
    if times:
        functions = estimator.predict_survival_function(X)
        for time in times:
            table[f"survival@{time:g}"] = np.array([float(function(time)) for function in functions])
    write_csv(table, options.out)
    say(f"Predictions: {options.out} ({len(table)} patients)")


def _check_times(times: Sequence[float], estimator: Any) -> Sequence[float]:
    last = float(estimator.unique_times_[-1])
    beyond = [f"{time:g}" for time in times if time > last]
    if beyond:
        raise UsageError(f"--times {', '.join(beyond)}: the model saw follow-up from 0 to {last:g} only.")
    return times
