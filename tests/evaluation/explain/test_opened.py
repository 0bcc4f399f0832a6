from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.evaluation import RidgeCox
from sksurv_tta.evaluation.explain.opened import open_model
from sksurv_tta.evaluation.one_modality import OneModality
from sksurv_tta.exceptions import CohortError
from sksurv_tta.training.predict import predict_patients


def test_risks_are_those_of_predict(fitted, discrete, patients):
    for estimator in (fitted, discrete):
        model = open_model(estimator, patients.X)
        np.testing.assert_array_equal(model.risk_of(model.patients), estimator.predict(patients.X))
        some = model.patients.subset(np.array([4, 2]))
        np.testing.assert_array_equal(model.risk_of(some), estimator.predict(patients.X.iloc[[4, 2]]))


def test_names_come_from_the_columns(fitted, patients):
    model = open_model(fitted, patients.X)
    assert model.modalities == ("wsi", "genes")
    assert model.pathways == tuple(patients.pathways)
    assert model.ids == tuple(patients.X.index)


def test_the_network_is_found_within_pipelines_and_searches(fitted, patients):
    halved = FunctionTransformer(lambda X: X.assign(**{name: X[name] / 2 for name in patients.genes}))
    pipeline = Pipeline([("halve", halved.fit(patients.X)), ("model", fitted)])
    model = open_model(SimpleNamespace(best_estimator_=pipeline), patients.X)
    np.testing.assert_array_equal(model.risk_of(model.patients), pipeline.predict(patients.X))


def test_a_model_of_one_modality_explains_the_patients_that_have_it(patients):
    network = TTASurvivalEstimator(
        token_dim=4, prototype_dim=4, n_prototypes=2, max_epochs=1, device="cpu", random_state=0
    )
    single = OneModality(network, "bags").fit(patients.X, patients.y)
    model = open_model(single, patients.X)
    have = patients.X["wsi"].notna()
    assert model.ids == tuple(patients.X.index[have])
    np.testing.assert_array_equal(model.risk_of(model.patients), single.predict(patients.X)[have])


def test_what_has_no_prototypes_is_refused(patients):
    with pytest.raises(TypeError, match="RidgeCox has no prototypes to explain"):
        open_model(RidgeCox(), patients.X)
    with pytest.raises(NotFittedError):
        open_model(TTASurvivalEstimator(), patients.X)


def test_a_member_that_does_not_exist_is_refused(fitted, patients):
    with pytest.raises(ValueError, match="member must be from 0 to 0, got 1"):
        open_model(fitted, patients.X, member=1)


def test_a_risk_that_is_not_finite_names_the_patient(fitted, patients):
    model = open_model(fitted, patients.X[:3])
    model.patients.profiles[1] = np.inf
    with pytest.raises(CohortError, match=str(patients.X.index[1])):
        model.risk_of(model.patients)


@pytest.fixture(scope="module")
def ensemble(fit):
    return fit(recipe="robust", n_members=3, max_epochs=2, batch_size=None, profile_rank=3)


def test_a_member_by_itself_makes_of_raw_instances_what_it_makes_within_the_ensemble(ensemble, patients):
    opened = [open_model(ensemble, patients.X, member=member) for member in range(3)]
    for member, model in enumerate(opened):
        with ensemble.net_.module_.only(member):
            expected = ensemble.net_.predict(model.patients)
        alone = predict_patients(model.network, model.prepared)
        np.testing.assert_allclose(alone, expected, rtol=1e-4, atol=1e-5)


def test_the_risk_is_that_of_the_whole_ensemble_and_the_fitted_network_stays_as_it_is(ensemble, patients):
    before = ensemble.predict(patients.X)
    model = open_model(ensemble, patients.X, member=2)
    np.testing.assert_array_equal(model.risk_of(model.patients), before)
    np.testing.assert_array_equal(ensemble.predict(patients.X), before)
    with pytest.raises(ValueError, match="member must be from 0 to 2, got 3"):
        open_model(ensemble, patients.X, member=3)
