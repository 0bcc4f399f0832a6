"""Nothing of a patient is in a saved model or a checkpoint.

A cohort is marked wherever a patient could be known by: ids, labels of the index, sites, strata, paths
and content of bags, values of the expression and times. Times are the one exception that a
model needs: it stores the distinct ones, as numbers, for its survival functions.
"""

import struct

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.bags import BagArray
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.training.tensor_files import open_file

MARK = "PATIENTMARK"
EXPRESSION = 4.2424242424242422
FEATURE = 7.5757575
TIME = 1234.5678


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A model and checkpoints that were made from a cohort full of marks."""
    folder = tmp_path_factory.mktemp("cohort") / f"{MARK}-folder"
    folder.mkdir()
    rng = np.random.default_rng(0)
    n_patients = 12
    paths = []
    for patient in range(n_patients):
        features = rng.normal(size=(5, 4)).astype(np.float32)
        features[0, 0] = FEATURE
        paths.append(folder / f"{MARK}-{patient}.npy")
        np.save(paths[-1], features)
    genes = pd.DataFrame(rng.normal(size=(n_patients, 6)), columns=[f"G{i}" for i in range(6)])
    genes.iloc[3, 2] = EXPRESSION
    X = genes.assign(wsi=BagArray.from_files(paths)).set_axis([f"{MARK}-{i}" for i in range(n_patients)])
    y = np.empty(n_patients, dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = np.arange(n_patients) % 3 > 0, rng.exponential(10, n_patients) + 0.1
    y["time"][5] = TIME
    sites = [f"{MARK}-site-{i % 3}" for i in range(n_patients)]
    work = tmp_path_factory.mktemp("results")
    gmt = folder / "sets.gmt"
    gmt.write_text("ONE\t\tG0\tG1\tG2\nTWO\t\tG3\tG4\tG5\n")
    estimator = TTASurvivalEstimator(
        token_dim=8, prototype_dim=8, n_prototypes=3, n_heads=2, batch_size=6, max_epochs=2,
        n_members=2, pathways=str(gmt), checkpoint_dir=work / "checkpoints", random_state=0,
        validation_fraction=0.3,
    )  # fmt: skip
    strata = [f"{MARK}-stratum-{i % 2}" for i in range(n_patients)]
    estimator.fit(X, y, sites=sites, strata=strata).save(work / "model")
    return work / "model", sorted(work.glob("checkpoints/*/epoch-*"))


def numbers(value):
    """How a number could stand in a file."""
    as_binary = [struct.pack(kind, value) for kind in ("<d", "<f")]
    return [*as_binary, repr(value).encode(), f"{value:g}".encode()]


def test_the_model_holds_no_name_and_no_value(marked):
    content = marked[0].read_bytes()
    assert MARK.encode() not in content
    for value in (EXPRESSION, FEATURE):
        assert not any(form in content for form in numbers(value))


def test_times_stand_only_among_the_times_of_the_model(marked):
    content = marked[0].read_bytes()
    as_double, as_single, *as_text = numbers(TIME)
    assert content.count(as_double) == 1
    assert TIME in open_file(marked[0]).read()["rule.times"]
    assert not any(form in content for form in (as_single, *as_text))


def test_checkpoints_hold_digests_only(marked):
    _, checkpoints = marked
    assert len(checkpoints) == 2
    for path in checkpoints:
        content = path.read_bytes()
        assert MARK.encode() not in content
        for value in (EXPRESSION, FEATURE, TIME):
            assert not any(form in content for form in numbers(value))


def test_a_planted_mark_would_be_found(marked, tmp_path):
    """The search itself works: a parameter that carries a mark is in the file."""
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 3)), columns=["A", "B", MARK])
    y = np.array([(True, t) for t in range(1, 9)], dtype=[("event", bool), ("time", float)])
    estimator = TTASurvivalEstimator(token_dim=4, prototype_dim=4, n_prototypes=2, max_epochs=1)
    estimator.fit(X, y).save(tmp_path / "model")
    assert MARK.encode() in (tmp_path / "model").read_bytes()
