"""Recipes, and the ensemble behind the face of one estimator."""

import numpy as np
import pytest
import torch

from sksurv_tta import TTASurvivalEstimator
from sksurv_tta.estimators import ensembles
from sksurv_tta.estimators.ensembles import ENSEMBLE_PARAMETERS
from sksurv_tta.estimators.presets import PAPER, PRESETS, ROBUST
from sksurv_tta.networks import EnsembleNetwork, TTANetwork

FEW = {"recipe": "robust", "n_members": 3, "max_epochs": 2, "batch_size": None}


def test_both_recipes_speak_of_the_same_parameters_which_default_to_none():
    assert set(PAPER) == set(ROBUST)
    parameters = TTASurvivalEstimator().get_params()
    assert {name: parameters[name] for name in PAPER} == dict.fromkeys(PAPER)
    assert set(ENSEMBLE_PARAMETERS) < set(PAPER)


@pytest.mark.parametrize("recipe", PRESETS)
def test_a_recipe_gives_way_to_what_the_user_says(recipe):
    model = TTASurvivalEstimator(recipe=recipe, lr=0.5, n_heads=3)
    assert model._setting("lr") == 0.5
    assert model._setting("n_heads") == 3
    assert model._setting("token_dim") == PRESETS[recipe]["token_dim"]
    assert model._setting("dropout") == 0.3


def test_the_paper_is_one_network_and_the_robust_recipe_an_ensemble(small, cohort):
    paper = small().fit(cohort.X, cohort.y)
    assert type(paper.net_.module_) is TTANetwork
    assert paper.output_weights_.to_dict() == {"network": 1.0}
    robust = small(**FEW).fit(cohort.X, cohort.y)
    assert type(robust.net_.module_) is EnsembleNetwork
    assert len(robust.net_.module_.members) == 3
    assert list(robust.output_weights_.index) == ["network", "linear"]
    assert (robust.output_weights_ >= 0).all()


def test_the_risk_is_the_weighted_sum_of_network_and_linear_path(small, cohort):
    model = small(**FEW).fit(cohort.X, cohort.y)
    outputs = model._outputs(cohort.X)
    assert outputs.shape == (23, 2)
    np.testing.assert_allclose(
        model.predict(cohort.X), outputs @ model.output_weights_.to_numpy(), rtol=1e-12
    )
    survival = model.predict_survival_function(cohort.X, return_array=True)
    assert ((survival >= 0) & (survival <= 1)).all()
    order = np.argsort(model.predict(cohort.X))
    assert (np.diff(survival[order, -1]) <= 0).all()


def test_each_part_can_be_left_out(small, cohort):
    for changes, names in (
        ({"linear_path": False}, ["network"]),
        ({"n_members": 1}, ["network"]),
        ({"view_losses": False}, ["network", "linear"]),
        ({"profile_rank": 0, "standardise_instances": False}, ["network", "linear"]),
    ):
        model = small(**FEW | changes).fit(cohort.X, cohort.y)
        assert list(model.output_weights_.index) == names, changes
        assert np.isfinite(model.predict(cohort.X)).all()


@pytest.mark.parametrize("columns", ["genes", "bags"])
def test_one_modality_has_an_ensemble_and_a_linear_path_too(small, cohort, columns):
    X = cohort.X.drop(columns=cohort.X.columns[0]) if columns == "genes" else cohort.X[[cohort.X.columns[0]]]
    model = small(**FEW, pathways=cohort.pathways if columns == "genes" else None).fit(X, cohort.y)
    assert len(model._linear.coefficients) == (5 if columns == "bags" else len(model._schema.gene_columns))
    assert np.isfinite(model.predict(X)).all()
    expected = "wsi:0" if columns == "bags" else model._schema.gene_columns[0]
    assert model.linear_coefficients_.index[0] == expected


def test_discrete_hazards_are_averaged_without_a_linear_path(small, cohort):
    model = small(**FEW, loss="discrete").fit(cohort.X, cohort.y)
    assert model._linear is None
    assert model._outputs(cohort.X).shape[1] == 1 + len(model._edges)
    assert np.isfinite(model.predict(cohort.X)).all()


