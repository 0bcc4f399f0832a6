import numpy as np
import pytest
from sklearn.base import clone

from sksurv_tta.evaluation import available_models, get_model, ridge_cox
from sksurv_tta.evaluation.fitting import predicted_risk, site_parameters, survival_at
from sksurv_tta.exceptions import CohortError

FAST = {
    "rsf": {"model__n_estimators": 5},
    "gbsa": {"model__n_estimators": 5},
    "coxnet": {"model__n_alphas": 5},
}


def fast(name):
    return next((FAST[kind] for kind in FAST if name.startswith(kind)), {})


@pytest.mark.parametrize("name", [name for name in available_models() if not name.startswith("tta")])
def test_every_ready_made_model_takes_the_cohort_as_it_is(cohort, name):
    X = cohort.X.assign(age=np.linspace(40, 80, len(cohort.y)))
    model = get_model(name, clinical=["age"], random_state=0, parameters=fast(name))
    sites = np.asarray(cohort.site)
    fitted = clone(model).fit(X, cohort.y, **site_parameters(model, sites))
    risk = predicted_risk(fitted, X)
    assert risk.shape == (60,)
    assert np.isfinite(risk).all()
    survival, reason = survival_at(fitted, X, np.array([cohort.y["time"].min()]))
    assert reason == ""
    assert ((survival >= 0) & (survival <= 1)).all()


@pytest.mark.parametrize("name", ["tta", "tta-genes", "tta-bags"])
def test_the_network_takes_both_modalities_or_one_of_them(cohort, name):
    small = {
        "n_prototypes": 2,
        "prototype_dim": 10,
        "token_dim": 8,
        "n_heads": 2,
        "max_epochs": 1,
        "device": "cpu",
    }
    prefix = "" if name == "tta" else "estimator__"
    model = get_model(
        name,
        pathways=cohort.pathways,
        random_state=0,
        parameters={prefix + key: value for key, value in small.items()},
    )
    rows = np.arange(24)
    fitted = clone(model).fit(cohort.X.iloc[rows], cohort.y[rows])
    risk = fitted.predict(cohort.X.iloc[rows])
    survival = survival_at(fitted, cohort.X.iloc[rows], np.array([100.0]))[0]
    assert ((survival >= 0) & (survival <= 1)).all()
    assert np.isfinite(risk).all()


def test_a_model_without_suffix_takes_what_there_is(cohort):
    genes = cohort.X.select_dtypes("number")
    model = get_model("ridge", parameters={"model__alpha": 10.0}).fit(genes, cohort.y)
    assert all(name.startswith("gene__") for name in model[0].get_feature_names_out())
    with pytest.raises(CohortError, match="no columns for bags"):
        get_model("ridge-bags").fit(genes, cohort.y)


def test_pathways_restrict_the_genes(cohort):
    name, genes = next(iter(cohort.pathways.items()))
    model = ridge_cox(pathways={name: genes}, alpha=1.0).fit(cohort.X, cohort.y)
    assert model[-1].n_features_in_ == len(set(genes) & set(cohort.X.columns))


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="unknown model 'deepsurv'; there are ridge-genes, ridge-bags"):
        get_model("deepsurv")
    with pytest.raises(ValueError, match="needs the names of the clinical columns"):
        get_model("cox-clinical")


def test_models_that_share_a_name_share_nothing_else():
    assert get_model("ridge-genes") is not get_model("ridge-genes")
