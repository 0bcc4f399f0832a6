"""A small cohort with gaps, and models trained on it once for all properties."""

import pytest

from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import TTASurvivalEstimator

SMALL = {
    "n_prototypes": 4,
    "prototype_dim": 8,
    "recipe": "paper",
    "token_dim": 8,
    "n_heads": 2,
    "max_epochs": 2,
    "mass_ramp_epochs": 4,  # prediction uses a mass below one
    "batch_size": 12,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(scope="session")
def cohort():
    """25 patients, of whom 3 lack a slide and 3 expression."""
    return make_cohort(
        25,
        random_state=1,
        n_pathways=3,
        genes_per_pathway=4,
        n_instances=(1, 12),
        n_features=5,
        n_sites=5,
        missing_slides=0.12,
        missing_expression=0.12,
    )


@pytest.fixture(scope="session")
def small(cohort):
    """Return a function that makes an unfitted small estimator, given what differs."""

    def make(**changes):
        return TTASurvivalEstimator(**{**SMALL, "pathways": cohort.pathways, **changes})

    return make


@pytest.fixture(scope="session")
def fitted(small, cohort):
    return small().fit(cohort.X, cohort.y)


@pytest.fixture(scope="session")
def models(small, fitted, cohort):
    """Fitted models by name: the default way, and others whose sums are formed differently."""
    changes = {
        "discrete": {"loss": "discrete"},
        "softmax": {"assignment": "softmax"},
        "kmeans": {"assignment": "kmeans"},
        "own plans": {"joint_transport": False},
        "balanced": {"assignment": "balanced"},
    }
    return {"default": fitted} | {
        name: small(**change).fit(cohort.X, cohort.y) for name, change in changes.items()
    }
