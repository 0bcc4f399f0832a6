"""Risks of a trained model in single precision against the equations in double precision."""

import numpy as np
import pytest
import torch
from naive_network import NaiveNetwork, as_naive_patients

from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.estimators.inputs import read_patients

SMALL = {
    "recipe": "paper",
    "n_prototypes": 4,
    "prototype_dim": 8,
    "token_dim": 8,
    "n_heads": 2,
    "max_epochs": 2,
    "mass_ramp_epochs": 4,  # prediction uses a mass below one
    "batch_size": 10,
    "lr": 1e-2,
    "device": "cpu",
}


@pytest.mark.parametrize("seed", [0, 1])
@torch.no_grad()
def test_risks_of_a_trained_model_are_those_of_the_equations(seed):
    cohort = make_cohort(
        30, random_state=seed, n_pathways=3, genes_per_pathway=4, n_instances=(1, 12), n_features=5,
        missing_slides=0.1, missing_expression=0.1,
    )  # fmt: skip
    with torch.enable_grad():
        model = TTASurvivalEstimator(**SMALL, pathways=cohort.pathways, random_state=seed)
        model.fit(cohort.X, cohort.y)
    naive = NaiveNetwork(model.net_.module_, model._schema.pathways)
    naive.p = {name: value.double() for name, value in naive.p.items()}
    patients = as_naive_patients(read_patients(model._schema, cohort.X))
    exact = [naive.log_risk(naive.refined(naive.together(naive.tokens(p))[0])).item() for p in patients]
    risk = model.predict(cohort.X)
    np.testing.assert_allclose(risk, exact, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(np.argsort(risk), np.argsort(exact))
    assert np.ptp(exact) > 0.01
