"""The face that all network estimators share: outcome, prediction, randomness, state."""

import copy
import gc
import io
import types

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sksurv.functions import StepFunction
from sksurv.metrics import concordance_index_censored
from sksurv.testing import assert_chf_properties, assert_survival_function_properties
from sksurv.util import Surv

from sksurv_tta.bags import Bag, BagArray
from sksurv_tta.exceptions import CohortError, OutcomeError
from sksurv_tta.losses import cox_loss
from sksurv_tta.training import PatientDataset


def overflowing_bag(estimator):
    """Return a bag of finite numbers that are too large for the first layer of this network."""
    weight = estimator.net_.module_.instance_encoders[0].linear.weight.detach().numpy()
    worst = weight[np.abs(weight).sum(axis=1).argmax()]
    return Bag(np.finfo(np.float32).max * np.sign(worst)[None])


# Prediction


def test_a_risk_is_one_float64_for_each_patient(fitted, cohort):
    risk = fitted.predict(cohort.X)
    assert risk.dtype == np.float64
    assert risk.shape == (23,)
    assert np.isfinite(risk).all()


def test_a_higher_risk_means_an_earlier_event(small, cohort):
    learned = small(max_epochs=25, lr=1e-2, dropout=0.0).fit(cohort.X, cohort.y)
    assert learned.score(cohort.X, cohort.y) > 0.8
    survival = learned.predict_survival_function(cohort.X, return_array=True)
    order = np.argsort(learned.predict(cohort.X))
    assert (np.diff(survival[order, -1]) <= 0).all()


def test_score_is_the_concordance_index(fitted, cohort):
    y = cohort.y
    expected = concordance_index_censored(y["event"], y["time"], fitted.predict(cohort.X))[0]
    assert fitted.score(cohort.X, y) == expected
    assert fitted.score(cohort.X, y, sample_weight=None) == expected


def test_weights_of_patients_are_refused(fitted, cohort):
    with pytest.raises(ValueError, match="takes no sample_weight"):
        fitted.score(cohort.X, cohort.y, sample_weight=np.ones(23))


