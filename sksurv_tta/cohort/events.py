"""Read the column that says whether the event happened: numbers, truth values, or words without doubt."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from sksurv_tta.cohort.findings import Findings
from sksurv_tta.exceptions import listing

__all__ = ["indicator"]

TRUTH = {"true": 1.0, "false": 0.0}
#: What became of a patient, in words that say the same in every table.
STATUS = {"dead": 1.0, "deceased": 1.0, "died": 1.0, "alive": 0.0, "living": 0.0}
#: A number with its meaning after it, such as ``1:DECEASED``.
CODED = re.compile(r"([01]):")


def indicator(column: pd.Series, findings: Findings, *, words: bool) -> np.ndarray | None:
    """Numbers 0 and 1, (n_patients,); None, and a problem, if a value is something else.

    Parameters
    ----------
    column : Series
        Index: patient ids.
    findings : Findings
        Takes the problem.
    words : bool
        Whether "dead" and "alive" are understood, in small letters or capitals. They say what happened, so
        they have no place in a column that marks who is censored.
    """
    number = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    meaning = TRUTH | STATUS if words else TRUTH
    said = np.array([_in_words(cell, meaning) for cell in column], dtype=np.float64)
    flag = np.where(np.isnan(number), said, number)
    wrong = ~np.isin(flag, [0.0, 1.0])
    if not wrong.any():
        return flag
    cells = listing(f"{patient} ({value})" for patient, value in column[wrong].items())
    understood = "0 and 1, True and False, codes such as 1:DECEASED" + (", dead and alive" if words else "")
    findings.problems.append(
        f"{wrong.sum()} of {len(flag)} patients have a value in {column.name!r} that is neither 0 nor 1: "
        f"{cells}. Understood are {understood}; other words must be turned into 0 and 1 first, and patients "
        "whose outcome is unknown left out."
    )
    return None


def _in_words(cell: object, meaning: dict[str, float]) -> float:
    text = str(cell).strip()
    coded = CODED.match(text)
    return float(coded[1]) if coded else meaning.get(text.lower(), np.nan)
