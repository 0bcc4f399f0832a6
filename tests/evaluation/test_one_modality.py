import numpy as np
import pytest
from sklearn.base import clone

from sksurv_tta.evaluation import ridge_cox
from sksurv_tta.evaluation.one_modality import OneModality
from sksurv_tta.exceptions import CohortError


@pytest.mark.parametrize("modality", ["genes", "bags"])
def test_patients_without_the_modality_take_no_part_and_get_the_average(cohort, modality):
    X, y = cohort.X, cohort.y
    columns = X.select_dtypes("number").columns if modality == "genes" else ["wsi"]
    there = X[columns].notna().any(axis=1).to_numpy(dtype=bool)
    assert 0 < (~there).sum() < 30
    model = OneModality(ridge_cox((modality,), alpha=1.0), modality).fit(X, y)
    reference = ridge_cox((modality,), alpha=1.0).fit(X.loc[there, columns], y[there])
    expected = reference.predict(X.loc[there, columns])
    risk = model.predict(X)
    np.testing.assert_array_equal(risk[there], expected)
    np.testing.assert_allclose(risk[~there], expected.mean())
    survival = model.predict_survival_function(X, return_array=True)
    assert survival.shape == (60, len(model.unique_times_))
    np.testing.assert_array_equal(survival[~there][0], model.marginal_survival_)
    last = model.unique_times_[-1]
    (curve, *_) = model.predict_survival_function(X[~there])
    assert curve(last) == model.marginal_survival_[-1]
    np.testing.assert_allclose(model.predict(X[~there]), expected.mean())


def test_nobody_with_the_modality_is_an_error(cohort):
    with pytest.raises(CohortError, match="none of 60 patients has bags"):
        OneModality(ridge_cox(("bags",)), "bags").fit(cohort.X.drop(columns="wsi"), cohort.y)
    with pytest.raises(ValueError, match="modality must be 'genes' or 'bags'"):
        OneModality(ridge_cox(), "rna").fit(cohort.X, cohort.y)


def test_it_can_be_cloned():
    assert clone(OneModality(ridge_cox(), "genes", clinical=["age"])).clinical == ["age"]