@pytest.mark.parametrize(
    "method", ["predict", "predict_survival_function", "predict_cumulative_hazard_function"]
)
def test_nothing_is_predicted_before_fit(small, cohort, method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(small(), method)(cohort.X)


@pytest.mark.parametrize("loss", ["cox", "discrete"])
def test_survival_and_hazard_functions_are_lawful(small, cohort, loss):
    y = cohort.y.copy()
    y["time"] -= np.linspace(0, 0.95, len(y))  # scikit-survival's checks want something before an event
    estimator = small(loss=loss).fit(cohort.X, y)
    survival = estimator.predict_survival_function(cohort.X)
    hazard = estimator.predict_cumulative_hazard_function(cohort.X)
    assert survival.dtype == hazard.dtype == object
    assert all(isinstance(function, StepFunction) for function in [*survival, *hazard])
    times = estimator.unique_times_
    assert_survival_function_properties(np.stack([function(times) for function in survival]))
    assert_chf_properties(np.stack([function(times) for function in hazard]))
    for function in [*survival, *hazard, estimator.cum_baseline_hazard_, estimator.baseline_survival_]:
        assert function.domain == (0.0, y["time"].max())
        np.testing.assert_array_equal(function.x, estimator.unique_times_)
    with pytest.raises(ValueError, match="x must be within"):
        survival[0](y["time"].max() + 1)
    with pytest.raises(ValueError, match="x must be within"):
        survival[0](-1.0)


@pytest.mark.parametrize("loss", ["cox", "discrete"])
def test_functions_and_arrays_agree(small, cohort, loss):
    estimator = small(loss=loss).fit(cohort.X, cohort.y)
    times = estimator.unique_times_
    np.testing.assert_array_equal(times, np.unique(cohort.y["time"]))
    survival = estimator.predict_survival_function(cohort.X, return_array=True)
    hazard = estimator.predict_cumulative_hazard_function(cohort.X, return_array=True)
    assert survival.dtype == hazard.dtype == np.float64
    assert survival.shape == hazard.shape == (23, len(times))
    np.testing.assert_array_equal(
        survival, np.stack([f(times) for f in estimator.predict_survival_function(cohort.X)])
    )
    np.testing.assert_array_equal(
        hazard, np.stack([f(times) for f in estimator.predict_cumulative_hazard_function(cohort.X)])
    )
    np.testing.assert_allclose(survival, np.exp(-hazard), rtol=1e-15)


def test_baseline_is_breslows_of_the_training_patients_risks(fitted, cohort):
    event, time, risk = cohort.y["event"], cohort.y["time"], fitted.predict(cohort.X)
    expected = [
        sum(1 / np.exp(risk[time >= t]).sum() for t in time[event & (time <= until)])
        for until in fitted.unique_times_
    ]
    np.testing.assert_allclose(fitted.cum_baseline_hazard_.y, expected, rtol=1e-12)
    np.testing.assert_allclose(fitted.baseline_survival_.y, np.exp(-np.array(expected)), rtol=1e-12)


# Outcome


def as_frame(y):
    return pd.DataFrame(y)


def with_three_fields(y):
    wide = np.empty(len(y), dtype=[("event", bool), ("time", float), ("age", float)])
    wide["event"], wide["time"], wide["age"] = y["event"], y["time"], 50.0
    return wide


def with_swapped_fields(y):
    swapped = np.empty(len(y), dtype=[("time", float), ("event", bool)])
    swapped["event"], swapped["time"] = y["event"], y["time"]
    return swapped


def all_censored(y):
    changed = y.copy()
    changed["event"] = False
    return changed


def with_time(value):
    def change(y):
        changed = y.copy()
        changed["time"][3] = value
        return changed

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (as_frame, "y must be a structured array"),
        (with_three_fields, "y must be a structured array"),
        (lambda y: y["time"], "y must be a structured array"),
        (with_swapped_fields, "elements of event indicator must be boolean"),
        (all_censored, "all samples are censored"),
        (with_time(-0.5), r"1 of 23 patients have a negative time: .* \(-0.5\)"),
        (with_time(np.nan), "1 of 23 patients have a time that is NaN: "),
        (with_time(np.inf), "patients have a time that is infinite"),
        (lambda y: y[:-1], "inconsistent numbers of samples"),
        (lambda y: None, "requires y to be passed, but the target y is None"),
    ],
)
def test_an_outcome_that_cannot_be_used_is_refused(small, cohort, change, message):
    with pytest.raises(ValueError, match=message):
        small().fit(cohort.X, change(cohort.y))


def test_the_fields_of_y_may_have_any_names(small, cohort, fitted):
    y = Surv.from_arrays(cohort.y["event"], cohort.y["time"], name_event="dss", name_time="days")
    renamed = small().fit(cohort.X, y)
    np.testing.assert_array_equal(renamed.predict(cohort.X), fitted.predict(cohort.X))


def test_time_zero_is_allowed(small, cohort):
    y = cohort.y.copy()
    y["time"][:2] = 0.0
    assert small().fit(cohort.X, y).unique_times_[0] == 0.0


def test_time_bins_that_cannot_be_made_are_refused(small, cohort):
    y = cohort.y.copy()
    y["time"][y["event"]] = 0.0
    with pytest.raises(OutcomeError, match=r"No 4 time bins can be made from .* 1 distinct times"):
        small(loss="discrete").fit(cohort.X, y)


# Randomness


def test_the_same_seed_gives_the_same_bits(small, cohort, weights_of):
    first, second = (small(random_state=7).fit(cohort.X, cohort.y) for _ in range(2))
    assert weights_of(first) == weights_of(second)
    np.testing.assert_array_equal(first.predict(cohort.X), second.predict(cohort.X))
    other = small(random_state=8).fit(cohort.X, cohort.y)
    assert weights_of(first) != weights_of(other)


def test_a_generator_as_random_state_moves_on(small, cohort, weights_of):
    generator = np.random.RandomState(0)
    first, second = (small(random_state=generator).fit(cohort.X, cohort.y) for _ in range(2))
    assert weights_of(first) != weights_of(second)


def test_no_random_state_is_a_new_one_each_time(small, cohort, weights_of):
    first, second = (small(random_state=None).fit(cohort.X, cohort.y) for _ in range(2))
    assert weights_of(first) != weights_of(second)


@pytest.mark.parametrize("random_state", [0, None])
def test_the_callers_generators_are_untouched(small, cohort, caller_state, random_state):
    before = caller_state()
    estimator = small(random_state=random_state, validation_fraction=0.25, low_memory=True)
    estimator.fit(cohort.X, cohort.y, sites=cohort.site)
    assert caller_state() == before
    estimator.predict(cohort.X)
    estimator.predict_survival_function(cohort.X)
    assert caller_state() == before


