"""What the headline claims, for results made up to make it claim too much."""

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.report.headline import best_model, headline


class Cohort:
    site = np.array(["A"] * 50 + ["B"] * 50)
    y = np.array([(True, 1.0)] * 100, dtype=[("event", bool), ("time", float)])


class Results:
    """As much of a comparison as a headline needs: (model, mean, lower, upper, folds) and differences."""

    splits = ((np.arange(50), np.arange(50, 100)), (np.arange(50, 100), np.arange(50)))
    table = pd.DataFrame({"model": ["a", "b", "b", "b"], "seed": [-1, 0, 1, 2]})
    noise_floor = pd.DataFrame({"fold": ["mean"], "lower": [0.42], "upper": [0.58]})

    def __init__(self, *rows, differences=()):
        self.summary = pd.DataFrame(rows, columns=["model", "mean", "lower", "upper", "n_folds"])
        self.summary = self.summary.assign(metric="c_index", reason="the model failed")
        self.models = self.summary["model"].tolist()
        self.differences = differences

    def paired(self, reference):
        rows = pd.DataFrame(self.differences, columns=["model", "difference", "lower", "upper"])
        return rows.assign(reference=reference, metric="c_index")


def told(*rows, differences=(), cohort=Cohort):
    result, judgement = headline(Results(*rows, differences=differences), cohort)
    return result, " ".join(judgement)


def test_the_best_is_named_with_its_interval_and_in_words():
    result, text = told(
        ("a", 0.6, 0.55, 0.65, 2), ("b", 0.7, 0.6, 0.8, 2), differences=[("b", 0.1, 0.02, 0.2)]
    )
    assert result == (
        "The highest concordance on patients not seen in training is that of b: 0.700 (95 % interval 0.600 "
        "to 0.800)."
    )
    assert (
        "2 models were evaluated on 100 patients from 2 sites, 100 of whom had the event, in 2 folds" in text
    )
    assert "in 2 folds and with up to 3 random seeds" in text
    assert "not trained on this patient, nor anybody of the patient's site" in text
    assert "in about 70 of 100 cases" in text


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.70, 0.59, 0.80), "This is better than chance"),
        ((0.62, 0.55, 0.70), "some evidence, but no strong one"),
        ((0.57, 0.45, 0.70), "This cannot be told from chance"),
        ((0.62, np.nan, np.nan), "some evidence, but no strong one"),
    ],
)
def test_chance_is_ruled_out_only_by_a_whole_interval(interval, words):
    assert words in told(("a", *interval, 2))[1]


def test_a_lead_counts_only_when_its_interval_leaves_zero_out():
    rows = ("a", 0.6, 0.55, 0.65, 2), ("b", 0.7, 0.6, 0.8, 2)
    clear = told(*rows, differences=[("b", 0.1, 0.02, 0.2)])[1]
    assert (
        "Its lead over the reference a is 0.100 on the same patients (95 % interval +0.020 to +0.200)"
        in clear
    )
    assert "The interval does not contain 0" in clear
    unclear = told(*rows, differences=[("b", 0.1, -0.02, 0.2)])[1]
    assert "these data do not show that one of the two is better" in unclear
    unknown = told(*rows, differences=[("b", 0.1, np.nan, np.nan)])[1]
    assert "no interval" in unknown
    assert "nothing can be said about it" in unknown


def test_a_reference_that_is_the_best_is_held_against_the_runner_up():
    text = told(
        ("a", 0.7, 0.6, 0.8, 2), ("b", 0.6, 0.5, 0.7, 2), ("c", 0.65, 0.5, 0.7, 2),
        differences=[("b", -0.1, -0.2, -0.01), ("c", -0.05, -0.15, 0.03)],
    )[1]  # fmt: skip
    assert "lead over the runner-up c is 0.050 on the same patients (95 % interval −0.030 to +0.150)" in text
    assert "The interval contains 0" in text
    assert "picked after seeing their results" in text


def test_models_with_missing_folds_are_not_ranked():
    rows = ("a", 0.6, 0.55, 0.65, 2), ("lucky", 0.9, 0.8, 0.95, 1), ("dead", np.nan, np.nan, np.nan, 0)
    result, text = told(*rows)
    assert "is that of a:" in result
    assert "Not ranked, because values are missing in some folds (see the tables): lucky, dead." in text
    assert best_model(Results(*rows)) == "a"


def test_nothing_is_claimed_when_every_model_failed():
    result, _ = told(("a", np.nan, np.nan, np.nan, 0))
    assert result == "No model has a concordance index: the model failed."
    assert best_model(Results(("a", np.nan, np.nan, np.nan, 0))) is None


def test_unknown_sites_are_a_caution():
    class Nowhere(Cohort):
        site = None

    text = told(("a", 0.7, 0.6, 0.8, 2), cohort=Nowhere)[1]
    assert "Sites are not known" in text
    assert "nor anybody of" not in text
