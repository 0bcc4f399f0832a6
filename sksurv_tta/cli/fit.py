"""``fit``: train the network on all patients and save it."""

from __future__ import annotations

import argparse

from sksurv_tta.cli.data import check_writable, read_data, read_pathways
from sksurv_tta.cli.messages import say
from sksurv_tta.cli.values import UsageError, check_settings
from sksurv_tta.estimators import TTASurvivalEstimator

__all__ = ["run_fit"]


def run_fit(options: argparse.Namespace) -> None:
    """Fit the network and save it.

    Parameters
    ----------
    options : Namespace
    """
    settings = check_settings(options.settings)
    if options.out.is_dir():
        raise UsageError(f"--out {options.out} is a folder; give the name of a file for the model.")
    check_writable(options.out.parent)
    cohort = read_data(options)
    estimator = TTASurvivalEstimator(
        pathways=read_pathways(options.pathways, cohort),
        random_state=options.random_state,
        verbose=int(options.verbose),
        **settings,
    )
    estimator.fit(cohort.X, cohort.y, sites=cohort.site)
    estimator.save(options.out)
    say(f"Model: {options.out} ({estimator.n_iter_} epochs, {len(cohort)} patients)")