def test_the_callers_seed_does_not_matter(small, cohort, weights_of):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = weights_of(small().fit(cohort.X, cohort.y))
        torch.manual_seed(2)
        assert weights_of(small().fit(cohort.X, cohort.y)) == first


def test_prediction_draws_nothing(fitted, cohort):
    np.testing.assert_array_equal(fitted.predict(cohort.X), fitted.predict(cohort.X))


# State


def test_fit_starts_anew(small, cohort, weights_of):
    estimator = small().fit(cohort.X.iloc[:20], cohort.y[:20])
    estimator.fit(cohort.X, cohort.y)
    assert weights_of(estimator) == weights_of(small().fit(cohort.X, cohort.y))
    assert estimator.n_iter_ == 2


def test_history_has_a_row_for_each_epoch(fitted):
    assert isinstance(fitted.history_, pd.DataFrame)
    assert fitted.n_iter_ == len(fitted.history_) == 2
    wanted = {
        "train_loss",
        "train_survival",
        "train_contrast",
        "train_instance",
        "train_agreement",
        "mass",
        "lr",
    }
    assert wanted <= set(fitted.history_.columns)
    assert np.isfinite(fitted.history_[sorted(wanted)].to_numpy(dtype=float)).all()


def test_warm_start_goes_on(small, cohort, weights_of):
    estimator = small(warm_start=True, max_epochs=2).fit(cohort.X, cohort.y)
    net, before = estimator.net_, weights_of(estimator)
    estimator.set_params(max_epochs=3).fit(cohort.X, cohort.y)
    assert estimator.net_ is not net  # a copy: if it had failed, the model of before would be whole
    assert estimator.n_iter_ == len(estimator.history_) == 5
    assert estimator.history_["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert weights_of(estimator) != before
    assert estimator.history_["mass"].iloc[-1] == 1.0  # the curriculum does not start again


def test_warm_start_heeds_parameters_of_the_training(small, cohort):
    estimator = small(warm_start=True, lr=1e-3, warmup_epochs=0).fit(cohort.X, cohort.y)
    estimator.set_params(lr=1e-5, batch_size=24).fit(cohort.X, cohort.y)
    assert estimator.history_["lr"].iloc[2:].max() <= 1e-5
    assert estimator.net_.batch_size == 24


def test_warm_start_keeps_the_validation_part(small, cohort):
    estimator = small(warm_start=True, random_state=None, validation_fraction=0.25)
    estimator.fit(cohort.X, cohort.y)
    seed = estimator.net_.seed
    rows = [estimator._split(PatientsOf(23), cohort.y, None, seed)[1].rows for _ in range(2)]
    np.testing.assert_array_equal(*rows)
    estimator.fit(cohort.X, cohort.y)
    assert estimator.net_.seed == seed


class PatientsOf:
    """Stands in for a data set where only the rows matter."""

    def __init__(self, n, rows=None):
        self.n, self.rows = n, rows

    def __len__(self):
        return self.n

    def subset(self, rows):
        return PatientsOf(len(rows), rows)


def test_warm_start_goes_on_after_a_copy(small, cohort, weights_of):
    estimator = small(warm_start=True).fit(cohort.X, cohort.y)
    copied = round_trip(estimator).fit(cohort.X, cohort.y)
    estimator.fit(cohort.X, cohort.y)
    assert copied.n_iter_ == estimator.n_iter_ == 4
    assert weights_of(copied) == weights_of(estimator)


def test_without_words_nothing_is_printed(small, cohort, capsys):
    small(early_stopping=True, max_epochs=3).fit(cohort.X, cohort.y).score(cohort.X, cohort.y)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_with_words_there_is_a_line_for_each_epoch(small, cohort, capsys):
    small(verbose=1).fit(cohort.X, cohort.y)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()[:1].isdigit()]
    assert len(lines) == 2


