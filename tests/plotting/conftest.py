"""Small tables as ``Comparison`` has them, made by hand."""

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.evaluation import survival_curves


@pytest.fixture
def summary():
    nan = np.nan
    return pd.DataFrame(
        [
            ("a", "c_index", 0.70, 0.60, 0.78),
            ("b", "c_index", 0.55, nan, nan),
            ("c", "c_index", nan, nan, nan),
            ("a", "brier_integrated", 0.20, 0.15, 0.25),
        ],
        columns=["model", "metric", "mean", "lower", "upper"],
    )


@pytest.fixture
def noise():
    rows = [(0, 100, 0.1, 0.3, 0.7), ("mean", 200, 0.05, 0.41, 0.59)]
    return pd.DataFrame(rows, columns=["fold", "n_pairs", "sd", "lower", "upper"])


@pytest.fixture
def paired():
    rows = [("b", "a", "c_index", -0.15, -0.25, -0.05), ("c", "a", "c_index", 0.01, -0.02, 0.03)]
    return pd.DataFrame(rows, columns=["model", "reference", "metric", "difference", "lower", "upper"])


@pytest.fixture
def fold_values():
    index = pd.MultiIndex.from_tuples([("a", "c_index"), ("b", "c_index")], names=["model", "metric"])
    return pd.DataFrame([[0.6, 0.8], [0.5, np.nan]], index=index, columns=pd.Index([0, 1], name="fold"))


@pytest.fixture
def folds():
    return pd.DataFrame({"fold": [0, 1], "n_patients": [40, 30], "n_events": [20, 1], "n_sites": [1, 3]})


@pytest.fixture
def patients():
    """Event, time and group of six patients: two groups of three."""
    return np.array([1, 0, 1, 1, 1, 0], bool), np.array([2.0, 4, 6, 1, 3, 5]), np.array([0, 0, 0, 1, 1, 1])


@pytest.fixture
def curves(patients):
    event, time, group = patients
    return survival_curves(event, time, group=group)


@pytest.fixture
def history():
    epochs = np.arange(1, 5)
    return pd.DataFrame(
        {
            "epoch": epochs,
            "train_loss": 3.0 - 0.1 * epochs,
            "train_survival": 2.0 - 0.1 * epochs,
            "train_contrast": 1.0,
            "eventless_batches": 0,
            "mass": 0.1 * epochs,
            "lr": 1e-4,
            "valid_loss": 2.5 - 0.1 * epochs,
        }
    )
