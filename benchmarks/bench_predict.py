"""Prediction of an ensemble of small networks: its members side by side, and one after another, in one run.

    python benchmarks/bench_predict.py [--patients 120] [--instances 40] [--features 192] [--rounds 3]

Processor time of the network's prediction, without checking X; one thread, as all work so small.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from common import estimator, make_patients, report

from sksurv_tta.estimators.inputs import check_again, read_patients
from sksurv_tta.networks import EnsembleNetwork


def as_patients(fitted, X):
    """X as the network takes it."""
    return read_patients(fitted._schema, check_again(fitted, fitted._schema, X))


def time_prediction(fitted, patients, prepare):
    """Milliseconds of processor time for a patient, and the outputs."""
    usual, EnsembleNetwork.for_prediction = EnsembleNetwork.for_prediction, prepare
    try:
        start = time.process_time()
        outputs = fitted.net_.predict(patients)
        seconds = time.process_time() - start
    finally:
        EnsembleNetwork.for_prediction = usual
    return 1e3 * seconds / len(patients), outputs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=120)
    parser.add_argument("--instances", type=int, default=40)
    parser.add_argument("--features", type=int, default=192)
    parser.add_argument("--genes", type=int, default=700)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, y, pathways = make_patients(
        options.patients, options.instances, options.features, n_genes=options.genes, ragged=True
    )
    fitted = estimator(pathways, recipe="robust", max_epochs=1).fit(X, y)
    patients, rows = as_patients(fitted, X), []
    for _ in range(options.rounds):
        after, expected = time_prediction(fitted, patients, lambda network: network)
        beside, outputs = time_prediction(fitted, patients, EnsembleNetwork.for_prediction)
        rows.append({
            "one_after_another_ms": after, "side_by_side_ms": beside, "ratio": after / beside,
            "difference": float(np.abs(outputs - expected).max()),
        })  # fmt: skip
    report("predict", vars(options), rows, options.json)


if __name__ == "__main__":
    main()