def test_fit_leaves_no_file_behind(small, cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small(early_stopping=True).fit(cohort.X, cohort.y).predict(cohort.X)
    assert list(tmp_path.iterdir()) == []


def test_parameters_and_data_are_left_as_they_were(small, cohort):
    estimator = small()
    before = copy.deepcopy(estimator.get_params())
    X, y = cohort.X.copy(), cohort.y.copy()
    estimator.fit(cohort.X, cohort.y).predict(cohort.X)
    assert estimator.get_params() == before
    pd.testing.assert_frame_equal(cohort.X, X)
    np.testing.assert_array_equal(cohort.y, y)


def test_read_only_data_can_be_used(small, flat):
    X, y = flat
    X.setflags(write=False)
    y.setflags(write=False)
    small(pathways=None).fit(X, y).predict(X)


def reachable_from(root):
    """All objects that a pickle of ``root`` could drag along: no modules, classes or code."""
    skipped = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, types.CodeType)
    seen, waiting = {}, [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, skipped):
            continue
        seen[id(item)] = item
        waiting.extend(gc.get_referents(item))
        if isinstance(item, types.MethodType):
            waiting.append(item.__self__)
    return list(seen.values())


@pytest.mark.parametrize(
    "changes",
    [{}, {"loss": "discrete"}, {"early_stopping": True}, {"low_memory": True, "warm_start": True}],
    ids=["plain", "discrete", "early stopping", "warm start"],
)
def test_nothing_of_the_data_is_reachable_from_a_fitted_estimator(small, cohort, changes):
    estimator = small(**changes).fit(cohort.X, cohort.y, sites=cohort.site)
    estimator.predict(cohort.X)
    everything = reachable_from(estimator)
    assert len(everything) > 500
    assert not [item for item in everything if isinstance(item, Bag | BagArray | PatientDataset)]
    frames = [item for item in everything if isinstance(item, pd.DataFrame)]
    assert all(frame is estimator.history_ for frame in frames)
    arrays = [item for item in everything if isinstance(item, np.ndarray | torch.Tensor)]
    n_training = {23, 23 - round(0.2 * 23)}
    assert not [array for array in arrays if array.ndim and array.shape[0] in n_training]
    assert not {"S0000", *cohort.ids} & {item for item in everything if isinstance(item, str)}


def test_the_walk_would_find_data(small, cohort):
    estimator = small().fit(cohort.X, cohort.y)
    estimator.net_.planted = [cohort.X]
    everything = reachable_from(estimator)
    assert any(item is cohort.X for item in everything)
    assert any(isinstance(item, BagArray) for item in everything)


def test_a_failed_continuation_keeps_no_data(small, cohort):
    estimator = small(warm_start=True, validation_fraction=0.25).fit(cohort.X, cohort.y)
    X = cohort.X.assign(wsi=BagArray([overflowing_bag(estimator)] * 23))
    with pytest.raises(FloatingPointError, match="Training diverged"):
        estimator.fit(X, cohort.y)
    assert not [item for item in reachable_from(estimator) if isinstance(item, Bag | PatientDataset)]


def round_trip(estimator):
    stream = io.BytesIO()
    joblib.dump(estimator, stream)
    stream.seek(0)
    return joblib.load(stream)  # noqa: TID251 - what users and scikit-learn do with estimators


@pytest.mark.parametrize("copy_of", [round_trip, copy.deepcopy], ids=["joblib", "deepcopy"])
def test_a_copy_predicts_the_same(fitted, cohort, copy_of):
    copied = copy_of(fitted)
    np.testing.assert_array_equal(copied.predict(cohort.X), fitted.predict(cohort.X))
    np.testing.assert_array_equal(
        copied.predict_survival_function(cohort.X, return_array=True),
        fitted.predict_survival_function(cohort.X, return_array=True),
    )
    pd.testing.assert_frame_equal(copied.history_, fitted.history_)


def test_a_pickle_is_not_much_larger_than_the_weights(small, cohort):
    estimator = small(token_dim=64, prototype_dim=64).fit(cohort.X, cohort.y)
    stream = io.BytesIO()
    joblib.dump(estimator, stream)
    n_bytes = sum(p.numel() * p.element_size() for p in estimator.net_.module_.parameters())
    # Weights and AdamW's two moments of each, which warm_start goes on with.
    assert stream.tell() < 3 * n_bytes + 100_000


