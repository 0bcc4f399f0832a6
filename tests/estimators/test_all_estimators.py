"""Checks that every estimator passes: the list is the package's own, so that none escapes."""

import copy
import inspect

import numpy as np
import pytest
from sklearn.base import clone
from skorch.callbacks import Callback

from sksurv_tta.bags import Bag, BagArray
from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import TTASurvivalEstimator, all_estimators, load_model
from sksurv_tta.estimators.inputs import read_patients
from sksurv_tta.estimators.peer import TRAINING_PARAMETERS, PeerEstimator
from sksurv_tta.exceptions import CohortError
from sksurv_tta.training import CoxCriterion, Outcome
from sksurv_tta.training.batches import Batch
from sksurv_tta.training.step import accumulate_gradients

ALL = [estimator for _, estimator in all_estimators()]
PEERS = [estimator for estimator in ALL if issubclass(estimator, PeerEstimator)]
#: Whatever of these an estimator has, it gets: widths of a few numbers.
TINY = {
    "token_dim": 8,
    "prototype_dim": 8,
    "attention_dim": 4,
    "hidden_dim": 8,
    "gene_hidden_dim": 8,
    "head_dim": 4,
    "tag_dim": 2,
    "n_heads": 2,
    "n_prototypes": 3,
    "n_clusters": 3,
    "n_landmarks": 4,
    "n_members": 3,
    "mass_ramp_epochs": 4,
    "max_epochs": 2,
    "batch_size": 12,
    "device": "cpu",
    "random_state": 0,
}
#: Methods that look at the order of patches, by their authors' design.
ORDER_MATTERS = {"TransMILSurvivalEstimator", "CMTASurvivalEstimator", "LDCVAESurvivalEstimator"}
#: A constant that a softmax takes out again: its gradient is zero.
WITHOUT_INFLUENCE = ("score.bias", "attention.2.bias")


def tiny(estimator, cohort, **changes):
    names = estimator._get_param_names()
    wanted = {**TINY, "pathways": cohort.pathways, **changes}
    return estimator(**{name: value for name, value in wanted.items() if name in names})


@pytest.fixture(scope="module")
def cohort():
    """16 patients with both modalities; bags of up to 30 patches, more than landmarks or clusters."""
    made = make_cohort(
        16, random_state=3, n_pathways=3, genes_per_pathway=4, n_instances=(3, 30), n_features=5, n_sites=4
    )
    made.y["event"][:4] = True
    return made


@pytest.fixture(scope="module")
def fitted(cohort):
    """Return a function that gives the estimator of a class, fitted once."""
    made = {}

    def give(estimator):
        if estimator not in made:
            made[estimator] = tiny(estimator, cohort).fit(cohort.X, cohort.y)
        return made[estimator]

    return give


def needs(estimator, modality):
    return modality in estimator._required or not estimator._required


def each(estimators):
    return pytest.mark.parametrize("estimator", estimators, ids=lambda each: each.__name__)


def test_tta_and_its_competitors_are_listed():
    assert all_estimators()[0] == ("TTASurvivalEstimator", TTASurvivalEstimator)
    names = {estimator._short_name for estimator in PEERS}
    assert len(names) == len(PEERS) >= 3
    assert all(name == estimator.__name__ for name, estimator in all_estimators())


@each(ALL)
def test_it_predicts_risks_and_survival_functions_and_repeats_them_to_the_bit(estimator, fitted, cohort):
    model = fitted(estimator)
    risk = model.predict(cohort.X)
    assert risk.shape == (16,)
    assert len(np.unique(risk)) > 12
    np.testing.assert_array_equal(model.predict(cohort.X), risk)
    survival = model.predict_survival_function(cohort.X, return_array=True)
    assert ((survival >= 0) & (survival <= 1)).all()
    assert (np.diff(survival, axis=1) <= 0).all()
    assert 0 <= model.score(cohort.X, cohort.y) <= 1
    assert np.isfinite(model.history_["train_loss"]).all()


@each(ALL)
def test_a_patient_alone_has_the_same_bits_as_among_others(estimator, fitted, cohort):
    model = fitted(estimator)
    together = model.predict(cohort.X)
    alone = [model.predict(cohort.X.iloc[[row]])[0] for row in range(16)]
    np.testing.assert_array_equal(alone, together)


