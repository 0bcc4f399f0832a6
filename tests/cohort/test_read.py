import numpy as np
import pandas as pd
import pytest

import sksurv_tta.cohort as package
from sksurv_tta.bags import BagArray, BagDtype
from sksurv_tta.cohort import as_outcome, read_cohort
from sksurv_tta.exceptions import CohortError, CohortWarning


def test_parts_are_joined_by_id_in_the_order_of_the_outcomes(study):
    study.expression = study.expression.iloc[::-1]
    cohort = study.read(site="hospital")
    assert list(cohort.X.index) == list(cohort.ids) == list(study.clinical["case_id"])
    assert isinstance(cohort.X["wsi"].dtype, BagDtype)
    assert cohort.X["wsi"].array.n_instances.tolist() == [2, 3, 4, 5, 6, 7]
    np.testing.assert_array_equal(cohort.X[cohort.genes], study.expression.iloc[::-1])
    assert cohort.site.tolist() == list("AABBCC")
    assert cohort.table["fold"].tolist() == [0, 1, 2, 0, 1, 2]


def test_the_outcome_is_what_scikit_survival_takes(study):
    y = study.read().y
    assert y.dtype.names == ("event", "time")
    assert y.dtype["event"] == np.dtype(bool)
    assert y.dtype["time"] == np.dtype(np.float64)
    assert y["event"].tolist() == [True, False] * 3
    assert y["time"].tolist() == [100.0, 200.5, 300.0, 400.0, 50.0, 600.0]


def test_tables_may_be_data_frames(study):
    from_files = study.read()
    from_frames = study.read(expression=study.expression, outcomes=study.clinical)
    pd.testing.assert_frame_equal(from_files.X.drop(columns="wsi"), from_frames.X.drop(columns="wsi"))
    np.testing.assert_array_equal(from_files.y, from_frames.y)


def test_input_tables_are_not_changed(study):
    clinical, expression = study.clinical.copy(), study.expression.copy()
    read_cohort(outcomes=clinical, expression=expression, time="days", event="death")
    pd.testing.assert_frame_equal(clinical, study.clinical)
    pd.testing.assert_frame_equal(expression, study.expression)


def test_bags_alone_and_expression_alone_make_a_cohort(study):
    assert study.read(expression=None).X.columns.tolist() == ["wsi"]
    assert "wsi" not in study.read(bags=None).X


def test_censoring_columns_are_read_by_their_own_argument(study):
    study.clinical["censorship"] = 1 - study.clinical["death"]
    cohort = study.read(event=None, censored="censorship")
    np.testing.assert_array_equal(cohort.y, study.read().y)


def test_every_problem_is_listed_at_once(study):
    study.clinical.loc[0, "days"] = -1
    study.clinical.loc[1, "death"] = 2
    study.expression.iloc[2, 1] = np.nan
    (study.bags / "B-02.h5").unlink()
    with pytest.raises(CohortError, match=r"^4 problems with this cohort") as error:
        study.read()
    told = "\n".join(error.value.problems)
    for words in ("A-01 (-1.0)", "A-02 (2)", "B-01 (genes TP53)", "no slides: B-02"):
        assert words in told


def test_wrong_paths_are_told_even_if_the_outcomes_cannot_be_used(study):
    with pytest.raises(CohortError, match="3 problems") as error:
        study.read(time="months", bags=study.folder / "nope", expression=study.folder / "none.csv")
    assert [problem[:35] for problem in error.value.problems] == [
        "The outcomes table has no column 'm",
        "There is no folder or file " + str(study.folder)[:8],
        "There is no file " + str(study.folder)[:18],
    ]


def test_patients_without_data_are_refused_by_name(study):
    (study.bags / "B-02.h5").unlink()
    study.expression = study.expression.drop(index=["A-01", "C-02"])
    with pytest.raises(
        CohortError, match=r"1 of 6 .* no slides: B-02\.(.|\n)*2 of 6 .* expression: A-01, C-02\."
    ):
        study.read()


def test_patients_without_data_can_be_kept_with_missing_cells(study):
    (study.bags / "B-02.h5").unlink()
    study.expression = study.expression.drop(index=["A-01", "C-02"])
    cohort = study.read(missing="allow")
    assert cohort.X["wsi"].isna().tolist() == [False, False, False, True, False, False]
    assert cohort.X[cohort.genes].isna().all(axis=1).tolist() == [True, False, False, False, False, True]


