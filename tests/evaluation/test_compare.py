import errno

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.base import SurvivalAnalysisMixin
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored

from sksurv_tta.cohort.tables import EXACT_FLOATS
from sksurv_tta.evaluation import RidgeCox, compare
from sksurv_tta.evaluation.cache import read_record, write_record
from sksurv_tta.exceptions import CohortError, FoldError, OutcomeError, TrainingWarning


class Counting(RidgeCox):
    """Counts its fits, to see which were taken from the cache."""

    fits = 0

    def fit(self, X, y, sites=None):
        Counting.fits += 1
        return super().fit(X, y, sites)


class Failing(SurvivalAnalysisMixin, BaseEstimator):
    """Fails where the training rows lack one patient, that is on one fold."""

    def __init__(self, without=None):
        self.without = without

    def fit(self, X, y):
        if self.without not in X.index:
            raise RuntimeError("no such patient")
        return self

    def predict(self, X):
        return X["G0"].to_numpy()


class Blank(BaseEstimator):
    """Predicts nothing usable."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.full(len(X), np.nan)


@pytest.fixture(scope="module")
def comparison(genes_and_outcome):
    X, y, sites = genes_and_outcome
    models = {"ridge": RidgeCox(alpha=1.0), "net": CoxnetSurvivalAnalysis(alphas=[0.1])}
    return compare(models, X, y, groups=sites, cv=3, times=[5.0], random_state=0)


def test_values_are_those_of_fitting_and_scoring_by_hand(genes_and_outcome, comparison):
    X, y, _ = genes_and_outcome
    table = comparison.table.set_index(["model", "fold", "metric"])["value"]
    for fold, (train, test) in enumerate(comparison.splits):
        model = RidgeCox(alpha=1.0).fit(X.iloc[train], y[train])
        risk = model.predict(X.iloc[test])
        expected = concordance_index_censored(y["event"][test], y["time"][test], risk)[0]
        assert table["ridge", fold, "c_index"] == expected
        rows = comparison.predictions.query("model == 'ridge' and fold == @fold")
        np.testing.assert_array_equal(rows["risk"], risk)
        np.testing.assert_array_equal(rows["id"], X.index[test])
        assert rows["threshold"].unique().tolist() == [np.median(model.predict(X.iloc[train]))]


def test_the_table_is_tidy_and_missing_values_have_reasons(comparison):
    table = comparison.table
    assert len(table) == 2 * 3 * 7
    assert set(table["metric"]) == {
        "c_index", "c_index_uno", "auc_mean", "brier_integrated",
        "auc@5", "calibration_slope@5", "calibration_error@5",
    }  # fmt: skip
    assert (table["value"].isna() == (table["reason"] != "")).all()
    brier = table[(table["model"] == "net") & (table["metric"] == "brier_integrated")]
    assert brier["reason"].str.contains("fit_baseline_model").all()


def test_every_patient_is_predicted_once_per_model(comparison):
    assert (comparison.predictions.groupby(["model", "id"]).size() == 1).all()
    assert len(comparison.predictions) == 180
    assert comparison.folds["n_patients"].sum() == 90


def test_sites_reach_the_models_that_take_them(genes_and_outcome):
    X, y, sites = genes_and_outcome
    seen = []

    class Watching(RidgeCox):
        def fit(self, X, y, sites=None):
            seen.append(set(sites))
            return super().fit(X, y, sites)

    result = compare({"m": Watching(alpha=1.0)}, X, y, groups=sites, cv=3, metrics=["c_index"])
    assert seen == [set(sites[train]) for train, _ in result.splits]


def test_shared_sites_and_patients_are_refused(genes_and_outcome):
    X, y, sites = genes_and_outcome
    half = np.arange(90) < 45
    with pytest.raises(FoldError, match="fold 0 has 9 sites in training and test"):
        compare({"m": RidgeCox()}, X, y, groups=sites, cv=[(half, ~half)])
    with pytest.raises(FoldError, match="fold 0 has 1 patients in training and test: same"):
        compare({"m": RidgeCox()}, X, y, cv=[(half, ~half)], ids=["same"] * 90)


def test_bad_input_is_refused_before_anything_is_fitted(genes_and_outcome):
    X, y, sites = genes_and_outcome
    models = {"m": RidgeCox()}
    with pytest.raises(OutcomeError, match="structured array"):
        compare(models, X, y["time"])
    with pytest.raises(CohortError, match="groups has 3 rows, y has 90"):
        compare(models, X, y, groups=sites[:3])
    with pytest.raises(FoldError, match="1 of 90 patients have no site; first row: 7"):
        compare(models, X, y, groups=np.where(np.arange(90) == 7, None, sites))
    with pytest.raises(ValueError, match="metrics must be among"):
        compare(models, X, y, metrics=["accuracy"])
    with pytest.raises(ValueError, match="calibration needs times"):
        compare(models, X, y, metrics="calibration")
    with pytest.raises(ValueError, match="there is no model to compare"):
        compare({}, X, y)
    with pytest.raises(ValueError, match="unknown model 'nothing'"):
        compare(["nothing"], X, y)
    with pytest.raises(ValueError, match='error_score must be "raise" or "record"'):
        compare(models, X, y, error_score="nan")


def test_a_failing_model_stops_the_comparison_with_a_note(genes_and_outcome):
    X, y, _ = genes_and_outcome
    with pytest.raises(RuntimeError, match="no such patient") as caught:
        compare({"broken": Failing("P000")}, X, y, cv=3, random_state=0)
    assert "model 'broken', fold" in caught.value.__notes__[0]


def test_a_failing_fold_can_be_recorded_and_is_left_out_with_its_reason(genes_and_outcome):
    X, y, _ = genes_and_outcome
    result = compare(
        {"broken": Failing("P000"), "ridge": RidgeCox(alpha=1.0)},
        X,
        y,
        cv=3,
        random_state=0,
        error_score="record",
    )
    row = result.summary.query("model == 'broken' and metric == 'c_index'").iloc[0]
    assert (row["n_folds"], row["n_missing"]) == (2, 1)
    assert row["reason"] == "the model failed: RuntimeError: no such patient"
    assert result.paired("ridge").query("metric == 'c_index'")["n_folds"].tolist() == [2]
    assert result.fits["error"].str.contains("no such patient").sum() == 1
    assert "RuntimeError" not in repr(result)


def test_a_model_that_only_fails_or_predicts_nan_leaves_no_numbers(genes_and_outcome):
    X, y, _ = genes_and_outcome
    result = compare(
        {"none": Failing("nobody"), "nan": Blank()},
        X,
        y,
        cv=3,
        random_state=0,
        error_score="record",
        times=[5.0],
    )
    assert result.summary[["mean", "sd", "lower", "upper", "pooled"]].isna().all(axis=None)
    assert result.table["reason"].ne("").all()
    assert "Comparison of 2 models" in repr(result)
    with pytest.raises(ValueError, match="'none' has no predictions"):
        result.risk_groups("none")


def test_finished_fits_are_not_run_again(genes_and_outcome, tmp_path):
    X, y, sites = genes_and_outcome
    Counting.fits = 0
    arguments = {"groups": sites, "cv": 3, "cache_dir": tmp_path, "random_state": 0}
    first = compare({"a": Counting(alpha=1.0)}, X, y, **arguments)
    assert Counting.fits == 3
    again = compare({"renamed": Counting(alpha=1.0), "b": Counting(alpha=2.0)}, X, y, **arguments)
    assert Counting.fits == 6
    renamed = again.table[again.table["model"] == "renamed"].drop(columns="model")
    pd.testing.assert_frame_equal(first.table.drop(columns="model"), renamed)
    assert again.fits.groupby("model")["from_cache"].all().to_dict() == {"renamed": True, "b": False}
    next(tmp_path.glob("*.json")).write_text("{")
    compare({"a": Counting(alpha=1.0), "b": Counting(alpha=2.0)}, X, y, **arguments)
    assert Counting.fits == 7
    compare({"a": Counting(alpha=1.0)}, X * 2, y, **arguments)
    assert Counting.fits == 10


def test_a_full_disk_costs_the_cache_and_not_the_comparison(genes_and_outcome, tmp_path, monkeypatch):
    X, y, _ = genes_and_outcome
    settings = {"cv": 3, "metrics": ["c_index"], "n_resamples": 20, "random_state": 0}
    expected = compare({"m": RidgeCox(alpha=1.0)}, X, y, **settings)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.warns(TrainingWarning, match=r"fit of 'm' in fold \d could not be kept in .*: No space left"):
        found = compare({"m": RidgeCox(alpha=1.0)}, X, y, cache_dir=tmp_path, **settings)
    np.testing.assert_array_equal(found.table["value"], expected.table["value"])
    assert not list(tmp_path.iterdir())


def test_tables_are_safe_to_open_and_replaced_whole(comparison, tmp_path):
    comparison.to_csv(tmp_path)
    written = pd.read_csv(tmp_path / "predictions.csv", **EXACT_FLOATS)
    np.testing.assert_array_equal(written["risk"], comparison.predictions["risk"])
    assert not list(tmp_path.glob(".*"))


def test_failures_are_not_kept_in_the_cache(genes_and_outcome, tmp_path):
    X, y, _ = genes_and_outcome
    compare({"m": Failing("nobody")}, X, y, cv=3, random_state=0, cache_dir=tmp_path, error_score="record")
    assert not list(tmp_path.glob("*.json"))


def test_seeds_are_run_for_models_with_a_random_state_only(genes_and_outcome):
    X, y, sites = genes_and_outcome
    forest = RandomSurvivalForest(n_estimators=3)
    models = {"forest": forest, "cox": CoxPHSurvivalAnalysis(alpha=1.0)}
    result = compare(models, X, y, groups=sites, cv=3, seeds=[1, 2], metrics=["c_index"], random_state=0)
    assert result.fits.groupby("model").size().to_dict() == {"cox": 3, "forest": 6}
    assert set(result.table.query("model == 'cox'")["seed"]) == {-1}
    values = result.table.query("model == 'forest'").groupby("fold")["value"].mean()
    row = result.summary.query("model == 'forest'").iloc[0]
    assert row["mean"] == pytest.approx(values.mean())
    assert row["sd"] == pytest.approx(values.std(ddof=1))
    assert row["n_seeds"] == 2
    assert forest.random_state is None
    assert len(result.of_model("forest", seed=2)) == 90
    with pytest.raises(ValueError, match=r"has the seeds \[1, 2\], not 3"):
        result.of_model("forest", seed=3)


def test_the_same_random_state_gives_the_same_numbers_and_leaves_the_callers_alone(genes_and_outcome):
    X, y, sites = genes_and_outcome
    models = {"forest": RandomSurvivalForest(n_estimators=3)}
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    runs = [compare(models, X, y, groups=sites, cv=3, seeds=2, random_state=5) for _ in range(2)]
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    pd.testing.assert_frame_equal(runs[0].table, runs[1].table)
    columns = ["mean", "sd", "lower", "upper", "pooled"]
    pd.testing.assert_frame_equal(runs[0].summary[columns], runs[1].summary[columns])


@pytest.mark.slow  # two new processes import everything
def test_two_processes_give_the_same_bits_as_one(cohort):
    arguments = {"groups": np.asarray(cohort.site), "cv": 2, "random_state": 0, "metrics": ["c_index"]}
    names = {"bags": "ridge-bags"}
    one = compare(names, cohort.X, cohort.y, **arguments)
    two = compare(names, cohort.X, cohort.y, n_jobs=2, **arguments)
    pd.testing.assert_frame_equal(one.table, two.table)


def test_names_are_enough_and_arrays_too(genes_and_outcome):
    X, y, sites = genes_and_outcome
    result = compare(["ridge-genes"], X.to_numpy(), y, groups=sites, cv=3, metrics="c_index", random_state=0)
    assert result.models == ["ridge-genes"]
    assert result.predictions["id"].sort_values().tolist() == list(range(90))
    assert result.fits["chosen"].str.startswith("alpha=").all()
    assert compare("ridge-genes", X, y, cv=3, metrics="c_index", random_state=0).models == ["ridge-genes"]


def test_a_comparison_says_nothing_unless_asked(genes_and_outcome, capfd):
    X, y, _ = genes_and_outcome
    compare({"m": RidgeCox(alpha=1.0)}, X, y, cv=2, metrics="c_index", random_state=0)
    assert capfd.readouterr() == ("", "")
    compare({"m": RidgeCox(alpha=1.0)}, X, y, cv=2, metrics="c_index", random_state=0, verbose=1)
    assert "2/2" in capfd.readouterr().err


class WithHistory(RidgeCox):
    """Keeps a history as the networks do."""

    def fit(self, X, y, sites=None):
        self.history_ = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.5, np.nan], "dur": 9.0, "text": "x"})
        return super().fit(X, y, sites)


def test_histories_are_kept_without_seconds_and_come_back_from_the_cache(genes_and_outcome, tmp_path):
    X, y, _ = genes_and_outcome
    models = {
        "alone": WithHistory(alpha=1.0),
        "in a pipeline": Pipeline([("scale", StandardScaler()), ("model", WithHistory(alpha=1.0))]),
        "in a search": GridSearchCV(WithHistory(), {"alpha": [1.0]}, cv=3),
        "none": RidgeCox(alpha=1.0),
    }
    settings = {"cv": 3, "metrics": ["c_index"], "cache_dir": tmp_path, "n_resamples": 20, "random_state": 0}
    histories = compare(models, X, y, **settings).histories
    assert list(histories) == ["model", "seed", "fold", "epoch", "train_loss"]
    assert histories.groupby("model").size().to_dict() == {
        "alone": 6,
        "in a pipeline": 6,
        "in a search": 6,
    }
    np.testing.assert_array_equal(histories["train_loss"][:2], [0.5, np.nan])
    pd.testing.assert_frame_equal(compare(models, X, y, **settings).histories, histories)


def test_records_of_an_earlier_version_have_no_history(genes_and_outcome, tmp_path):
    X, y, _ = genes_and_outcome
    settings = {"cv": 3, "metrics": ["c_index"], "cache_dir": tmp_path, "n_resamples": 20, "random_state": 0}
    compare({"m": WithHistory(alpha=1.0)}, X, y, **settings)
    for path in tmp_path.iterdir():
        record = read_record(tmp_path, path.stem)
        del record["history"]
        write_record(tmp_path, path.stem, record)
    assert compare({"m": WithHistory(alpha=1.0)}, X, y, **settings).histories.empty