def test_a_clone_is_unfitted_and_alike(fitted):
    cloned = clone(fitted)
    assert not hasattr(cloned, "net_")
    assert {**cloned.get_params(), "pathways": None} == {**fitted.get_params(), "pathways": None}
    assert cloned.pathways == fitted.pathways


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_fitted_on_a_gpu_predicts_on_a_cpu(small, cohort):
    estimator = small(device="cuda").fit(cohort.X, cohort.y)
    moved = round_trip(estimator)
    moved.net_.set_params(device="cpu")
    np.testing.assert_allclose(moved.predict(cohort.X), estimator.predict(cohort.X), rtol=1e-3, atol=1e-4)


# Validation inside fit


def test_a_validation_part_is_watched_in_the_history(small, cohort):
    estimator = small(validation_fraction=0.25).fit(cohort.X, cohort.y)
    assert {"valid_loss", "valid_c_index"} <= set(estimator.history_.columns)
    assert "valid_loss" not in small().fit(cohort.X, cohort.y).history_.columns


def test_early_stopping_goes_back_to_the_best_epoch(small, cohort):
    estimator = small(early_stopping=True, n_iter_no_change=2, max_epochs=30, lr=0.05, random_state=1)
    estimator.fit(cohort.X, cohort.y)
    losses = estimator.history_["valid_loss"]
    assert estimator.n_iter_ < 30
    assert estimator.n_iter_ == losses.idxmin() + 1 + 2
    risk = estimator.predict(cohort.X)
    held_out = estimator._split(PatientsOf(23), cohort.y, None, estimator.net_.seed)[1].rows
    event, time = (torch.from_numpy(cohort.y[name][held_out].copy()) for name in ("event", "time"))
    loss = cox_loss(torch.from_numpy(risk[held_out]), time, event)
    assert loss.item() == pytest.approx(losses.min(), rel=1e-6)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_the_loss_of_training_and_validation_treats_ties_as_told(small, cohort, ties):
    y = cohort.y.copy()
    y["time"] = np.ceil(y["time"] / 4)
    estimator = small(ties=ties, validation_fraction=0.4, dropout=0.0).fit(cohort.X, y)
    held_out = estimator._split(PatientsOf(23), y, None, estimator.net_.seed)[1].rows
    risk = torch.from_numpy(estimator.predict(cohort.X)[held_out])
    event, time = (torch.from_numpy(y[name][held_out].copy()) for name in ("event", "time"))
    losses = {name: cox_loss(risk, time, event, ties=name).item() for name in ("breslow", "efron")}
    assert losses["efron"] < losses["breslow"] - 0.01
    assert estimator.history_["valid_loss"].iloc[-1] == pytest.approx(losses[ties], rel=1e-6)


def test_sites_of_another_length_are_refused(small, cohort):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small(validation_fraction=0.25).fit(cohort.X, cohort.y, sites=cohort.site[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small().fit(cohort.X, cohort.y, sites=cohort.site[:-1])


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA])
def test_patients_without_a_site_are_named(small, cohort, nothing):
    sites = np.array(cohort.site, dtype=object)
    sites[[2, 9]] = nothing
    names = ", ".join(cohort.X.index[[2, 9]])
    with pytest.raises(CohortError, match=f"2 of 23 patients have no site: {names}. Give them one, a common"):
        small().fit(cohort.X, cohort.y, sites=sites)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", "mse"),
        ("max_epochs", 0),
        ("batch_size", 1),
        ("bag_size", 0),
        ("lr", 0.0),
        ("clip_norm", 0.0),
        ("validation_fraction", 1.0),
        ("precision", "float16"),
        ("random_state", "zero"),
        ("early_stopping", 2),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_name(small, cohort, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of TTASurvivalEstimator must be"):
        small(**{name: value}).fit(cohort.X, cohort.y)


@pytest.mark.parametrize("device", ["cuda:31", "gpu", "meta", "xpu:7"])
def test_a_device_that_is_not_here_is_refused_before_anything_is_read(small, cohort, device, monkeypatch):
    monkeypatch.setattr("sksurv_tta.estimators.base.learn_schema", None)
    with pytest.raises(ValueError, match=f"There is no device '{device}' here: give device='cpu' or 'auto'"):
        small(device=device).fit(cohort.X, cohort.y)


def test_a_risk_that_is_not_finite_is_never_returned(fitted, cohort):
    X = cohort.X.copy()
    X.loc[X.index[3], "wsi"] = overflowing_bag(fitted)
    with pytest.raises(CohortError, match=f"1 of 23 patients.*{X.index[3]}"):
        fitted.predict(X)
