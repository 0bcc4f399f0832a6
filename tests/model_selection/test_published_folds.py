"""The files are written by hand in the layouts of the published codes."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sksurv.util import Surv

from sksurv_tta.exceptions import FoldError
from sksurv_tta.model_selection import (
    align_folds,
    read_dispro_folds,
    read_mmp_folds,
    read_survpath_folds,
    write_mmp_folds,
)

HEADER = "case_id,slide_id,dss_survival_days,dss_censorship,tissue_source_site\n"
ROWS = {
    "A1": "TCGA-AA-0001,TCGA-AA-0001-DX1,100,0,AA\nTCGA-AA-0001,TCGA-AA-0001-DX2,100,0,AA\n",
    "B1": "TCGA-BB-0001,TCGA-BB-0001-DX1,0.0,1.0,BB\n",
    "NA": "TCGA-NA-0001,TCGA-NA-0001-DX1,55,1,NA\n",
}


def write_mmp(directory, folds, name="TCGA_X_overall_survival"):
    for number, (train, test) in enumerate(folds):
        folder = directory / f"{name}_k={number}"
        folder.mkdir(parents=True)
        for part, keys in (("train", train), ("test", test)):
            (folder / f"{part}.csv").write_text(HEADER + "".join(ROWS[key] for key in keys))


def test_mmp_folds_are_read_with_one_row_a_case_and_events_the_right_way_round(tmp_path):
    write_mmp(tmp_path, [(["B1", "NA"], ["A1"]), (["A1"], ["B1", "NA"])])
    table = read_mmp_folds(tmp_path)
    assert table["id"].tolist() == ["TCGA-AA-0001", "TCGA-BB-0001", "TCGA-NA-0001"]
    assert table["site"].tolist() == ["AA", "BB", "NA"]
    assert table["event"].tolist() == [True, False, False]
    assert table["time"].tolist() == [100.0, 0.0, 55.0]
    assert table["fold"].tolist() == [0, 1, 1]
    assert_array_equal(align_folds(table, ["TCGA-NA-0001", "TCGA-AA-0001"], extra="ignore"), [1, 0])


def test_mmp_folders_of_several_cohorts_must_be_told_apart(tmp_path):
    write_mmp(tmp_path, [(["A1"], ["B1"]), (["B1"], ["A1"])], name="one")
    write_mmp(tmp_path, [(["A1"], ["NA"]), (["NA"], ["A1"])], name="two")
    with pytest.raises(FoldError, match="several cohorts: choose by name= among one, two"):
        read_mmp_folds(tmp_path)
    assert len(read_mmp_folds(tmp_path, name="two")) == 2
    with pytest.raises(FoldError, match="has no folders called three_k=0"):
        read_mmp_folds(tmp_path, name="three")


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([(["A1", "B1"], ["A1"])], "k=0: 1 cases are in training and in test: TCGA-AA-0001"),
        (
            [(["A1"], ["B1"]), (["A1"], ["B1"])],
            "tested more than once: TCGA-BB-0001; 1 cases are never",
        ),
        ([(["A1"], ["B1"]), (["B1"], ["A1", "NA"])], "k=0 lacks 1 cases of the other folds: TCGA-NA-0001"),
    ],
)
def test_mmp_folds_that_are_no_folds_are_refused(tmp_path, folds, message):
    write_mmp(tmp_path, folds)
    with pytest.raises(FoldError, match=message):
        read_mmp_folds(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("TCGA-AA-0001,s,101,0,AA\n", "rows of 1 cases disagree: TCGA-AA-0001"),
        ("TCGA-CC-0001,s,,0,CC\n", "1 cases have no valid dss_survival_days: TCGA-CC-0001"),
        ("TCGA-CC-0001,s,-3,0,CC\n", "1 cases have no valid dss_survival_days: TCGA-CC-0001"),
        ("TCGA-CC-0001,s,7,2,CC\n", "dss_censorship is neither 0 nor 1 for 1 cases: TCGA-CC-0001"),
    ],
)
def test_mmp_rows_that_make_no_sense_are_listed(tmp_path, row, message):
    write_mmp(tmp_path, [(["B1"], ["A1"]), (["A1"], ["B1"])])
    with (tmp_path / "TCGA_X_overall_survival_k=0" / "test.csv").open("a") as stream:
        stream.write(row)
    with pytest.raises(FoldError, match=message):
        read_mmp_folds(tmp_path)


def test_an_endpoint_that_is_not_there_is_named(tmp_path):
    write_mmp(tmp_path, [(["B1"], ["A1"]), (["A1"], ["B1"])])
    with pytest.raises(FoldError, match="has no column pfi_survival_days, pfi_censorship"):
        read_mmp_folds(tmp_path, endpoint="pfi")


def test_what_is_written_in_the_mmp_layout_reads_back(tmp_path, small_cohort):
    cohort = small_cohort(n_patients=60, n_sites=6)
    ids = [f"TCGA-{row:04d}" for row in range(60)]
    folds = np.array([int(site[-1]) % 3 for site in cohort.site])
    slides = {patient: [f"{patient}-DX1", f"{patient}-DX2"] for patient in ids}
    write_mmp_folds(tmp_path, ids, cohort.y, folds, name="TCGA_X", sites=cohort.site, slides=slides)
    table = read_mmp_folds(tmp_path)
    assert table["id"].tolist() == ids
    assert_array_equal(table["fold"], folds)
    assert_array_equal(table["event"], cohort.y["event"])
    assert_array_equal(table["time"], cohort.y["time"])
    assert_array_equal(table["site"], cohort.site)
    raw = pd.read_csv(tmp_path / "TCGA_X_k=0" / "train.csv")
    assert len(raw) == 2 * (folds != 0).sum()
    assert not (tmp_path / "TCGA_X_k=0" / "val.csv").exists()


def test_a_validation_part_is_taken_from_training_sites(tmp_path, small_cohort):
    cohort = small_cohort(n_patients=100, n_sites=10)
    folds = np.array([int(site[-1]) % 2 for site in cohort.site])
    ids = [f"p{row}" for row in range(100)]
    write_mmp_folds(tmp_path, ids, cohort.y, folds, name="X", sites=cohort.site, validation_size=0.3)
    parts = {part: pd.read_csv(tmp_path / "X_k=1" / f"{part}.csv") for part in ("train", "val", "test")}
    sites = [set(table["tissue_source_site"]) for table in parts.values()]
    assert sum(map(len, sites)) == len(set().union(*sites))
    assert sum(map(len, parts.values())) == 100
    assert set(parts["test"]["case_id"]) == {
        patient for patient, fold in zip(ids, folds, strict=True) if fold == 1
    }


def test_mmp_folds_are_checked_before_they_are_written(tmp_path):
    y = Surv.from_arrays([True, False], [1.0, 2.0])
    with pytest.raises(FoldError, match=r"name must be a plain name without folders; got '\.\./X'"):
        write_mmp_folds(tmp_path, ["a", "b"], y, [0, 1], name="../X")
    with pytest.raises(FoldError, match="1 of 2 patients have no slides: b"):
        write_mmp_folds(tmp_path, ["a", "b"], y, [0, 1], name="X", slides={"a": ["s"]})
    with pytest.raises(FoldError, match="y has 2 rows for 3 ids"):
        write_mmp_folds(tmp_path, ["a", "b", "c"], y, [0, 1, 1], name="X")
    assert list(tmp_path.iterdir()) == []


def test_survpath_folds_are_read_past_their_blanks(tmp_path):
    (tmp_path / "splits_0.csv").write_text(",train,val\n0,a,c\n1,b,\n2,d,\n")
    (tmp_path / "splits_1.csv").write_text(",train,val\n0,c,a\n1, ,b\n2,,d\n")
    table = read_survpath_folds(tmp_path)
    assert table.to_dict("list") == {"id": ["a", "b", "c", "d"], "fold": [1, 1, 0, 1]}


def test_survpath_folds_that_leak_or_are_absent_are_refused(tmp_path):
    with pytest.raises(FoldError, match=r"has no files called splits_0\.csv"):
        read_survpath_folds(tmp_path)
    (tmp_path / "splits_0.csv").write_text(",train,val\n0,a,b\n1,b,\n")
    with pytest.raises(FoldError, match=r"splits_0\.csv: 1 cases are in training and in test: b"):
        read_survpath_folds(tmp_path)


DISPRO = "Study,ID,Event,Status,WSI,Omics,Fold 0,Fold 1\n"


def test_dispro_folds_are_read(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text(DISPRO + "X,a,12.5,1,a.pt,a.npy,train,val\nX,b,3,0,b.pt,b.npy,val,train\n")
    assert read_dispro_folds(path).to_dict("list") == {
        "id": ["a", "b"],
        "time": [12.5, 3.0],
        "event": [True, False],
        "fold": [1, 0],
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("X,a,1,1,w,o,train,test\n", "1 cases are neither train nor val in a fold: a"),
        ("X,a,1,1,w,o,val,val\n", "1 cases are tested more than once: a"),
        ("X,a,1,1,w,o,train,train\n", "1 cases are never tested: a"),
        ("X,a,1,1,w,o,train,val\nX,a,2,1,w,o,train,val\n", "rows of 1 cases disagree: a"),
    ],
)
def test_dispro_rows_that_make_no_sense_are_listed(tmp_path, rows, message):
    path = tmp_path / "X.csv"
    path.write_text(DISPRO + rows)
    with pytest.raises(FoldError, match=message):
        read_dispro_folds(path)
    path.write_text("ID,Event,Status\na,1,1\n")
    with pytest.raises(FoldError, match="has no columns called Fold 0"):
        read_dispro_folds(path)
