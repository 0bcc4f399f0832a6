"""Which patient a name belongs to."""

import pytest

from sksurv_tta.cohort.findings import Findings
from sksurv_tta.cohort.names import PatientNames

KNOWN = frozenset({"P-1", "P-1-2", "17", "TCGA-2F-A9K0"})


@pytest.mark.parametrize(
    ("name", "exact", "prefix"),
    [
        ("P-1", "P-1", "P-1"),
        ("P-1-2", "P-1-2", "P-1-2"),
        ("P-1_HE_2", None, "P-1"),
        ("P-1 (old)", None, "P-1"),
        ("P-12", None, None),
        ("P-1b", None, None),
        ("17.2", None, "17"),
        ("170_1", None, None),
        ("X_17", None, None),
        ("TCGA-2F-A9K0-01Z-00-DX1.abc", "TCGA-2F-A9K0", "TCGA-2F-A9K0"),
        ("P-1-2_HE", None, None),
    ],
)
def test_a_name_belongs_to_the_patient_that_it_is_or_begins_with(name, exact, prefix):
    assert PatientNames(KNOWN).patient_of(name) == exact
    assert PatientNames(KNOWN, by_prefix=True).patient_of(name) == prefix


def test_a_name_that_begins_with_two_ids_is_refused_with_both():
    findings = Findings()
    PatientNames(KNOWN).report_ambiguous(["P-1-2_HE"], "files", findings)
    assert not findings.problems
    names = PatientNames(KNOWN, by_prefix=True)
    names.report_ambiguous(["P-1-2_HE", "P-1-2", "P-1_HE"], "files", findings)
    [problem] = findings.problems
    assert problem.startswith("1 files begin with the ids of several patients: P-1-2_HE (P-1 or P-1-2).")


def test_the_hint_counts_names_that_begin_with_a_patient():
    assert PatientNames(KNOWN).hint(["a", "b_P-1"]) == ""
    hint = PatientNames(KNOWN).hint(["a", "17_HE", "P-1_HE"])
    assert " 2 of them begin with the id of a patient (17_HE: 17)." in hint
    assert "match='prefix'" in hint
    assert PatientNames(KNOWN, by_prefix=True).hint(["17_HE"]) == ""