def test_sites_decide_which_member_learns_from_whom(small, cohort):
    with_sites = small(**FEW).fit(cohort.X, cohort.y, sites=cohort.site)
    without = small(**FEW).fit(cohort.X, cohort.y)
    assert (with_sites.predict(cohort.X) != without.predict(cohort.X)).any()


def test_the_same_seed_gives_the_same_bits_and_a_patient_the_same_alone(small, cohort):
    first, second = (small(**FEW).fit(cohort.X, cohort.y).predict(cohort.X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    model = small(**FEW).fit(cohort.X, cohort.y)
    alone = np.concatenate([model.predict(cohort.X.iloc[[row]]) for row in range(5)])
    np.testing.assert_array_equal(alone, first[:5])


def test_a_warm_start_that_fails_at_the_end_leaves_the_linear_path_of_before(small, cohort, monkeypatch):
    model = small(**FEW, warm_start=True).fit(cohort.X.iloc[:15], cohort.y[:15])
    before = model.predict(cohort.X)

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(ensembles, "held_out_outputs", full)
    with pytest.raises(MemoryError):
        model.fit(cohort.X, cohort.y)
    np.testing.assert_array_equal(model.predict(cohort.X), before)


def test_a_new_fit_leaves_no_weights_of_the_one_before(small, cohort):
    model = small(**FEW).fit(cohort.X, cohort.y)
    model.set_params(linear_path=False).fit(cohort.X, cohort.y)
    assert not hasattr(model, "linear_coefficients_")
    model.set_params(loss="discrete").fit(cohort.X, cohort.y)
    assert not hasattr(model, "output_weights_")


@pytest.mark.parametrize("changes", [{"recipe": "paper", "n_members": None}, {"loss": "discrete"}])
def test_a_linear_path_that_cannot_be_weighed_is_refused(small, cohort, changes):
    with pytest.raises(ValueError, match="linear_path=True takes loss='cox' and n_members=2 or more"):
        small(**FEW | {"linear_path": True} | changes).fit(cohort.X, cohort.y)


def test_a_warm_start_with_other_members_is_refused(small, cohort):
    model = small(**FEW, warm_start=True).fit(cohort.X, cohort.y)
    with pytest.raises(ValueError, match=r"changed since: n_members \(3 in fit, 5 now\)\. Set them back"):
        model.set_params(n_members=5).fit(cohort.X, cohort.y)
    assert model.set_params(warm_start=False).fit(cohort.X, cohort.y).n_iter_ == 2


def test_one_site_alone_may_have_expression(small, cohort):
    X = cohort.X.copy()
    X.loc[cohort.site != cohort.site[0], cohort.genes] = np.nan
    model = small(**FEW).fit(X, cohort.y, sites=cohort.site)
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.predict(cohort.X)).all()


def test_test_rows_change_nothing_that_was_fitted(small, cohort):
    model = small(**FEW).fit(cohort.X.iloc[:15], cohort.y[:15])
    before = model.predict(cohort.X.iloc[15:])
    shuffled = model.predict(cohort.X.iloc[15:][::-1])[::-1]
    np.testing.assert_array_equal(before, shuffled)


def test_an_ensemble_goes_on_with_a_warm_start(small, cohort):
    model = small(**FEW, warm_start=True).fit(cohort.X, cohort.y)
    assert model.fit(cohort.X, cohort.y).n_iter_ == 4


def test_events_may_be_numbers_as_elsewhere(small, cohort):
    y = np.empty(len(cohort.y), dtype=[("event", np.int8), ("time", float)])
    y["event"], y["time"] = cohort.y["event"], cohort.y["time"]
    risks = [small(**FEW).fit(cohort.X, given).predict(cohort.X) for given in (y, cohort.y)]
    np.testing.assert_array_equal(*risks)


def test_half_precision_keeps_the_projection_of_expression_in_single(small, cohort):
    model = small(**FEW, precision="bfloat16").fit(cohort.X, cohort.y)
    single = small(**FEW).fit(cohort.X, cohort.y)
    assert np.corrcoef(model.predict(cohort.X), single.predict(cohort.X))[0, 1] > 0.98
    with torch.autocast("cpu", dtype=torch.bfloat16):
        profiles = torch.randn(4, len(model._schema.gene_columns))
        assert model.net_.module_.preparation.profiles(profiles).dtype == torch.float32
