"""Small outcomes and cohorts for the tests of the comparison."""

import numpy as np
import pandas as pd
import pytest
from sksurv.util import Surv

from sksurv_tta.datasets import make_cohort


@pytest.fixture
def draw_outcome():
    """Outcomes with ties on purpose, and a risk that tells something about them."""

    def draw(n, seed, *, beyond=0.0):
        random = np.random.RandomState(seed)
        risk = random.normal(size=n)
        lifetime = random.exponential(np.exp(-risk)) * 10
        follow_up = random.uniform(2, 15, size=n) + beyond
        time = np.ceil(np.minimum(lifetime, follow_up) * 2) / 2
        return Surv.from_arrays(lifetime <= follow_up, time), np.round(risk, 1)

    return draw


@pytest.fixture(scope="module")
def genes_and_outcome():
    """90 patients of 9 sites, 8 genes of which two matter; a flat table without bags."""
    random = np.random.RandomState(3)
    X = pd.DataFrame(random.normal(size=(90, 8)), columns=[f"G{i}" for i in range(8)])
    X.index = [f"P{i:03d}" for i in range(90)]
    log_hazard = (X["G0"] - 0.8 * X["G1"]).to_numpy()
    lifetime = random.exponential(np.exp(-log_hazard)) * 10
    follow_up = random.uniform(2, 30, size=90)
    y = Surv.from_arrays((lifetime <= follow_up), np.minimum(lifetime, follow_up))
    sites = np.array([f"S{i % 9}" for i in range(90)], dtype=object)
    return X, y, sites


@pytest.fixture(scope="module")
def cohort():
    """60 patients with bags and genes; a few lack one of the two."""
    return make_cohort(
        60,
        random_state=0,
        n_pathways=3,
        genes_per_pathway=4,
        n_instances=(3, 8),
        n_features=5,
        n_sites=6,
        missing_slides=0.1,
        missing_expression=0.1,
    )
