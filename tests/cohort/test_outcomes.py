import gzip

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.cohort import read_cohort
from sksurv_tta.exceptions import CohortError, CohortWarning


@pytest.mark.parametrize(
    "name", ["patient_id", "Patient ID", "submitter_id", "bcr_patient_barcode", "PATIENT"]
)
def test_the_id_column_is_found_by_its_usual_names(study, name):
    study.clinical = study.clinical.rename(columns={"case_id": name})
    assert study.read().ids[0] == "A-01"


def test_the_id_column_can_be_named(study):
    study.clinical["code"] = study.clinical["case_id"]
    study.clinical["case_id"] = "unused"
    assert study.read(id="code").ids[0] == "A-01"


def test_columns_are_listed_when_no_id_column_is_found(study):
    study.clinical = study.clinical.rename(columns={"case_id": "code"})
    with pytest.raises(CohortError, match=r"name it with id=.* columns: code, hospital, days, death, fold"):
        study.read()


def test_an_id_column_that_does_not_exist_is_refused(study):
    with pytest.raises(CohortError, match="no column 'pid', asked for as id"):
        study.read(id="pid")


def test_the_index_of_a_data_frame_can_hold_the_ids(study):
    assert study.read(outcomes=study.clinical.set_index("case_id")).ids[0] == "A-01"


def test_ids_keep_their_zeros(study):
    study.clinical["case_id"] = study.expression.index = [f"{i:04d}" for i in range(6)]
    assert study.read(bags=None).ids.tolist() == ["0000", "0001", "0002", "0003", "0004", "0005"]


def test_a_site_called_na_is_a_site(study):
    study.clinical["hospital"] = ["NA", "NA", "01", "01", "1E5", "2F"]
    with pytest.warns(CohortWarning, match=r"2 patients .* a site called NA .*: A-01, A-02"):
        cohort = study.read(site="hospital")
    assert cohort.site.tolist() == ["NA", "NA", "01", "01", "1E5", "2F"]


def test_patients_without_a_site_are_named(study):
    study.clinical.loc[2, "hospital"] = None
    with pytest.raises(CohortError, match="1 of 6 patients have no site in 'hospital': B-01"):
        study.read(site="hospital")


def test_sites_are_taken_from_tcga_barcodes(study):
    study.clinical["case_id"] = study.expression.index = [f"TCGA-{i}F-A9K{i}" for i in range(6)]
    assert study.read(bags=None, site="tcga").site.tolist() == ["0F", "1F", "2F", "3F", "4F", "5F"]


def test_sites_cannot_be_taken_from_other_ids(study):
    with pytest.raises(CohortError, match="6 of 6 patient ids are no TCGA barcodes: A-01"):
        study.read(site="tcga")


@pytest.mark.parametrize("missing", ["days", "death", "hospital"])
def test_columns_that_do_not_exist_are_refused(study, missing):
    study.clinical = study.clinical.drop(columns=missing)
    with pytest.raises(CohortError, match=f"no column '{missing}'. Its columns: case_id"):
        study.read(site="hospital")


@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf, "soon"])
def test_times_that_cannot_be_used_are_refused_by_patient(study, value):
    study.clinical["days"] = study.clinical["days"].astype(object)
    study.clinical.loc[[1, 4], "days"] = value
    with pytest.raises(CohortError, match=r"2 of 6 patients have a time in 'days' .*A-02 \(.*C-01 \("):
        study.read()


@pytest.mark.parametrize("value", [2, np.nan, "relapse", 0.5])
def test_events_that_are_neither_0_nor_1_are_refused_by_patient(study, value):
    study.clinical["death"] = study.clinical["death"].astype(object)
    study.clinical.loc[3, "death"] = value
    with pytest.raises(
        CohortError, match=r"1 of 6 .* 'death' that is neither 0 nor 1: B-02.*turned into 0 and 1"
    ):
        study.read()


def test_dead_and_alive_are_understood_as_events_and_not_as_censoring(study):
    study.clinical["death"] = study.clinical["death"].map({1: "Dead", 0: "Alive"})
    assert study.read().y["event"].tolist() == [True, False] * 3
    with pytest.raises(CohortError, match="6 of 6 patients have a value in 'death' that is neither 0 nor 1"):
        study.read(event=None, censored="death")


def test_one_column_cannot_be_time_and_event(study):
    with pytest.raises(CohortError, match="'death' cannot be both the time and the event: name two columns"):
        study.read(time="death", event="death")


@pytest.mark.parametrize("kind", [int, float, bool, str])
@pytest.mark.parametrize("as_frame", [True, False])
def test_events_may_be_of_any_type(study, kind, as_frame):
    study.clinical["death"] = study.clinical["death"].astype(bool).astype(kind)
    cohort = study.read(outcomes=study.clinical) if as_frame else study.read()
    assert cohort.y["event"].tolist() == [True, False] * 3


@pytest.mark.parametrize("name", ["dss_censorship", "Censored", "CENSOR"])
def test_a_column_named_after_censoring_is_refused_as_event(study, name):
    study.clinical = study.clinical.rename(columns={"death": name})
    with pytest.raises(CohortError, match=f"sounds like .* pass censored='{name}' instead of event"):
        study.read(event=name)


