"""pack and demo."""

import shutil

import numpy as np
import pandas as pd
import pytest

from sksurv_tta import read_cohort
from sksurv_tta.bags import write_checksums
from sksurv_tta.cli import demo


def test_a_store_holds_the_same_features_and_serves_as_bags(study, run, tmp_path):
    store = tmp_path / "features.store"
    said = run(
        "pack", "--bags", study.bags, "--outcomes", study.outcomes, "--dtype", "float32", "--out", store
    )
    assert said.code == 0
    assert "48/48" in said.err
    assert f"Store: {store} (48 patients, " in said.out
    packed, files = (
        read_cohort(bags=bags, outcomes=study.outcomes, time="time", event="event").X["wsi"].array
        for bags in (store, study.bags)
    )
    for one, other in zip(packed, files, strict=True):
        np.testing.assert_array_equal(one.read(), other.read())

    said = run("pack", "--bags", study.bags, "--outcomes", study.outcomes, "--out", store)
    assert said.code == 1
    assert "exists already" in said.err
    assert "patients/s" not in said.err


def test_features_are_compared_with_their_checksums_if_asked(study, run, tmp_path):
    bags = tmp_path / "features"
    shutil.copytree(study.bags, bags)
    options = ("--bags", bags, "--outcomes", study.outcomes, "--verify", "sha256", "--out")
    missing = run("pack", *options, tmp_path / "store")
    assert missing.code == 1
    assert "SHA256SUMS: no such file, but --verify sha256 compares" in missing.err
    write_checksums(bags)
    assert run("pack", *options, tmp_path / "store").code == 0
    damaged = min(bags.glob("*.h5"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    answer = run("pack", *options, tmp_path / "second")
    assert answer.code == 1
    assert damaged.name in answer.err


@pytest.mark.slow
def test_the_demo_writes_data_and_results_and_says_what_it_ran(run, network, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "MODELS", "tta,ridge-genes")
    monkeypatch.setattr(demo, "N_FOLDS", 2)
    out = tmp_path / "demo results"
    arguments = ["demo", "--out", out, "--patients", "60", "--n-jobs", "1", "--quiet", *network]
    said = run(*arguments)
    assert said.code == 0
    assert f"sksurv-tta evaluate --bags '{out}/data/features' --expression" in said.out
    assert f"Results: {out}/results" in said.out
    assert "The simulated truth itself, which no model can know, has a concordance of 0." in said.out
    assert pd.read_csv(out / "results" / "metrics.csv")["patients"].sum() == 2 * 60

    said = run(*arguments)
    assert said.code == 1
    assert "Write to another folder" in said.err
