import numpy as np
import pytest
from sklearn.base import clone

from sksurv_tta.estimators import all_estimators
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.evaluation import available_models, compare, get_model, model_inputs, ridge_cox
from sksurv_tta.evaluation.fitting import predicted_risk, site_parameters, survival_at
from sksurv_tta.exceptions import CohortError

FAST = {
    "rsf": {"model__n_estimators": 5},
    "gbsa": {"model__n_estimators": 5},
    "coxnet": {"model__n_alphas": 5},
}


def fast(name):
    return next((FAST[kind] for kind in FAST if name.startswith(kind)), {})


PEERS = {each._short_name: each for _, each in all_estimators() if issubclass(each, PeerEstimator)}
NETWORKS = {"tta", "tta-genes", "tta-bags", *PEERS}


@pytest.mark.parametrize("name", [name for name in available_models() if name not in NETWORKS])
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


@pytest.mark.parametrize("name", PEERS)
def test_other_networks_take_the_cohort_as_it_is(cohort, name):
    X = cohort.X.assign(age=np.linspace(40, 80, len(cohort.y)))
    model = get_model(name, pathways=cohort.pathways, clinical=["age"], random_state=0)
    network = getattr(model, "estimator", model)
    assert type(network) is PEERS[name]
    assert network.random_state == 0
    widths = {"token_dim": 8, "hidden_dim": 8, "attention_dim": 8, "gene_hidden_dim": 8, "n_heads": 2}
    widths |= {"n_prototypes": 3, "max_epochs": 1}
    network.set_params(**{key: value for key, value in widths.items() if key in network.get_params()})
    rows = np.arange(12)
    if model is network:  # needs both modalities of every patient
        rows = np.flatnonzero(X.notna().all(axis=1))[:12]
    fitted = clone(model).fit(X.iloc[rows], cohort.y[rows])
    assert np.isfinite(fitted.predict(X.iloc[rows])).all()
    assert set(model_inputs(name)) == set(PEERS[name]._required)


def test_a_comparison_takes_other_networks_by_name(cohort):
    rows = np.arange(24)
    found = compare(
        ["abmil", "snn"], cohort.X.iloc[rows], cohort.y[rows], cv=2, metrics=["c_index"],
        pathways=cohort.pathways, n_resamples=5, random_state=0,
    )  # fmt: skip
    assert set(found.table["model"]) == {"abmil", "snn"}
    assert found.table["value"].notna().all()
    assert set(found.histories["model"]) == {"abmil", "snn"}


def test_every_model_says_what_it_must_be_given():
    assert model_inputs("tta") == model_inputs("ridge") == model_inputs("rsf") == ()
    assert model_inputs("ridge-genes") == ("genes",)
    assert model_inputs("tta-bags") == ("bags",)
    assert set(model_inputs("fusion-ridge")) == {"genes", "bags"}


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
