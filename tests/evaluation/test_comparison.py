import numpy as np
import pandas as pd
import pytest

from sksurv_tta.cohort.tables import EXACT_FLOATS
from sksurv_tta.evaluation import RidgeCox, compare, log_rank
from sksurv_tta.evaluation.names import metric_name


@pytest.fixture(scope="module")
def comparison(genes_and_outcome):
    X, y, sites = genes_and_outcome
    models = {
        "right": RidgeCox(alpha=1.0),
        "weak": RidgeCox(alpha=1e5),
        "same": RidgeCox(alpha=1.0, clip=5.0),
    }
    return compare(models, X, y, groups=sites, cv=3, times=[5.0, 8.0], random_state=0)


def test_the_summary_is_mean_and_spread_over_folds(comparison):
    values = comparison.fold_values.loc[("right", "c_index")]
    row = comparison.summary.set_index(["model", "metric"]).loc[("right", "c_index")]
    assert row["mean"] == pytest.approx(values.mean())
    assert row["sd"] == pytest.approx(np.std(values, ddof=1))
    assert row["lower"] < row["mean"] < row["upper"]
    assert row["n_folds"] == 3


def test_the_pooled_index_weighs_folds_by_their_comparable_pairs(comparison):
    table = comparison.table.query("model == 'right' and metric == 'c_index'")
    expected = np.average(table["value"], weights=table["n_pairs"])
    row = comparison.summary.set_index(["model", "metric"]).loc[("right", "c_index")]
    assert row["pooled"] == pytest.approx(expected)


def test_the_interval_is_the_spread_of_means_of_resampled_folds(comparison):
    row = comparison.summary.set_index(["model", "metric"]).loc[("right", "c_index")]
    resamples, risks = comparison._resamples, comparison._resampled_values["c_index"]["right"]
    means = []
    for b in range(200):
        of_folds = []
        for k, pairs in enumerate(resamples.pairs["c_index"]):
            weight = resamples.counts[k][b]
            ordered = weight[pairs.rows] @ pairs.ordered(risks[k][0]) @ weight
            of_folds.append(ordered / (weight[pairs.rows] @ pairs.weights @ weight))
        means.append(np.mean(of_folds))
    assert row["lower"] == pytest.approx(np.quantile(means, 0.025), abs=0.02)
    assert row["upper"] == pytest.approx(np.quantile(means, 0.975), abs=0.02)


def test_paired_differences_of_equal_models_are_exactly_zero(comparison):
    paired = comparison.paired("right").set_index(["model", "metric"])
    same = paired.loc[("same", "c_index")]
    assert same[["difference", "sd", "lower", "upper"]].tolist() == [0, 0, 0, 0]
    weak = paired.loc[("weak", "c_index")]
    values = comparison.fold_values
    difference = values.loc[("weak", "c_index")] - values.loc[("right", "c_index")]
    assert weak["difference"] == pytest.approx(difference.mean())
    assert weak["n_folds_above"] == (difference > 0).sum()
    # both models see the same patients, so the difference is known better than either value
    summary = comparison.summary.set_index(["model", "metric"]).loc[("right", "c_index")]
    assert weak["upper"] - weak["lower"] < summary["upper"] - summary["lower"]
    pd.testing.assert_frame_equal(comparison.paired(), comparison.paired("right"))


def test_the_noise_floor_is_that_of_these_folds(comparison):
    floor = comparison.noise_floor
    assert floor["fold"].tolist() == [0, 1, 2, "mean"]
    assert floor["n_pairs"].iloc[:3].tolist() == comparison.folds["n_pairs"].tolist()
    of_folds = floor["sd"].iloc[:3]
    assert floor["sd"].iloc[-1] == pytest.approx(np.sqrt((of_folds**2).sum()) / 3, rel=0.1)


def test_risk_groups_use_training_thresholds_and_strata_of_folds(comparison):
    groups = comparison.risk_groups("right")
    patients = groups.patients
    np.testing.assert_array_equal(patients["group"], patients["risk"] > patients["threshold"])
    expected = log_rank(patients["event"], patients["time"], group=patients["group"], strata=patients["fold"])
    assert groups.log_rank == expected
    assert groups.hazard_ratio.lower > 1
    assert set(comparison.risk_groups("right", n_groups=4).patients["group"]) == {0, 1, 2, 3}
    with pytest.raises(ValueError, match="n_groups must be one of"):
        comparison.risk_groups("right", n_groups=7)


def test_calibration_pools_the_folds(comparison):
    table = comparison.calibration("right", time=5.0, n_groups=3)
    assert table["n_patients"].sum() == 90
    assert table["predicted"].is_monotonic_increasing
    with pytest.raises(ValueError, match=r"ask for compare\(..., times=\[6\]\)"):
        comparison.calibration("right", time=6.0)


def test_everything_can_be_written_as_csv(comparison, tmp_path):
    comparison.to_csv(tmp_path / "out")
    names = sorted(path.stem for path in (tmp_path / "out").iterdir())
    assert names == ["fits", "folds", "noise_floor", "paired", "predictions", "summary", "table"]
    back = pd.read_csv(tmp_path / "out" / "table.csv", **EXACT_FLOATS)
    np.testing.assert_array_equal(back["value"], comparison.table["value"])


def test_printing_shows_values_intervals_and_the_noise_floor(comparison):
    text = repr(comparison)
    assert text.startswith("Comparison of 3 models on 3 folds, 90 patients")
    assert "noise floor" in text
    assert "±" in text


def test_an_unknown_model_is_named(comparison):
    with pytest.raises(ValueError, match="no model 'other'; there are"):
        comparison.paired("other")
    with pytest.raises(ValueError, match="no model 'other'"):
        comparison.risk_groups("other")


def test_the_brier_score_is_the_mean_of_its_parts_and_has_an_interval(comparison):
    rows = comparison.table.query("metric == 'brier_integrated' and model == 'right'")
    parts = comparison.of_model("right").groupby("fold")["brier"].mean()
    np.testing.assert_allclose(rows["value"], parts, rtol=1e-12)
    row = comparison.summary.set_index(["model", "metric"]).loc[("right", "brier_integrated")]
    assert row["lower"] < row["mean"] < row["upper"]
    assert np.isnan(row["pooled"])
    better = comparison.paired("weak").set_index(["model", "metric"]).loc[("right", "brier_integrated")]
    assert better["upper"] < 0


def test_metrics_have_names_in_words():
    assert metric_name("c_index") == "Concordance index (Harrell)"
    assert metric_name("auc@365") == "AUC at 365"
    assert metric_name("something@2.5") == "something at 2.5"


def test_differences_are_worked_out_once_and_cannot_be_changed_from_outside(comparison):
    first = comparison.paired()
    first["difference"] = 0.0
    assert (comparison.paired()["difference"] != 0).any()
