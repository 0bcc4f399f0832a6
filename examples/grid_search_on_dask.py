"""A grid search over folds and settings, spread over the worker processes of a dask cluster.

Each fold of each setting is a fit of its own, and what a task ships are the names of files, not features:
any number of machines that see the same files can take part. Needs ``pip install distributed``.

    python examples/grid_search_on_dask.py                       # two worker processes on this machine
    python examples/grid_search_on_dask.py --scheduler tcp://HOST:8786     # a cluster that is running

With a cluster on Slurm, only the first lines of ``main`` change (``pip install dask-jobqueue``):

    cluster = SLURMCluster(cores=8, memory="32GB", job_extra_directives=["--gres=gpu:1"])
    cluster.scale(jobs=4)
"""

import argparse
import pickle  # noqa: TID251 - measures what a task ships
import tempfile
import time
from pathlib import Path

import joblib
import pandas as pd
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

from sksurv_tta import SitePreservedKFold, TTASurvivalEstimator
from sksurv_tta.bags import open_store, write_store
from sksurv_tta.datasets import make_cohort

GRID = {"contrastive_weight": [0.1, 0.5], "n_prototypes": [8, 16]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scheduler", help="address of a running scheduler; else two local workers")
    parser.add_argument("--patients", type=int, default=80)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    cohort = make_cohort(options.patients, random_state=0)
    with tempfile.TemporaryDirectory() as name:
        # One file for all bags; each worker process opens it for itself, and the pages are shared.
        write_store(Path(name, "store"), cohort.ids, cohort.X["wsi"])
        X = cohort.X.assign(wsi=open_store(Path(name, "store"))[1])
        model = TTASurvivalEstimator(
            recipe="paper",
            pathways=cohort.pathways,
            token_dim=64,
            prototype_dim=64,
            max_epochs=options.epochs,
            random_state=0,
        )
        search = GridSearchCV(model, GRID, cv=SitePreservedKFold(3), n_jobs=-1)
        address = options.scheduler or LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        with Client(address), joblib.parallel_config(backend="dask"):
            start = time.perf_counter()
            search.fit(X, cohort.y, groups=cohort.site)
            seconds = time.perf_counter() - start
    n_fits = len(search.cv_results_["params"]) * search.n_splits_
    print(f"{n_fits} fits on the workers and one here in {seconds:.0f} s")
    print(
        f"the bags of {len(X)} patients are {len(pickle.dumps(X['wsi'], protocol=5)) / 1000:.0f} kB in a task"
    )
    table = pd.DataFrame(search.cv_results_)[["params", "mean_test_score", "std_test_score"]]
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
