"""A small cohort with gaps, and small fitted networks."""

import pytest

from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import TTASurvivalEstimator

SMALL = {
    "recipe": "paper",
    "n_prototypes": 4,
    "prototype_dim": 8,
    "token_dim": 8,
    "n_heads": 2,
    "max_epochs": 3,
    "mass_ramp_epochs": 4,
    "lr": 5e-3,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(scope="session")
def patients():
    """30 patients: three lack slides, three lack expression."""
    return make_cohort(
        30, random_state=1, n_pathways=3, genes_per_pathway=4, n_instances=(3, 9), n_features=5, n_sites=4,
        missing_slides=0.1, missing_expression=0.1,
    )  # fmt: skip


@pytest.fixture(scope="session")
def fit(patients):
    """Return a function that fits a small network, given what differs."""

    def make(X=None, **changes):
        X = patients.X if X is None else X
        estimator = TTASurvivalEstimator(**(SMALL | {"pathways": patients.pathways} | changes))
        return estimator.fit(X, patients.y)

    return make


@pytest.fixture(scope="session")
def fitted(fit):
    return fit()


@pytest.fixture(scope="session")
def discrete(fit):
    return fit(loss="discrete", n_time_bins=3)


@pytest.fixture(scope="session")
def rows(patients):
    """Places of a patient with both modalities, one without slides and one without expression."""
    no_slide = patients.X["wsi"].isna().to_numpy()
    no_genes = patients.X[patients.genes].isna().all(axis=1).to_numpy()
    both = ~no_slide & ~no_genes
    return {name: int(which.argmax()) for name, which in
            (("both", both), ("no_slide", no_slide), ("no_genes", no_genes))}  # fmt: skip
