"""A patient's risk depends on that patient's data alone."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksurv_tta.bags import Bag, BagArray

MORE = int(os.environ.get("SKSURV_TTA_EXAMPLES", "1"))
NAMES = ["default", "discrete", "softmax", "kmeans", "own plans", "balanced"]
few = settings(
    max_examples=8 * MORE,
    deadline=None,
    derandomize=True,
)


def all_functions(model, X):
    """Return risks and survival functions of the patients, one row each."""
    return np.column_stack([model.predict(X), model.predict_survival_function(X, return_array=True)])


@pytest.mark.parametrize("name", NAMES)
def test_a_patient_alone_has_the_risk_of_a_patient_among_others(models, cohort, name):
    model = models[name]
    together = all_functions(model, cohort.X)
    alone = np.concatenate([all_functions(model, cohort.X.iloc[[row]]) for row in range(len(cohort))])
    np.testing.assert_array_equal(alone, together)


@few
@given(rows=st.lists(st.integers(0, 24), min_size=1, max_size=12))
def test_any_choice_of_rows_in_any_order_gives_the_same_bits(fitted, cohort, rows):
    np.testing.assert_array_equal(
        fitted.predict(cohort.X.iloc[rows]), fitted.predict(cohort.X)[np.array(rows)]
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_does_not_matter(models, cohort, name):
    order = np.random.RandomState(0).permutation(len(cohort))
    np.testing.assert_array_equal(
        all_functions(models[name], cohort.X.iloc[order]), all_functions(models[name], cohort.X)[order]
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_patches_does_not_matter(models, cohort, name):
    random = np.random.RandomState(0)
    shuffled = BagArray(
        None if bag is None else Bag(bag.features[random.permutation(bag.n_instances)])
        for bag in cohort.X["wsi"].array
    )
    np.testing.assert_allclose(
        models[name].predict(cohort.X.assign(wsi=shuffled)),
        models[name].predict(cohort.X),
        rtol=1e-5,
        atol=1e-7,
    )


@few
@given(seed=st.integers(0, 2**31 - 1))
def test_the_order_of_genes_does_not_matter(fitted, cohort, seed):
    columns = np.random.RandomState(seed).permutation(cohort.X.columns)
    np.testing.assert_array_equal(fitted.predict(cohort.X[columns]), fitted.predict(cohort.X))


def test_names_of_patients_do_not_matter(small, fitted, cohort):
    X = cohort.X.set_axis(pd.RangeIndex(len(cohort)))
    np.testing.assert_array_equal(small().fit(X, cohort.y).predict(X), fitted.predict(cohort.X))


def test_how_bags_are_stored_does_not_matter(fitted, cohort):
    half = BagArray(
        None if bag is None else Bag(bag.features.astype(np.float16)) for bag in cohort.X["wsi"].array
    )
    single = BagArray(
        None if bag is None else Bag(bag.features.astype(np.float16).astype(np.float32))
        for bag in cohort.X["wsi"].array
    )
    np.testing.assert_array_equal(
        fitted.predict(cohort.X.assign(wsi=half)), fitted.predict(cohort.X.assign(wsi=single))
    )


def test_a_repeated_patient_has_the_same_risk_twice(fitted, cohort):
    risk = fitted.predict(pd.concat([cohort.X, cohort.X]))
    np.testing.assert_array_equal(risk[:25], risk[25:])


def test_large_bags_are_read_in_blocks_without_changing_the_risk(fitted, cohort, monkeypatch):
    whole = fitted.predict(cohort.X)
    monkeypatch.setattr("sksurv_tta.training.predict.BLOCK_INSTANCES", 4)
    np.testing.assert_allclose(fitted.predict(cohort.X), whole, rtol=1e-5, atol=1e-7)


def test_flat_numbers_are_predicted_row_by_row(small):
    random = np.random.RandomState(0)
    X = random.normal(size=(30, 4))
    y = np.zeros(30, dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = random.uniform(size=30) < 0.7, random.exponential(size=30)
    model = small(pathways=None).fit(X, y)
    order = random.permutation(30)
    np.testing.assert_array_equal(model.predict(X[order]), model.predict(X)[order])
    np.testing.assert_array_equal(model.predict(X[3:4]), model.predict(X)[3:4])
