"""What the benchmarks share: options, the machine, cohorts of a given size, tables and JSON."""

import argparse
import json
import os
import platform
import statistics
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sksurv.util import Surv

from sksurv_tta import BagArray, TTASurvivalEstimator

DISTINCT_BAGS = 32  # more patients than that share their bags, to save memory and time


def parser_of(doc, **numbers):
    """Parser of a script with this docstring: whole numbers by name and default, and ``--json``."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    for name, default in numbers.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=default, help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser


def machine():
    """Describe where the figures come from."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            model = next(
                (line.split(":")[1].strip() for line in file if line.startswith("model name")), model
            )
    return {
        "date": date.today().isoformat(),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "cuda": torch.cuda.is_available(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def make_patients(n_patients, n_instances, n_features, *, n_genes=500, n_pathways=50, ragged=False):
    """X, y and pathways of random patients with float16 bags in memory."""
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((n_instances, n_features), dtype=np.float32)
    distinct = []
    for _ in range(min(n_patients, DISTINCT_BAGS)):
        size = int(rng.integers(n_instances // 2, n_instances + 1)) if ragged else n_instances
        # Rolled and shifted copies of one draw: numbers cost a minute, what they are costs nothing.
        rolled = np.roll(pool, int(rng.integers(n_instances)), axis=0)[:size]
        shift = rng.normal(scale=0.3, size=n_features).astype(np.float32)
        distinct.append((rolled + shift).astype(np.float16))
    bags = [distinct[number % len(distinct)] for number in range(n_patients)]
    genes = [f"G{number}" for number in range(n_genes)]
    X = pd.DataFrame(rng.normal(size=(n_patients, n_genes)), columns=genes)
    X.insert(0, "histology", BagArray.from_arrays(bags))
    y = Surv.from_arrays(np.arange(n_patients) % 2 == 0, rng.exponential(size=n_patients) + 0.01)
    size = n_genes // n_pathways
    pathways = {f"P{p}": genes[p * size : (p + 1) * size] for p in range(n_pathways)}
    return X, y, pathways


def estimator(pathways, **options):
    """Return the estimator with the network of the paper."""
    return TTASurvivalEstimator(**{"recipe": "paper", "pathways": pathways, "random_state": 0} | options)


def median_seconds(call, repeats):
    """Median of some calls after a first one that does not count."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def report(name, settings, rows, path=None):
    """Print a table and one line of JSON, and write the latter to a file if asked for."""
    table = pd.DataFrame(rows)
    print(f"{name}: {settings}")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}", na_rep="-"))
    record = {"benchmark": name, "machine": machine(), "settings": settings, "rows": rows}
    text = json.dumps(record, default=str)
    print(text)
    if path is not None:
        path.write_text(text + "\n")
