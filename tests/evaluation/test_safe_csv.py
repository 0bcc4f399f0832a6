import errno
import os

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.cohort.tables import EXACT_FLOATS
from sksurv_tta.evaluation.safe_csv import as_safe_csv, write_csv


@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_text_that_a_spreadsheet_would_run_is_quoted(dtype):
    cells = ["=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", "\r=1", "A=1", "", "TCGA-01"]
    safe = as_safe_csv(pd.DataFrame({"id": pd.Series(cells, dtype=dtype)}))["id"].tolist()
    assert safe == ["'=1+1", "'+cmd", "'-2", "'@SUM(A1)", "'\t=1", "'\r=1", "A=1", "", "TCGA-01"]


def test_numbers_and_missing_cells_stay_what_they_are():
    table = pd.DataFrame(
        {
            "risk": [-1.5, np.nan],
            "event": [True, False],
            "n": [-1, 2],
            "text": [None, "=x"],
            "mixed": ["-a", -3],
        }
    )
    safe = as_safe_csv(table)
    pd.testing.assert_frame_equal(safe[["risk", "event", "n"]], table[["risk", "event", "n"]])
    assert safe["text"].isna().tolist() == [True, False]
    assert safe["mixed"].tolist() == ["'-a", -3]
    assert table["text"][1] == "=x"


def test_names_of_columns_are_quoted_too_and_may_repeat():
    table = pd.DataFrame([[1, 2]], columns=["=A1", "=A1"])
    assert list(as_safe_csv(table)) == ["'=A1", "'=A1"]


def test_a_table_without_rows_or_columns_is_still_a_table(tmp_path):
    for table in (pd.DataFrame({"id": []}), pd.DataFrame()):
        assert as_safe_csv(table).shape == table.shape
    write_csv(pd.DataFrame({"id": [], "risk": []}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "id,risk\n"


def test_numbers_come_back_bit_by_bit_and_text_as_it_was(tmp_path):
    numbers = np.random.default_rng(0).standard_normal(50) * 10.0 ** np.arange(-25, 25)
    ids = [f'Ä"{i};,\n<b>' for i in range(50)]
    write_csv(pd.DataFrame({"id": ids, "risk": numbers}), tmp_path / "t.csv")
    back = pd.read_csv(tmp_path / "t.csv", **EXACT_FLOATS)
    np.testing.assert_array_equal(back["risk"], numbers)
    assert back["id"].tolist() == ids


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_csv(pd.DataFrame({"a": [1]}), path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_csv(pd.DataFrame({"a": [2]}), path)
    assert path.read_text() == "a\n1\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]
