"""A small cohort and a small network, for tests of the estimators' face."""

import numpy as np
import pytest
import torch

from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import TTASurvivalEstimator

SMALL = {
    "recipe": "paper",
    "n_prototypes": 4,
    "prototype_dim": 8,
    "token_dim": 8,
    "n_heads": 2,
    "max_epochs": 2,
    "mass_ramp_epochs": 1,
    "batch_size": 12,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(scope="session")
def cohort():
    """23 patients of 4 sites with both modalities; times are tied, so that there are fewer than patients."""
    made = make_cohort(
        23, random_state=3, n_pathways=3, genes_per_pathway=4, n_instances=(2, 9), n_features=5, n_sites=4
    )
    made.y["time"] = np.ceil(made.y["time"] / np.quantile(made.y["time"], 0.9) * 8)
    return made


@pytest.fixture
def small(cohort):
    """Return a function that makes an unfitted small estimator, given what differs."""

    def make(**changes):
        return TTASurvivalEstimator(**{**SMALL, "pathways": cohort.pathways, **changes})

    return make


@pytest.fixture(scope="session")
def fitted(cohort):
    """Fitted once for all tests that only look at it."""
    return TTASurvivalEstimator(**SMALL, pathways=cohort.pathways).fit(cohort.X, cohort.y)


@pytest.fixture
def weights_of():
    """Return a function that gives all tensors of a fitted estimator by name, as bytes."""

    def bytes_of(estimator):
        state = estimator.net_.module_.state_dict()
        return {name: value.detach().cpu().contiguous().numpy().tobytes() for name, value in state.items()}

    return bytes_of


@pytest.fixture
def flat():
    """Numbers without names: 40 patients, 6 columns, of which the first decides."""
    random = np.random.RandomState(0)
    X = random.normal(size=(40, 6))
    y = np.empty(40, dtype=[("event", bool), ("time", float)])
    y["time"] = np.ceil(random.exponential(np.exp(-X[:, 0])) * 20)
    y["event"] = random.uniform(size=40) < 0.6
    return X, y


@pytest.fixture
def caller_state():
    """Return a function that gives the state of every generator and of torch's threads of this process."""

    def states():
        import random

        kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - the caller's generator is the subject
        return (
            random.getstate(),
            (kind, keys.tobytes(), *rest),
            torch.random.get_rng_state().numpy().tobytes(),
            torch.get_num_threads(),
        )

    return states
