"""Peak memory above what is there with features and model loaded, each case in a process of its own.

    python benchmarks/bench_memory.py [--patients 32] [--instances 4096] [--features 1024]

Cases: one epoch of ``fit`` (one step), the same with ``low_memory``, either in bfloat16, the same step as one
graph with one backward pass ("plain"), and the prediction of one large bag. The base is taken after a fit and
a prediction of two tiny patients, so that it holds the libraries but none of the work.
"""

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from bench_step import plain_step, whole_batch
from common import estimator, make_patients, parser_of, report
from skorch.callbacks import Callback

from sksurv_tta.training import CoxCriterion, net

CASES = {
    "fit": {},
    "fit, low_memory": {"low_memory": True},
    "fit, bfloat16": {"precision": "bfloat16"},
    "fit, bfloat16, low_memory": {"precision": "bfloat16", "low_memory": True},
}


def resident(field):
    """Resident memory in bytes: VmRSS now, VmHWM the peak since :func:`forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def forget_peak():
    """Let the peak start from here, and return what is resident (Linux only)."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def measure(case, options):
    """Print the MiB that one case needs above its base."""
    torch.set_num_threads(options.threads)
    tiny, y, pathways = make_patients(2, 8, options.features)
    warm = estimator(pathways, max_epochs=1).fit(tiny, y)
    if case == "predict":
        X, _, _ = make_patients(1, options.large_bag, options.features)
        base = forget_peak()
        warm.predict(X)
    else:
        X, y, _ = make_patients(options.patients, options.instances, options.features)
        base = forget_peak()
        if case == "plain":
            run_plain(X, y, pathways, options)
        else:
            fit_once(X, y, pathways, options, CASES[case])
    print(json.dumps({"base_mib": base / 2**20, "above_base_mib": (resident("VmHWM") - base) / 2**20}))


def fit_once(X, y, pathways, options, changes):
    """One epoch of one step, without the prediction that ``fit`` ends with."""
    net.predict_patients = lambda network, data: np.linspace(0.0, 1.0, len(data))[:, None]
    sizes = {"batch_size": options.patients, "bag_size": options.instances}
    return estimator(pathways, max_epochs=1, **sizes, **changes).fit(X, y)


def run_plain(X, y, pathways, options):
    """The same step in one graph, at the place where training would begin."""
    sizes = {"batch_size": options.patients, "bag_size": options.instances}
    with contextlib.suppress(DoneError):
        estimator(pathways, max_epochs=1, callbacks=[PlainInstead()], **sizes).fit(X, y)


class DoneError(Exception):
    """Nothing is left to do."""


class PlainInstead(Callback):
    """One step in one graph, and no training."""

    def on_train_begin(self, net, X=None, **kwargs):
        plain_step(net.module_.train(), whole_batch(net, X), CoxCriterion())
        raise DoneError


def main():
    parser = parser_of(__doc__, patients=32, instances=4096, features=1024, large_bag=200_000, threads=2)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        return measure(options.case, options)
    rows = []
    for case in [*CASES, "plain", "predict"]:
        command = [sys.executable, "-W", "ignore", *sys.argv, "--case", case]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        rows.append({"case": case} | json.loads(output.splitlines()[-1]))
    settings = {key: value for key, value in vars(options).items() if key != "case"}
    return report("memory", settings, rows, options.json)


if __name__ == "__main__":
    main()
