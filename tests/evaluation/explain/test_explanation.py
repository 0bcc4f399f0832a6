import pandas as pd

from sksurv_tta.evaluation.explain.explanation import stacked


def test_tables_without_rows_keep_their_columns():
    empty = pd.DataFrame(columns=["a", "b"])
    assert list(stacked([empty, empty])) == ["a", "b"]
    assert stacked([empty, pd.DataFrame({"a": [1], "b": [2.0]})]).dtypes.tolist() == ["int64", "float64"]
