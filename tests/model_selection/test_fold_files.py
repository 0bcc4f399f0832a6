import pytest
from numpy.testing import assert_array_equal

from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection import (
    SitePreservedKFold,
    fold_labels,
    predefined_folds,
    read_folds,
    write_folds,
)
from sksurv_tta.model_selection.fold_files import read_table

IDS = ["007", "p2", "p3", "p4"]


def test_folds_come_back_in_the_order_asked_for(tmp_path):
    write_folds(tmp_path / "folds.csv", IDS, [1, 0, 1, 0], sites=["NA", "B", "NA", "B"])
    assert_array_equal(read_folds(tmp_path / "folds.csv", IDS[::-1]), [0, 1, 0, 1])


def test_the_file_is_plain_and_the_same_whatever_the_order(tmp_path):
    write_folds(tmp_path / "a.csv", IDS, [1, 0, 1, 0], sites=["NA", "B", "NA", "B"])
    assert (tmp_path / "a.csv").read_text() == "id,site,fold\np2,B,0\np4,B,0\n007,NA,1\np3,NA,1\n"
    write_folds(tmp_path / "b.csv", IDS[::-1], [0, 1, 0, 1], sites=["B", "NA", "B", "NA"])
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_folds_of_a_splitter_survive_the_file(tmp_path, small_cohort):
    cohort = small_cohort()
    ids = [f"p{row}" for row in range(120)]
    folds = fold_labels(SitePreservedKFold(3).split(None, cohort.y, cohort.site), 120)
    write_folds(tmp_path / "folds.csv", ids, folds, sites=cohort.site)
    splitter = predefined_folds(read_folds(tmp_path / "folds.csv", ids))
    assert_array_equal(fold_labels(splitter.split(cohort.X, cohort.y, cohort.site), 120), folds)


def test_all_problems_with_ids_are_listed_at_once(tmp_path):
    (tmp_path / "folds.csv").write_text("id,fold\na,0\nb,1\nb,1\nx,0\n")
    expected = (
        r"ids of folds.csv do not fit the 3 patients: 1 ids are missing: c; 1 ids are repeated: b; "
        r"1 ids are not asked for \(extra='ignore' skips these\): x"
    )
    with pytest.raises(FoldError, match=expected):
        read_folds(tmp_path / "folds.csv", ["a", "b", "c"])


def test_ids_left_over_can_be_skipped(tmp_path):
    write_folds(tmp_path / "folds.csv", IDS, [1, 0, 1, 0])
    assert_array_equal(read_folds(tmp_path / "folds.csv", ["p3"], extra="ignore"), [1])
    with pytest.raises(FoldError, match="extra must be"):
        read_folds(tmp_path / "folds.csv", ["p3"], extra="drop")


def test_other_column_names_can_be_read_and_missing_ones_are_named(tmp_path):
    path = tmp_path / "folds.csv"
    path.write_text("case_id,cv\nA,1\nB,0\n")
    assert_array_equal(read_folds(path, ["B", "A"], id_column="case_id", fold_column="cv"), [0, 1])
    with pytest.raises(FoldError, match="has no column id, fold; it has case_id, cv"):
        read_folds(tmp_path / "folds.csv", ["B", "A"])


@pytest.mark.parametrize("cell", ["", "one", "1.5", "nan", "inf"])
def test_folds_that_are_no_whole_numbers_are_listed(tmp_path, cell):
    (tmp_path / "folds.csv").write_text(f"id,fold\nA,0\nB,{cell}\n")
    with pytest.raises(FoldError, match=r"no whole number as their fold in folds\.csv: B"):
        read_folds(tmp_path / "folds.csv", ["A", "B"])


def test_what_cannot_be_a_fold_file_is_not_written(tmp_path):
    path = tmp_path / "folds.csv"
    with pytest.raises(FoldError, match="1 patient ids occur more than once: a"):
        write_folds(path, ["a", "a"], [0, 1])
    with pytest.raises(FoldError, match="There are 3 folds for 2 ids"):
        write_folds(path, ["a", "b"], [0, 1, 1])
    with pytest.raises(FoldError, match="1 of 2 patients have no whole number as their fold in folds: b"):
        write_folds(path, ["a", "b"], [0, float("nan")])
    with pytest.raises(FoldError, match="There are 1 sites for 2 ids"):
        write_folds(path, ["a", "b"], [0, 1], sites=["A"])
    assert not path.exists()


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    for name in ("absent.csv", "empty.csv"):
        with pytest.raises(FoldError, match=f"{name} cannot be read as a CSV file"):
            read_table(tmp_path / name, ["id"])