def test_patients_without_anything_cannot_be_kept(study):
    (study.bags / "B-02.h5").unlink()
    study.expression = study.expression.drop(index="B-02")
    with pytest.warns(CohortWarning, match=r"1 of 6 .* \(without slides and without expression\): B-02"):
        cohort = study.read(missing="allow")
    assert "B-02" not in cohort.ids


def test_patients_without_data_can_be_left_out(study):
    (study.bags / "B-02.h5").unlink()
    study.expression = study.expression.drop(index=["A-01"])
    with pytest.warns(CohortWarning, match=r"2 of 6 .* \(without slides or without expression\): A-01, B-02"):
        cohort = study.read(missing="drop", site="hospital")
    assert cohort.ids.tolist() == ["A-02", "B-01", "C-01", "C-02"]
    assert len(cohort) == len(cohort.y) == len(cohort.site) == len(cohort.table) == 4
    assert list(cohort.table["case_id"]) == list(cohort.ids)


def test_a_profile_of_empty_cells_is_missing_expression(study):
    study.expression.iloc[3] = np.nan
    assert study.read(missing="allow").X["ACTB"].isna().sum() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"censored": "death"}, "either event= .* or censored="),
        ({"event": None}, "either event= .* or censored="),
        ({"missing": "ignore"}, "missing must be one of 'error', 'allow', 'drop', got 'ignore'"),
        ({"bags": None, "expression": None}, "nothing to predict from"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(study, arguments, message):
    with pytest.raises(CohortError, match=message):
        study.read(**arguments)


def test_warnings_point_at_the_callers_line(study):
    study.clinical.loc[0, "days"] = 0
    with pytest.warns(CohortWarning, match="time 0: A-01") as caught:
        study.read()
    assert caught[0].filename == str(study.read.__func__.__code__.co_filename)


def test_summary_counts_what_is_there_and_what_was_left_aside(study):
    (study.bags / "B-02.h5").unlink()
    study.clinical = study.clinical.drop(index=0)
    facts = study.read(site="hospital", missing="allow").summary()
    expected = {
        "patients": 5,
        "events": 2,
        "event rate": 0.4,
        "median time": 300.0,
        "sites": 3,
        "patients of the largest site": 2,
        "bags": 4,
        "missing bags": 1,
        "features": 3,
        "median instances": 5.0,
        "genes": 4,
        "missing expression": 0,
        "rows of the expression table of other patients": 1,
        "feature files of other patients": 1,
    }
    assert facts.to_dict() == expected


def test_repr_says_what_the_cohort_is(study):
    assert repr(study.read(site="hospital")) == (
        "Cohort(6 patients, 3 events (50%), 3 sites, 6 bags (0 missing; median 4 instances of 3 features), "
        "4 genes (0 patients without))"
    )
    assert repr(study.read(bags=None)) == "Cohort(6 patients, 3 events (50%), 4 genes (0 patients without))"


def test_outcomes_are_made_from_any_sequences():
    y = as_outcome([1, 0], [2, 3.5])
    assert y.tolist() == [(True, 2.0), (False, 3.5)]


def test_bag_cells_stay_in_their_files(study):
    column = study.read().X["wsi"].array
    assert isinstance(column, BagArray)
    assert column[0].paths == (str(study.bags / "A-01.h5"),)


def test_all_public_names_exist():
    assert all(hasattr(package, name) for name in package.__all__)


def test_patients_to_predict_need_no_outcome(study):
    study.clinical = study.clinical.drop(columns=["days", "death"])
    cohort = study.read(time=None, event=None, site="hospital")
    assert cohort.y is None
    assert cohort.ids.tolist() == study.clinical["case_id"].tolist()
    assert cohort.site.tolist() == list("AABBCC")
    assert "events" not in cohort.summary()
    assert repr(cohort) == (
        "Cohort(6 patients, 3 sites, 6 bags (0 missing; median 4 instances of 3 features), "
        "4 genes (0 patients without))"
    )


def test_without_outcomes_slides_and_missing_patients_are_handled_as_with_them(study):
    study.expression = study.expression.drop(index="A-02")
    with pytest.raises(CohortError, match="1 of 6 patients have no expression: A-02"):
        study.read(time=None, event=None)
    with pytest.warns(CohortWarning, match="1 of 6 patients are left out"):
        assert len(study.read(time=None, event=None, missing="drop")) == 5


@pytest.mark.parametrize("half", [{"time": None}, {"time": None, "event": None, "censored": "death"}])
def test_half_an_outcome_is_refused(study, half):
    with pytest.raises(CohortError, match="Pass time="):
        study.read(**half)
