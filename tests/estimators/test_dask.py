"""A grid search spread over the processes of a dask cluster, against the same search in this process."""

import os

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold

from sksurv_tta import BagArray

GRID = {"contrastive_weight": [0.1, 0.5], "max_epochs": [1, 2]}

pytestmark = [
    pytest.mark.slow,
    # Of dask itself, while its processes come and go.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    distributed = pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("dask")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=folder
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture
def table(cohort, tmp_path):
    """The cohort with its bags in files: what a task ships are their names."""
    paths = []
    for number, bag in enumerate(cohort.X["wsi"]):
        paths.append(None if bag is None else tmp_path / f"{number}.npy")
        if bag is not None:
            np.save(paths[-1], bag.read())
    return cohort.X.assign(wsi=BagArray.from_files(paths))


def search(small, table, cohort, **options):
    def score(estimator, X, y):  # local, so that it travels by value
        return {"c_index": estimator.score(X, y), "process": os.getpid()}

    folds = KFold(3, shuffle=True, random_state=0)
    grid = GridSearchCV(
        small(), GRID, scoring=score, refit="c_index", cv=folds, error_score="raise", **options
    )
    return grid.fit(table, cohort.y)


def column(search, name):
    return np.array([search.cv_results_[f"split{fold}_test_{name}"] for fold in range(3)])


def test_a_grid_search_on_dask_workers_gives_the_bits_of_a_local_one(client, small, table, cohort):
    local = search(small, table, cohort)
    with joblib.parallel_config(backend="dask"):
        spread = search(small, table, cohort, n_jobs=2)
    workers = set(client.run(os.getpid).values())
    assert set(column(spread, "process").astype(int).flat) <= workers
    assert os.getpid() not in workers
    assert len(workers) == 2
    np.testing.assert_array_equal(column(spread, "c_index"), column(local, "c_index"))
    assert spread.best_params_ == local.best_params_
    assert spread.predict(table).tobytes() == local.predict(table).tobytes()
