"""``demo``: a simulated cohort in real file formats, and the evaluation of models on it."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, cast

import pandas as pd

from sksurv_tta.cli.messages import say
from sksurv_tta.datasets import WrittenCohort, make_cohort, write_cohort
from sksurv_tta.evaluation import concordance_index

__all__ = ["run_demo"]

#: What is simulated: each modality alone knows more than both know in common.
SIMULATION: dict[str, Any] = {"shared_signal": 0.6, "histology_signal": 1.4, "gene_signal": 1.4}
MODELS = "tta,tta-genes,tta-bags,ridge-both"
N_FOLDS = 3


def run_demo(options: argparse.Namespace) -> None:
    """Simulate a cohort, write it to files, and evaluate models on the files.

    Parameters
    ----------
    options : Namespace
    """
    from sksurv_tta.cli.parser import build_parser  # the parser knows the commands, one of which this is

    cohort = make_cohort(options.patients, random_state=options.random_state, **SIMULATION)
    written = write_cohort(cohort, options.out / "data")
    say(f"Simulated cohort: {options.out / 'data'}")
    arguments = _evaluation(options, written)
    say(f"sksurv-tta {shlex.join(arguments)}\n")
    evaluation = build_parser().parse_args(arguments)
    evaluation.typed = arguments
    evaluation.run(evaluation)
    truth = cast(pd.DataFrame, cohort.truth)["log_hazard"].to_numpy()
    best = concordance_index(cohort.y, truth).value
    say(f"The simulated truth itself, which no model can know, has a concordance of {best:.3f}.")


def _evaluation(options: argparse.Namespace, written: WrittenCohort) -> list[str]:
    """Arguments of the command that evaluates the models."""
    settings = [f"{name}={value}" for name, value in options.settings]
    return [
        "evaluate",
        *("--bags", str(written.bags)),
        *("--expression", str(written.expression)),
        *("--outcomes", str(written.outcomes)),
        *("--pathways", str(written.pathways)),
        *("--time", "time", "--event", "event", "--site", "site"),
        *("--models", MODELS),
        *(part for setting in settings for part in ("--set", setting)),
        *("--n-folds", str(N_FOLDS), "--n-jobs", str(options.n_jobs)),
        *("--random-state", str(options.random_state)),
        *("--out", str(options.out / "results")),
        *(["--quiet"] if options.quiet else []),
    ]
