"""The column that says whether the event happened."""

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.cohort.events import indicator
from sksurv_tta.cohort.findings import Findings


def column(*values):
    return pd.Series(list(values), index=[f"P{i}" for i in range(len(values))], name="status")


@pytest.mark.parametrize(
    "values",
    [
        (1, 0, 1),
        ("1", "0", "1.0"),
        (True, False, True),
        ("TRUE", "false", "True"),
        ("dead", "alive", "Dead"),
        ("DECEASED", "LIVING", "died "),
        ("1:DECEASED", "0:LIVING", "1:DEAD WITH TUMOR"),
        ("1:DEAD WITH TUMOR", "0:ALIVE OR DEAD TUMOR FREE", "1"),
    ],
)
def test_what_is_said_without_doubt_is_understood(values):
    findings = Findings()
    assert indicator(column(*values), findings, words=True).tolist() == [1.0, 0.0, 1.0]
    assert not findings.problems


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan, None, "relapse", "not dead", "2:LOST", "10:x"])
def test_anything_else_is_refused_by_patient(value):
    findings = Findings()
    assert indicator(column("dead", value, "alive"), findings, words=True) is None
    [problem] = findings.problems
    assert problem.startswith("1 of 3 patients have a value in 'status' that is neither 0 nor 1: P1 (")


def test_words_for_the_event_say_nothing_about_censoring():
    findings = Findings()
    assert indicator(column("dead", "alive"), findings, words=False) is None
    assert "dead and alive" not in findings.problems[0]
    assert indicator(column("1:CENSORED", "0:EVENT"), Findings(), words=False).tolist() == [1.0, 0.0]