@each(ALL)
def test_the_order_of_patches_matters_only_where_it_is_meant_to(estimator, fitted, cohort):
    random = np.random.RandomState(0)
    bags = [Bag(b.features[random.permutation(b.n_instances)]) for b in cohort.X["wsi"].array]
    expected = fitted(estimator).predict(cohort.X)
    shuffled = fitted(estimator).predict(cohort.X.assign(wsi=BagArray(bags)))
    same = np.allclose(shuffled, expected, rtol=1e-4, atol=1e-5)
    assert same == (estimator.__name__ not in ORDER_MATTERS)


@each(ALL)
def test_the_order_of_columns_does_not_matter_when_genes_are_named(estimator, fitted, cohort):
    columns = np.random.RandomState(0).permutation(cohort.X.columns)
    np.testing.assert_array_equal(
        fitted(estimator).predict(cohort.X[columns]), fitted(estimator).predict(cohort.X)
    )


@each(ALL)
def test_only_the_modalities_that_it_needs_are_looked_at(estimator, fitted, cohort):
    model = fitted(estimator)
    expected = model.predict(cohort.X)
    other = cohort.X.copy()
    genes = other.columns.drop("wsi")
    other[genes] += 1.0
    assert (model.predict(other) != expected).any() == needs(estimator, "genes")
    other = cohort.X.assign(wsi=BagArray(Bag(b.features + 1) for b in cohort.X["wsi"].array))
    assert (model.predict(other) != expected).any() == needs(estimator, "bags")


@each(ALL)
@pytest.mark.parametrize("modality", ["bags", "genes"])
def test_a_missing_modality_is_named_or_done_without(estimator, fitted, cohort, modality):
    X = cohort.X.copy()
    if modality == "bags":
        X["wsi"] = BagArray([None, *X["wsi"].array[1:]])
    else:
        X.loc[X.index[0], X.columns.drop("wsi")] = np.nan
    if modality in estimator._needed():
        word = "a slide" if modality == "bags" else "expression"
        message = f"This method needs {word} of every patient; 1 of 16 have none: {X.index[0]}. Leave"
        with pytest.raises(CohortError, match=message):
            fitted(estimator).predict(X)
        with pytest.raises(CohortError, match=message):
            tiny(estimator, cohort).fit(X, cohort.y)
    else:
        assert np.isfinite(fitted(estimator).predict(X)).all()


@each(PEERS)
def test_a_table_without_the_modality_is_refused(estimator, cohort):
    if "bags" in estimator._required:
        X = cohort.X.drop(columns="wsi")
        with pytest.raises(CohortError, match="takes one column of bags; X has none"):
            tiny(estimator, cohort).fit(X, cohort.y)
        with pytest.raises(CohortError, match="takes one column of bags; X has 2: wsi, more"):
            tiny(estimator, cohort).fit(cohort.X.assign(more=cohort.X["wsi"]), cohort.y)
    if "genes" in estimator._required:
        with pytest.raises(CohortError, match="needs expression, but X has no numeric column"):
            tiny(estimator, cohort).fit(cohort.X[["wsi"]], cohort.y)


@each(ALL)
def test_bags_of_one_or_two_patches_train_and_predict(estimator):
    small = make_cohort(
        8, random_state=1, n_pathways=2, genes_per_pathway=3, n_instances=(1, 2), n_features=4, two_slides=0
    )
    model = tiny(estimator, small, n_prototypes=40).fit(small.X, small.y)
    assert np.isfinite(model.predict(small.X)).all()


