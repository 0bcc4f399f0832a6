"""Seconds and peak memory of one fit and one prediction of every model, each in a process of its own.

Needs the data folder that ``examples/real_cohorts.py`` describes; the first published fold is tested:

    python benchmarks/bench_models.py --data DATA --cohort stad [--models tta,abmil,rsf]

Memory is what the process needs above the data, the libraries and one fit of a tiny cohort.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from bench_accuracy import read
from bench_memory import forget_peak, resident
from common import report

from sksurv_tta.cli.values import known_models
from sksurv_tta.evaluation import concordance_index, get_model
from sksurv_tta.evaluation.fitting import site_parameters
from sksurv_tta.exceptions import SksurvTTAWarning


def fit(model, X, y, site):
    """Fit with the sites where the model takes them, as ``evaluate`` does."""
    return model.fit(X, y, **site_parameters(model, site))


def measure(name, options):
    """Print what one model needs."""
    torch.set_num_threads(options.threads)
    found, folds, pathways = read(options.data, options.cohort)
    train, test = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    site = np.asarray(found.site)
    few = np.concatenate([np.flatnonzero(found.y["event"])[:8], np.flatnonzero(~found.y["event"])[:8]])
    fit(get_model(name, pathways=pathways), found.X.iloc[few], found.y[few], site[few])
    base = forget_peak()
    start = time.perf_counter()
    model = fit(get_model(name, pathways=pathways), found.X.iloc[train], found.y[train], site[train])
    fitted = time.perf_counter()
    risk = model.predict(found.X.iloc[test])
    row = {
        "seconds of fit": fitted - start,
        "seconds of predict": time.perf_counter() - fitted,
        "peak MiB": (resident("VmHWM") - base) / 2**20,
        "c_index": concordance_index(found.y[test], risk).value,
    }
    print(json.dumps(row))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cohort", default="stad")
    parser.add_argument("--models", type=lambda text: text.split(","), default=known_models())
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SksurvTTAWarning)
            return measure(options.case, options)
    rows = []
    for name in options.models:
        command = [sys.executable, "-W", "ignore", *sys.argv, "--case", name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        rows.append({"model": name} | json.loads(output.splitlines()[-1]))
    return report("models", {"cohort": options.cohort, "threads": options.threads}, rows, options.json)


if __name__ == "__main__":
    main()
