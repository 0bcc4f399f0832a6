"""The gist, the description of a run and the table of metrics, on a comparison that costs nothing."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from sksurv_tta.datasets import make_cohort
from sksurv_tta.evaluation import compare, ridge_cox
from sksurv_tta.report import RunDescription, metrics_by_fold, summarise, write_results


class FirstGene(BaseEstimator):
    """A risk that needs no fit, and predicts no survival functions."""

    def __init__(self, sign=1.0):
        self.sign = sign

    def fit(self, X, y):
        self.gene_ = X.columns[1]
        return self

    def predict(self, X):
        return self.sign * X[self.gene_].to_numpy()


@pytest.fixture(scope="module")
def cohort():
    return make_cohort(
        40, random_state=0, n_pathways=2, genes_per_pathway=2, n_instances=(2, 3), n_features=3
    )


@pytest.fixture(scope="module")
def comparison(cohort):
    models = {"up": FirstGene(), "down": FirstGene(-1.0)}
    return compare(models, cohort.X, cohort.y, groups=cohort.site, cv=2, n_resamples=50, random_state=0)


def test_the_gist_names_every_model_and_what_luck_would_give(comparison, cohort):
    text = summarise(comparison, cohort)
    assert text.startswith(repr(cohort))
    rows = comparison.summary.query("metric == 'c_index'").set_index("model")
    for model in ("up", "down"):
        assert f"{model:<4}  {rows.loc[model, 'mean']:.3f} ± {rows.loc[model, 'sd']:.3f}" in text
    floor = 1.96 * comparison.noise_floor["sd"].iloc[-1]
    assert f"by luck 95 % of them within ± {floor:.3f}" in text
    difference = comparison.paired().query("metric == 'c_index'")["difference"].iloc[0]
    assert f"Difference to up on the same patients (95 % interval)\n  down  {difference:+.3f}" in text


def test_one_model_has_no_differences(cohort):
    alone = compare({"up": FirstGene()}, cohort.X, cohort.y, cv=2, n_resamples=20, random_state=0)
    assert "Difference" not in summarise(alone, cohort)


def test_missing_values_are_named_with_their_reason(cohort):
    class Broken(FirstGene):
        def fit(self, X, y):
            raise ValueError("no gene like this")

    models = {"up": FirstGene(), "broken": Broken()}
    result = compare(models, cohort.X, cohort.y, cv=2, n_resamples=20, random_state=0, error_score="record")
    text = summarise(result, cohort)
    assert "broken  not available  (no interval)  missing in 2 fits: the model failed" in text
    assert "no gene like this" in text


def test_metrics_have_a_row_for_each_fit_and_a_reason_for_each_gap(comparison):
    wide = metrics_by_fold(comparison.table)
    assert wide[["model", "fold", "seed"]].to_numpy().tolist() == [
        [model, fold, -1] for model in ("up", "down") for fold in (0, 1)
    ]
    assert wide["brier_integrated"].isna().all()
    assert (
        wide["why_missing"].str.contains("brier_integrated: the model predicts no survival functions").all()
    )
    tidy = comparison.table.query("metric == 'c_index'")
    np.testing.assert_array_equal(wide["c_index"], tidy["value"])
    np.testing.assert_array_equal(wide["comparable_pairs"], tidy["n_pairs"])


def test_no_gap_needs_no_reason():
    table = pd.DataFrame(
        {
            "model": "m", "fold": [1, 0], "seed": 3, "metric": "c_index", "value": [0.5, 0.6], "reason": "",
            "n_patients": 5, "n_events": 2, "n_pairs": 4,
        }
    )  # fmt: skip
    wide = metrics_by_fold(table)
    assert wide["fold"].tolist() == [1, 0]
    assert wide["c_index"].tolist() == [0.5, 0.6]
    assert wide["why_missing"].tolist() == ["", ""]


def describe(cohort, **changes):
    arguments = {
        "command": ["evaluate", "--out", "r"],
        "options": {"out": "r", "times": [1.0], "settings": [("lr", 0.1)], "run": print, "typed": []},
        "models": {"ridge": ridge_cox(pathways=cohort.pathways)},
        "pathways": cohort.pathways,
    }
    return RunDescription.of(cohort, **(arguments | changes))


def test_a_run_is_described_in_plain_json(cohort):
    described = json.loads(json.dumps(describe(cohort).as_dict(), allow_nan=False))
    assert described["command"] == ["sksurv-tta", "evaluate", "--out", "r"]
    assert described["options"] == {"out": "r", "times": [1.0], "settings": [["lr", 0.1]]}
    assert described["models"]["ridge"]["class"] == "Pipeline"
    assert described["models"]["ridge"]["features__inputs"] == ["genes"]
    assert "features__pathways" not in described["models"]["ridge"]
    assert described["data"]["patients"] == 40


def test_digests_change_with_the_data_and_hold_none_of_it(cohort):
    first = describe(cohort).digests
    other = make_cohort(
        40, random_state=1, n_pathways=2, genes_per_pathway=2, n_instances=(2, 3), n_features=3
    )
    second = describe(other, pathways={"P": ["G"]}).digests
    assert set(first) == {"outcomes", "expression", "pathways", "bag sizes"}
    assert all(first[name] != second[name] for name in first)
    assert "SIM-" not in json.dumps(describe(cohort).as_dict())


def test_hostile_names_of_models_are_quoted(cohort, tmp_path):
    models = {"=1+1": FirstGene(), "<b>": FirstGene(-1.0)}
    result = compare(models, cohort.X, cohort.y, cv=2, n_resamples=20, random_state=0)
    write_results(result, cohort, tmp_path / "a" / "b", description=describe(cohort))
    for name in ("metrics", "summary", "predictions", "fits"):
        assert set(pd.read_csv(tmp_path / "a" / "b" / f"{name}.csv")["model"]) == {"'=1+1", "<b>"}