@each(ALL)
def test_the_gradient_reaches_every_parameter(estimator, cohort):
    model = tiny(estimator, cohort, loss="discrete", n_time_bins=2, dropout=0.0, max_epochs=1)
    model.fit(cohort.X, cohort.y)
    network = model.net_.module_.train()
    network.zero_grad()
    bins = np.searchsorted(model._edges, cohort.y["time"], side="right")
    outcome = Outcome.of(cohort.y["time"], cohort.y["event"], bins)
    patients = read_patients(model._schema, cohort.X, outcome)
    batch = Batch(patients, np.arange(16), seed=0, epoch=0, step=0, bag_size=None, n_profile_tokens=3)
    accumulate_gradients(network, batch, model.net_.criterion_)
    without = [
        name
        for name, parameter in network.named_parameters()
        if not name.endswith(WITHOUT_INFLUENCE) and (parameter.grad is None or not parameter.grad.any())
    ]
    of_views = [name for name in without if estimator is TTASurvivalEstimator and ".heads." in name]
    assert without == of_views


@each(ALL)
def test_holding_one_group_at_a_time_gives_the_same_model(estimator, fitted, cohort, monkeypatch):
    monkeypatch.setattr("sksurv_tta.training.batches.GROUP_TOKENS", 40)
    plain, thrifty = (
        tiny(estimator, cohort, low_memory=low_memory).fit(cohort.X, cohort.y).predict(cohort.X)
        for low_memory in (False, True)
    )
    np.testing.assert_allclose(thrifty, plain, rtol=1e-4, atol=1e-5)


