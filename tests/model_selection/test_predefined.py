import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sksurv.linear_model import CoxPHSurvivalAnalysis

from sksurv_tta.exceptions import FoldError, ImbalancedFoldsWarning
from sksurv_tta.model_selection import (
    PredefinedFolds,
    RepeatedSitePreservedKFold,
    SitePreservedKFold,
    fold_labels,
    predefined_folds,
)


def test_labels_and_folds_are_each_other_s_inverse(small_cohort):
    cohort = small_cohort()
    pairs = list(SitePreservedKFold(3).split(None, cohort.y, cohort.site))
    again = list(predefined_folds(fold_labels(pairs, 120)).split(cohort.X, cohort.y, cohort.site))
    for (train, test), (train_again, test_again) in zip(pairs, again, strict=True):
        assert_array_equal(train, train_again)
        assert_array_equal(test, test_again)


def test_a_patient_labelled_minus_one_is_never_tested():
    pairs = list(predefined_folds([0, 1, -1, 0]).split(np.zeros((4, 1))))
    assert [test.tolist() for _, test in pairs] == [[0, 3], [1]]
    assert [train.tolist() for train, _ in pairs] == [[1, 2], [0, 2, 3]]


def test_labels_with_ids_are_joined_by_id_also_for_a_subset():
    labels = pd.Series([0, 1, 2], index=["a", "b", "c"])
    splitter = predefined_folds(labels)
    X = pd.DataFrame({"x": [1.0, 2.0]}, index=["c", "a"])
    assert splitter.get_n_splits() == 3
    assert splitter.get_n_splits(X) == 2
    assert [test.tolist() for _, test in splitter.split(X)] == [[1], [0]]


def test_ids_without_label_are_listed():
    labels = pd.Series([0, 1], index=["a", "b"])
    with pytest.raises(FoldError, match="2 of 3 ids of X have no fold label: d, e"):
        predefined_folds(labels).split(pd.DataFrame({"x": [1, 2, 3]}, index=["a", "d", "e"]))
    with pytest.raises(FoldError, match="1 ids have more than one fold label: a"):
        predefined_folds(labels.set_axis(["a", "a"])).split(pd.DataFrame({"x": [1]}, index=["a"]))


def test_a_site_in_two_folds_is_an_error_or_a_warning():
    labels, site, X = [0, 0, 1, 1], ["A", "B", "B", "C"], np.zeros((4, 1))
    with pytest.raises(FoldError, match="1 of 3 sites are in more than one fold: B"):
        predefined_folds(labels).split(X, groups=site)
    with pytest.warns(ImbalancedFoldsWarning, match="1 of 3 sites are in more than one fold: B"):
        pairs = predefined_folds(labels, on_shared_site="warn").split(X, groups=site)
    assert len(list(pairs)) == 2
    assert len(list(predefined_folds(labels, on_shared_site="ignore").split(X, groups=site))) == 2


def test_a_patient_in_two_folds_is_always_an_error():
    splitter = predefined_folds([0, 0, 1, 1], patients=["p", "q", "q", "r"], on_shared_site="ignore")
    with pytest.raises(FoldError, match="1 of 3 patients are in more than one fold: q"):
        splitter.split(np.zeros((4, 1)))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 0], "3 fold labels for 4 rows"),
        ([0, None, 1, 1], "1 of 4 fold labels are missing, in rows 1"),
        ([0, 0, 0, 0], "name 1 fold; at least two"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(FoldError, match=message):
        predefined_folds(labels).split(np.zeros((4, 1)))


def test_parameters_are_checked_when_splitting():
    with pytest.raises(FoldError, match="on_shared_site must be"):
        PredefinedFolds([0, 1], on_shared_site="stop").split(np.zeros((2, 1)))
    with pytest.raises(FoldError, match="There are 1 sites for 2 rows"):
        PredefinedFolds([0, 1]).split(np.zeros((2, 1)), groups=["A"])


def test_known_folds_serve_scikit_learn(small_cohort):
    cohort = small_cohort()
    known = SitePreservedKFold(3)
    folds = fold_labels(known.split(None, cohort.y, cohort.site), 120)
    X = pd.DataFrame(cohort.X, index=[f"p{row}" for row in range(120)]).rename(columns=str)
    splitter = predefined_folds(pd.Series(folds, index=X.index))
    model = CoxPHSurvivalAnalysis()
    expected = cross_val_score(model, X, cohort.y, cv=known, groups=cohort.site)
    assert_array_equal(cross_val_score(model, X, cohort.y, cv=splitter), expected)
    assert_array_equal(cross_val_score(model, X, cohort.y, cv=clone(splitter), groups=cohort.site), expected)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(model, {"alpha": [0.1, 1]}, cv=splitter, error_score="raise")
        result = cross_validate(
            search, X, cohort.y, cv=splitter, params={"groups": cohort.site}, error_score="raise"
        )
    assert len(result["test_score"]) == 3
    assert repr(splitter) == "PredefinedFolds(120 labels)"


def test_a_fold_column_holds_one_set_of_folds(profile_like):
    cohort = profile_like("BLCA")
    repeated = RepeatedSitePreservedKFold(5, n_repeats=2, n_restarts=10)
    with pytest.raises(FoldError, match="pair 5 are tested more than once"):
        fold_labels(repeated.split(None, cohort.y, cohort.site), len(cohort.y))
    with pytest.raises(FoldError, match="2 of 4 patients are never tested, in rows 2, 3"):
        fold_labels([([1, 2, 3], [0]), ([0, 2, 3], [1])], 4)