def test_many_events_are_suspicious(study):
    study.clinical["death"] = 1
    with pytest.warns(CohortWarning, match=r"100% .* pass censored='death'"):
        study.read()


def test_no_event_is_reported(study):
    study.clinical["death"] = 0
    with pytest.warns(CohortWarning, match="No patient has an event"):
        study.read()


def test_time_zero_is_kept_and_reported(study):
    study.clinical.loc[0, "days"] = 0
    with pytest.warns(CohortWarning, match="1 patients have time 0: A-01"):
        assert study.read().y["time"][0] == 0


def test_repeated_ids_are_refused(study):
    study.clinical.loc[1, "case_id"] = "A-01"
    with pytest.raises(CohortError, match=r"1 patients have several rows .* slides: A-01"):
        study.read()


def test_empty_and_unprintable_ids_are_refused(study):
    study.clinical.loc[1, "case_id"] = None
    study.clinical.loc[2, "case_id"] = "B\t1"
    with pytest.raises(CohortError, match=r"no patient id: rows 2(.|\n)*control characters: 'B\\t1'"):
        study.read(bags=None)


def test_one_row_for_each_slide_makes_one_patient(study):
    study.clinical["slide_id"] = study.clinical["case_id"] + ".svs"
    extra = study.clinical.loc[[0]].assign(slide_id="A-02.svs")
    study.clinical = pd.concat([study.clinical.drop(index=1), extra])
    cohort = study.read()
    assert cohort.ids.tolist() == ["A-01", "B-01", "B-02", "C-01", "C-02"]
    assert cohort.table["slide_id"].iloc[0] == "A-01.svs;A-02.svs"
    assert cohort.X["wsi"].iloc[0].n_instances == 2 + 3


def test_rows_of_a_patient_must_agree(study):
    study.clinical["slide_id"] = study.clinical["case_id"]
    extra = study.clinical.loc[[0]].assign(slide_id="other", days=7.0, hospital="Z")
    study.clinical = pd.concat([study.clinical, extra])
    with pytest.raises(
        CohortError, match=r"do not agree in 'days': A-01(.|\n)*do not agree in 'hospital': A-01"
    ):
        study.read(site="hospital", bags=None)


def test_a_slide_of_two_patients_is_refused(study):
    study.clinical["slide_ids"] = ["S1", "S2;S1", "S3", "S4", "S5", "S6"]
    with pytest.raises(CohortError, match=r"1 slides belong to several patients: S1 \(A-01, A-02\)"):
        study.read(bags=None)


def test_other_separators_comments_and_compression_are_understood(study):
    text = "# exported\n" + study.clinical.to_csv(index=False, sep="\t")
    path = study.folder / "clinical.tsv.gz"
    path.write_bytes(gzip.compress(text.encode("utf-8-sig")))
    semicolons = study.folder / "clinical2.csv"
    study.clinical.to_csv(semicolons, index=False, sep=";")
    for outcomes in (path, semicolons):
        np.testing.assert_array_equal(study.read(outcomes=outcomes).y, study.read().y)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read: it is empty"),
        (b"case_id,days,death\n", "has no rows"),
        (b"case_id,days,death\nA-01,1,0\nA-02,1,0,9\n", "cannot be read: .*line 3"),
        (b"\x1f\x8b\x00", "cannot be read"),
        (b"case_id,days,days,death\nA-01,1,1,0\n", "several columns 'days'"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(study, content, message):
    path = study.folder / "damaged.csv"
    path.write_bytes(content)
    with pytest.raises(CohortError, match=message):
        study.read(outcomes=path)


def test_a_missing_table_is_named(study):
    with pytest.raises(CohortError, match=r"no file .*gone\.csv \(outcomes\)"):
        read_cohort(outcomes=study.folder / "gone.csv", time="t", event="e", bags=study.bags)


@pytest.mark.parametrize("cell", ["NA", "'--", "[Not Available]", "NULL"])
def test_cells_that_mean_unknown_are_missing(study, cell):
    study.clinical["days"] = study.clinical["days"].astype(object)
    study.clinical.loc[0, "days"] = cell
    with pytest.raises(CohortError, match=r"1 of 6 .* missing, negative or no number: A-01"):
        study.read()
    study.clinical.loc[0, "days"] = 1.0
    study.clinical["unused"] = cell
    assert study.read().table["unused"].isna().all()


@pytest.mark.parametrize("name", ["case_id", "days", "hospital", "slide_id"])
def test_two_columns_of_one_name_are_refused(study, name):
    study.clinical["slide_id"] = study.clinical["case_id"]
    study.write()
    path = study.folder / "clinical.csv"
    header, rest = path.read_text().split("\n", 1)
    path.write_text(header.replace("fold", name) + "\n" + rest)
    study.write = lambda: None
    with pytest.raises(CohortError, match=f"has several columns '{name}'"):
        study.read(site="hospital")
