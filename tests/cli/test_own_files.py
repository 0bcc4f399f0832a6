"""Files as they lie around in hospitals: suffixes, words, genes in the rows, gaps, normal tissue."""

import shutil
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture
def own_files(study, tmp_path):
    """Options of a study whose files have all of these at once."""
    features = tmp_path / "trident" / "20x_256px_0px_overlap" / "features_uni_v1"
    features.mkdir(parents=True)
    for path in sorted(Path(study.bags).glob("*.h5"))[1:]:
        shutil.copy(path, features / f"{path.stem}_HE.h5")
    clinical = pd.read_csv(study.outcomes)
    ids = clinical.columns[0]
    clinical = clinical.drop(columns=[name for name in ("slide_id", "slide_ids") if name in clinical])
    clinical["status"] = clinical["event"].map({1: "Dead", 0: "Alive"})
    clinical["months"] = clinical["time"] / 30.4
    clinical.drop(columns=["event", "time"]).rename(columns={ids: "Patient ID"}).to_csv(
        tmp_path / "clinical.csv", index=False
    )
    expression = pd.read_csv(study.expression, index_col=0)
    expression.index = [f"{patient}_T" for patient in expression.index]
    expression.iloc[2:].T.rename_axis("Hugo_Symbol").to_csv(tmp_path / "rna.txt", sep="\t")
    return {
        "bags": features,
        "expression": tmp_path / "rna.txt",
        "outcomes": tmp_path / "clinical.csv",
        "time": "months",
        "event": "status",
        "out": tmp_path / "results",
    }


def as_arguments(given):
    return [part for name, value in given.items() for part in (f"--{name}", str(value))]


def test_each_message_leads_on_to_the_next_option_until_there_are_results(own_files, study, run):
    given = own_files | {"models": "ridge-genes", "n-folds": 2, "pathways": study.pathways}
    job = own_files["bags"].parent.parent
    said = run("evaluate", *as_arguments(given | {"bags": job}))
    assert f"folders below it do: {own_files['bags']}. Pass the one" in said.err
    said = run("evaluate", *as_arguments(given))
    assert said.code == 1
    assert said.err.count("pass --match prefix") == 2
    assert "neither 0 nor 1" not in said.err
    given["match"] = "prefix"
    said = run("evaluate", *as_arguments(given))
    assert said.err.count("Pass --missing allow") == 2
    assert "begin with the id" not in said.err
    said = run("evaluate", *as_arguments(given | {"missing": "drop"}), "--quiet")
    assert said.code == 0
    assert "2 of 48 patients are left out" in said.err
    assert (own_files["out"] / "summary.txt").is_file()
