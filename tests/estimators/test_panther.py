import numpy as np
import torch

from sksurv_tta.bags import BagArray
from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import PANTHERSurvivalEstimator
from sksurv_tta.estimators.panther import PANTHERNetwork
from sksurv_tta.training.prototypes import fit_prototypes


def test_number_of_parameters_is_that_of_one_layer():
    assert sum(p.numel() for p in PANTHERNetwork(1024).parameters()) == 16 + 2 * 16 * 1024


def test_prototypes_come_from_the_training_part_only(monkeypatch):
    cohort = make_cohort(24, random_state=0, n_instances=(3, 6), n_features=4, n_sites=6)
    seen = []

    def spy(patients, *arguments, **options):
        seen.append(len(patients))
        return fit_prototypes(patients, *arguments, **options)

    monkeypatch.setattr("sksurv_tta.estimators.panther.fit_prototypes", spy)
    model = PANTHERSurvivalEstimator(
        n_prototypes=3, max_epochs=1, validation_fraction=0.25, random_state=0, device="cpu"
    )
    model.fit(cohort.X, cohort.y, sites=cohort.site)
    assert seen[0] < 24
    model.set_params(warm_start=True).fit(cohort.X, cohort.y, sites=cohort.site)
    assert len(seen) == 1  # a training that goes on keeps its prototypes


def test_nothing_is_learned_from_bags_at_prediction():
    cohort = make_cohort(16, random_state=0, n_instances=(3, 6), n_features=4)
    model = PANTHERSurvivalEstimator(n_prototypes=3, max_epochs=1, random_state=0, device="cpu")
    model.fit(cohort.X, cohort.y)
    before = model.net_.module_.prototypes.clone()
    shifted = BagArray.from_arrays([bag.features + 3 for bag in cohort.X["wsi"].array])
    assert (model.predict(cohort.X.assign(wsi=shifted)) != model.predict(cohort.X)).all()
    assert torch.equal(model.net_.module_.prototypes, before)
    assert np.isfinite(before.numpy()).all()
