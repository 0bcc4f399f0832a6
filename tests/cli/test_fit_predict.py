"""fit and predict: a model to a file, and risks from it."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from sksurv_tta import load_model, read_cohort
from sksurv_tta.cohort.tables import EXACT_FLOATS


@pytest.fixture(scope="module")
def patients(study, tmp_path_factory):
    """A table of patients with their slides, and nothing of what became of them."""
    path = tmp_path_factory.mktemp("patients") / "patients.csv"
    pd.read_csv(study.outcomes).drop(columns=["time", "event", "site"]).to_csv(path, index=False)
    return path


def new_data(study, patients, **changes):
    files = {"bags": study.bags, "expression": study.expression, "outcomes": patients} | changes
    return [part for name, value in files.items() if value is not None for part in (f"--{name}", value)]


def test_risks_are_those_of_the_estimator(study, patients, model, run, tmp_path):
    out = tmp_path / "new" / "risks.csv"
    said = run("predict", "--model", model, *new_data(study, patients), "--times", "900,300", "--out", out)
    assert said.code == 0
    assert f"Predictions: {out} (48 patients)" in said.out
    table = pd.read_csv(out, **EXACT_FLOATS)
    assert list(table) == ["id", "risk", "survival@300", "survival@900"]
    assert table["id"].tolist() == study.cohort.ids.tolist()

    estimator = load_model(model)
    X = read_cohort(
        bags=study.bags, expression=study.expression, outcomes=study.outcomes, time="time", event="event"
    ).X
    np.testing.assert_array_equal(table["risk"], estimator.predict(X))
    functions = estimator.predict_survival_function(X)
    np.testing.assert_array_equal(table["survival@900"], [function(900.0) for function in functions])
    assert (table["survival@300"] >= table["survival@900"]).all()


def test_genes_are_found_by_name_and_patients_may_lack_a_modality(study, patients, model, run, tmp_path):
    expression = pd.read_csv(study.expression)
    shuffled = expression[["case_id", *sorted(expression.columns[1:], reverse=True)]].iloc[1:]
    rna = tmp_path / "rna.csv"
    shuffled.assign(FURTHER=1.0).to_csv(rna, index=False)
    out = tmp_path / "risks.csv"
    for table, path in [(study.expression, tmp_path / "plain.csv"), (rna, out)]:
        data = new_data(study, patients, expression=table)
        assert run("predict", "--model", model, *data, "--out", path).code == 0
    plain, other = pd.read_csv(tmp_path / "plain.csv"), pd.read_csv(out)
    np.testing.assert_array_equal(plain["risk"][1:], other["risk"][1:])
    assert other["risk"][0] != plain["risk"][0]
    assert np.isfinite(other["risk"][0])


def test_what_the_model_needs_is_asked_for(study, patients, model, run, tmp_path):
    arguments = ["predict", "--model", model, "--out", tmp_path / "risks.csv"]
    said = run(*arguments, *new_data(study, patients, bags=None))
    assert said.code == 2
    assert "fitted with slides: give --bags" in said.err
    said = run(*arguments, *new_data(study, patients, expression=None))
    assert said.code == 2
    assert "fitted with genes: give --expression" in said.err
    said = run(*arguments, *new_data(study, patients), "--times", "300,1e9")
    assert said.code == 2
    assert "--times 1e+09: the model saw follow-up from 0 to " in said.err
    assert not (tmp_path / "risks.csv").exists()


def test_without_pathways_every_gene_of_the_model_is_needed(study, patients, run, network, tmp_path):
    model, rna = tmp_path / "model.safetensors", tmp_path / "rna.csv"
    fit = ["fit", *study.options("bags", "pathways"), *network, "--out", model]
    assert run(*fit).code == 0
    expression = pd.read_csv(study.expression)
    expression.drop(columns=expression.columns[1]).to_csv(rna, index=False)
    data = new_data(study, patients, bags=None, expression=rna)
    said = run("predict", "--model", model, *data, "--out", tmp_path / "risks.csv")
    assert said.code == 1
    assert f"that the model was fitted with are not in these data: {expression.columns[1]}." in said.err
    # In another order, and with a gene that the model does not know, they are all there.
    expression[["case_id", *expression.columns[:0:-1]]].assign(NEW=0.0).to_csv(rna, index=False)
    assert run("predict", "--model", model, *data, "--out", tmp_path / "risks.csv").code == 0


def test_a_file_that_is_no_model_is_refused(study, patients, run, tmp_path):
    data = new_data(study, patients)
    said = run("predict", "--model", study.outcomes, *data, "--out", tmp_path / "risks.csv")
    assert said.code == 1
    assert "is not a model that can be used" in said.err
    said = run("predict", "--model", tmp_path / "none", *data, "--out", tmp_path / "risks.csv")
    assert said.code == 1
    assert f"error: {tmp_path / 'none'}: No such file or directory." in said.err


def test_the_same_seed_gives_the_same_model(study, model, run, network, tmp_path):
    again = tmp_path / "again.safetensors"
    said = run("fit", *study.options(), *network, "--out", again)
    assert said.code == 0
    assert f"Model: {again} (1 epochs, 48 patients)" in said.out
    risks = [load_model(path).predict(study.cohort.X) for path in (model, again)]
    np.testing.assert_array_equal(*risks)


def test_a_place_that_cannot_take_the_model_is_found_out_before_training(study, run, network, tmp_path):
    said = run("fit", *study.options(), *network, "--out", tmp_path)
    assert said.code == 2
    assert "is a folder; give the name of a file" in said.err
    said = run("fit", *study.options(), *network, "--out", study.outcomes / "model")
    assert said.code == 2
    assert f"error: {study.outcomes} is a file where a folder is needed" in said.err
    assert "Cohort(" not in said.err


def test_outcomes_without_an_event_teach_nothing(study, run, network, tmp_path):
    clinical = tmp_path / "clinical.csv"
    pd.read_csv(study.outcomes).assign(event=0).to_csv(clinical, index=False)
    said = run("fit", *study.options(outcomes=clinical), *network, "--out", tmp_path / "model")
    assert said.code == 1
    assert "None of 48 patients has an event" in said.err


@pytest.fixture
def spoilt(study, tmp_path):
    """Folder of features in which one file holds NaN and one is cut short, and whose they are."""
    folder = tmp_path / "spoilt"
    shutil.copytree(study.bags, folder)
    holding_nan, cut, *_ = sorted(folder.iterdir())
    with h5py.File(holding_nan, "r+") as file:
        file["features"][0, 0] = np.nan
    cut.write_bytes(cut.read_bytes()[:900])
    return folder, (holding_nan, cut)


def test_patients_whose_features_are_dropped_are_predicted_by_their_genes(
    study, patients, model, run, spoilt, tmp_path
):
    folder, bad = spoilt
    out = tmp_path / "risks.csv"
    arguments = ["predict", "--model", model, *new_data(study, patients, bags=folder), "--out", out]
    assert run(*arguments).code == 1
    said = run(*arguments, "--on-bad-bag", "drop")
    assert said.code == 0
    assert "2 of 48 bags cannot be used and are set to missing:" in said.err
    assert all(path.name in said.err for path in bad)
    found = pd.read_csv(out)
    for path in bad:
        path.unlink()
    assert run(*arguments).code == 0
    pd.testing.assert_frame_equal(found, pd.read_csv(out))  # as if there had been no slide
    assert np.isfinite(found["risk"]).all()


def test_a_single_patient_whose_features_are_dropped_is_predicted(
    study, patients, model, run, spoilt, tmp_path
):
    folder, bad = spoilt
    table = pd.read_csv(patients)
    own = table[[bad[0].name.startswith(str(patient)) for patient in table["case_id"]]]
    assert len(own) == 1
    own.to_csv(tmp_path / "one.csv", index=False)
    data = new_data(study, tmp_path / "one.csv", bags=folder)
    out = tmp_path / "risk.csv"
    assert run("predict", "--model", model, *data, "--on-bad-bag", "drop", "--out", out).code == 0
    assert np.isfinite(pd.read_csv(out)["risk"]).all()


def test_a_model_is_fitted_without_the_features_that_are_dropped(study, run, network, spoilt, tmp_path):
    folder, _ = spoilt
    fit = ["fit", *study.options(bags=folder), *network, "--out", tmp_path / "model.safetensors"]
    said = run(*fit)
    assert said.code == 1
    said = run(*fit, "--on-bad-bag", "drop")
    assert said.code == 1  # the patients have no slides now, which is an error unless it is allowed
    assert "2 of 48 patients have no slides" in said.err
    assert "Pass --missing allow" in said.err
    said = run(*fit, "--on-bad-bag", "drop", "--missing", "drop")
    assert said.code == 0
    assert "46 patients" in said.out
