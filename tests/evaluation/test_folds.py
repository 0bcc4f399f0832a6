import numpy as np
import pytest
from sklearn.model_selection import KFold

from sksurv_tta.evaluation.folds import check_disjoint, fold_table, resolve_folds
from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection import SitePreservedKFold


# nine sites cannot fill five folds evenly, and the splitter says so
@pytest.mark.filterwarnings("ignore::sksurv_tta.exceptions.ImbalancedFoldsWarning")
def test_folds_keep_sites_whole_by_default(genes_and_outcome):
    X, y, sites = genes_and_outcome
    splits = resolve_folds(None, X, y=y, sites=sites, random_state=0)
    assert len(splits) == 5
    check_disjoint(splits, ids=np.asarray(X.index), sites=sites)
    expected = list(SitePreservedKFold(5, random_state=0).split(X, y, sites))
    for split, wanted in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(split[1], wanted[1])


def test_without_sites_folds_balance_events(genes_and_outcome):
    X, y, _ = genes_and_outcome
    splits = resolve_folds(3, X, y=y, sites=None, random_state=0)
    events = [y["event"][test].sum() for _, test in splits]
    assert max(events) - min(events) <= 1
    again = resolve_folds(3, X, y=y, sites=None, random_state=0)
    assert all((a[1] == b[1]).all() for a, b in zip(splits, again, strict=True))


def test_masks_positions_and_splitters_are_taken_over(genes_and_outcome):
    X, y, _ = genes_and_outcome
    mask = np.arange(90) < 30
    (masked,) = resolve_folds([(~mask, mask)], X, y=y, sites=None, random_state=None)
    (listed,) = resolve_folds([(list(range(30, 90)), list(range(30)))], X, y=y, sites=None, random_state=None)
    np.testing.assert_array_equal(masked[1], listed[1])
    assert len(resolve_folds(KFold(4), X, y=y, sites=None, random_state=None)) == 4


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ("five", "cv must be a number"),
        ([], "cv gives no fold"),
        ([([0], [90])], "row 90, but there are 90 rows"),
        (80, "80 folds cannot be made from 90 patients"),
    ],
)
def test_what_is_no_fold_is_refused(genes_and_outcome, cv, message):
    X, y, _ = genes_and_outcome
    with pytest.raises(FoldError, match=message):
        resolve_folds(cv, X, y=y, sites=None, random_state=None)


def test_shared_rows_patients_and_sites_are_refused():
    ids, sites = np.array(["p", "q", "q", "r"]), np.array(["A", "B", "C", "A"])
    rows = np.arange(4)
    with pytest.raises(FoldError, match="fold 0 has 1 rows in training and test: 2"):
        check_disjoint([(rows[:3], rows[2:])], ids=ids, sites=None)
    with pytest.raises(FoldError, match="fold 0 has 1 patients in training and test: q"):
        check_disjoint([(rows[:2], rows[2:])], ids=ids, sites=None)
    with pytest.raises(FoldError, match="fold 0 has 1 sites in training and test: A"):
        check_disjoint([(rows[:3], rows[3:])], ids=ids, sites=sites)
    with pytest.raises(FoldError, match="fold 0 has 0 training and 4 test rows"):
        check_disjoint([(rows[:0], rows)], ids=ids, sites=None)


def test_the_table_of_folds_counts_what_the_metrics_rest_on(genes_and_outcome):
    X, y, sites = genes_and_outcome
    splits = resolve_folds(3, X, y=y, sites=sites, random_state=0)
    table = fold_table(splits, y=y, sites=sites)
    assert table["n_patients"].sum() == 90
    assert table["n_sites"].sum() == 9
    assert (table["n_events"] + table["n_train_events"] == y["event"].sum()).all()
    assert (table["time_upper"] <= y["time"].max()).all()