@each(ALL)
def test_a_saved_model_predicts_the_same_bits(estimator, fitted, cohort, tmp_path):
    model = fitted(estimator)
    model.save(tmp_path / "first")
    loaded = load_model(tmp_path / "first")
    assert type(loaded) is estimator
    np.testing.assert_array_equal(loaded.predict(cohort.X), model.predict(cohort.X))
    np.testing.assert_array_equal(
        loaded.predict_survival_function(cohort.X, return_array=True),
        model.predict_survival_function(cohort.X, return_array=True),
    )
    loaded.save(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


class PullThePlug(Callback):
    """Ends the training after its first epoch, as a crash would."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


@each(ALL)
def test_a_training_that_was_ended_goes_on_to_the_same_bits(estimator, fitted, cohort, tmp_path):
    options = {"checkpoint_dir": str(tmp_path), "callbacks": [PullThePlug()]}
    with pytest.raises(KeyboardInterrupt):
        tiny(estimator, cohort, **options).fit(cohort.X, cohort.y)
    PullThePlug.on_epoch_begin, before = Callback.on_epoch_begin, PullThePlug.on_epoch_begin
    try:
        resumed = tiny(estimator, cohort, **options).fit(cohort.X, cohort.y)
    finally:
        PullThePlug.on_epoch_begin = before
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(resumed.predict(cohort.X), fitted(estimator).predict(cohort.X))


@each(ALL)
def test_half_precision_and_time_bins_work_too(estimator, cohort):
    model = tiny(estimator, cohort, loss="discrete", n_time_bins=2, precision="bfloat16", max_epochs=1)
    assert np.isfinite(model.fit(cohort.X, cohort.y).predict(cohort.X)).all()


@each(ALL)
def test_ties_reach_the_cox_loss_and_are_refused_beside_another(estimator, cohort, tmp_path):
    strata = np.arange(16) % 2
    model = tiny(estimator, cohort, ties="efron", max_epochs=1).fit(cohort.X, cohort.y, strata=strata)
    (criterion,) = (part for part in model.net_.criterion_.modules() if isinstance(part, CoxCriterion))
    assert criterion.ties == "efron"
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.ties == "efron"
    np.testing.assert_array_equal(loaded.predict(cohort.X), model.predict(cohort.X))
    with pytest.raises(ValueError, match="ties='efron' is a form of loss='cox', but the loss in force is 'd"):
        tiny(estimator, cohort, loss="discrete", ties="efron").fit(cohort.X, cohort.y)
    with pytest.raises(ValueError, match="The 'ties' parameter"):
        tiny(estimator, cohort, ties="exact").fit(cohort.X, cohort.y)


@each(ALL)
def test_strata_reach_the_cox_loss(estimator, fitted, cohort):
    model, losses = fitted(estimator), []
    for strata in (None, np.arange(16) % 2, np.arange(16)):
        outcome = Outcome.of(cohort.y["time"], cohort.y["event"], np.zeros(16), strata=strata)
        patients = read_patients(model._schema, cohort.X, outcome)
        batch = Batch(patients, np.arange(16), seed=0, epoch=0, step=0, bag_size=None, n_profile_tokens=3)
        network = copy.deepcopy(model.net_.module_).train()
        losses.append(accumulate_gradients(network, batch, model.net_.criterion_).parts["survival"])
    pooled, halves, apart = losses
    assert apart < halves < pooled  # the fewer are at risk, the likelier is who it was


@each(ALL)
def test_a_clone_and_a_warm_start_go_on(estimator, fitted, cohort):
    model = clone(fitted(estimator))
    assert not hasattr(model, "net_")
    model.set_params(warm_start=True, max_epochs=1).fit(cohort.X, cohort.y)
    assert model.fit(cohort.X, cohort.y).n_iter_ == 2


# Recipes


@each(PEERS)
def test_it_is_trained_as_tta_unless_asked_otherwise(estimator):
    defaults = {
        name: parameter.default for name, parameter in inspect.signature(estimator).parameters.items()
    }
    assert defaults["recipe"] == "matched"
    for name, value in TRAINING_PARAMETERS.items():
        assert defaults[name] == value, name
    tta = TTASurvivalEstimator(recipe="paper")
    peer = estimator()
    assert {name: peer._setting(name) for name in TRAINING_PARAMETERS} == {
        name: tta._setting(name) for name in TRAINING_PARAMETERS
    }


@each(PEERS)
def test_the_original_recipe_names_parameters_and_gives_way_to_the_user(estimator):
    settings = estimator._original.settings
    assert set(settings) <= set(estimator._get_param_names())
    of_recipe = {"loss", "max_epochs", "batch_size", "lr", "weight_decay", "clip_norm", "early_stopping"}
    assert of_recipe | ({"bag_size"} if "bags" in estimator._required else set()) <= set(settings)
    original = estimator(recipe="original")
    original._validate_params()
    for name, value in settings.items():
        assert original._setting(name) == value
    assert estimator(recipe="original", lr=0.123)._setting("lr") == 0.123
    if settings["loss"] != "cox":
        with pytest.raises(ValueError, match=f"the loss in force is '{settings['loss']}'.* recipe"):
            estimator(recipe="original", ties="efron")._validate_params()


@each(PEERS)
def test_the_original_recipe_trains(estimator, cohort, tmp_path):
    model = tiny(estimator, cohort, recipe="original", max_epochs=2, n_time_bins=2)
    model.fit(cohort.X, cohort.y)
    assert type(model.net_.optimizer_) is estimator._original.optimizer
    if estimator._original.constant_rate:
        assert model.net_.optimizer_.param_groups[0]["lr"] == model._setting("lr")
    if model._setting("loss") == "discrete":
        assert len(model._edges) == 1
        criterion = getattr(model.net_.criterion_, "survival", model.net_.criterion_)
        assert criterion.censored_weight == estimator._original.censored_weight
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").predict(cohort.X), model.predict(cohort.X))


@each(PEERS)
def test_its_parameters_are_constrained(estimator):
    own = set(estimator._get_param_names()) - set(TRAINING_PARAMETERS) - {"recipe"}
    assert own <= set(estimator._parameter_constraints)
    with pytest.raises(ValueError, match="'recipe' parameter"):
        estimator(recipe="best")._validate_params()
    with pytest.raises(ValueError, match="batch_size must be at least 2"):
        estimator(batch_size=1)._validate_params()


@each(PEERS)
def test_what_its_network_takes_by_name_is_a_parameter_or_made_of_some(estimator, fitted):
    parameters = inspect.signature(type(fitted(estimator).net_.module_)).parameters.values()
    taken = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    made = {"n_outputs", "n_classes", "coattention"}
    assert taken - made <= set(estimator._get_param_names())


@each(PEERS)
def test_every_parameter_of_its_own_is_documented(estimator):
    for name in set(estimator._get_param_names()) - set(TRAINING_PARAMETERS) - {"recipe"}:
        default = inspect.signature(estimator).parameters[name].default
        assert any(
            name in line.split(" : ")[0].split(", ") and f"default={default!r}".replace("'", '"') in line
            for line in map(str.strip, estimator.__doc__.splitlines())
            if " : " in line
        ), name
