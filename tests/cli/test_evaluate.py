"""evaluate: what it writes, that it can be believed, and that it goes on where it stopped."""

import json

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import concordance_index_censored

import sksurv_tta.evaluation.tasks as tasks
from sksurv_tta.cli import main


def test_every_file_is_there_with_its_columns(evaluated):
    names = {path.name for path in evaluated.folder.iterdir()}
    assert names == {
        "cache",
        "figures",
        "fits.csv",
        "fold_summary.csv",
        "folds.csv",
        "metrics.csv",
        "modalities.csv",
        "noise_floor.csv",
        "paired.csv",
        "predictions.csv",
        "report.html",
        "run.json",
        "summary.csv",
        "summary.txt",
    }
    assert list(evaluated.metrics)[:7] == [
        "model",
        "fold",
        "seed",
        "patients",
        "events",
        "comparable_pairs",
        "c_index",
    ]
    assert list(evaluated.metrics)[-1] == "why_missing"
    assert {"auc@700", "brier_integrated"} < set(evaluated.metrics)
    assert list(evaluated.folds) == ["id", "site", "fold"]
    assert {"id", "model", "seed", "fold", "site", "event", "time", "risk", "survival@700"} < set(
        evaluated.predictions
    )
    assert {"model", "metric", "mean", "sd", "ci95_lower", "ci95_upper"} < set(evaluated.summary)
    assert {"model", "reference", "metric", "difference", "ci95_lower", "ci95_upper"} < set(evaluated.paired)
    assert {"model", "seed", "fold", "fit_seconds"} < set(evaluated.fits)


def test_a_row_of_metrics_is_what_the_predictions_say(evaluated):
    assert len(evaluated.metrics) == 2 * 2 * 2  # models, folds, seeds
    by_fit = evaluated.metrics.set_index(["model", "fold", "seed"])
    for fit, rows in evaluated.predictions.groupby(["model", "fold", "seed"]):
        metrics = by_fit.loc[fit]
        value, concordant, discordant, tied, _ = concordance_index_censored(
            rows["event"].astype(bool), rows["time"], rows["risk"]
        )
        assert metrics["c_index"] == pytest.approx(value, abs=1e-12)
        assert metrics["comparable_pairs"] == concordant + discordant + tied
        assert (metrics["patients"], metrics["events"]) == (len(rows), rows["event"].sum())


def test_the_summary_is_the_mean_over_folds(evaluated):
    by_fold = evaluated.metrics.groupby(["model", "fold"])["c_index"].mean().groupby("model")
    harrell = evaluated.summary.query("metric == 'c_index'").set_index("model")
    for model, values in by_fold:
        assert harrell.loc[model, "mean"] == pytest.approx(values.mean(), abs=1e-12)
        assert harrell.loc[model, "sd"] == pytest.approx(values.std(ddof=1), abs=1e-12)
    difference = evaluated.paired.query("metric == 'c_index'").iloc[0]
    assert (difference["model"], difference["reference"]) == ("ridge-genes", "tta")
    expected = harrell.loc["ridge-genes", "mean"] - harrell.loc["tta", "mean"]
    assert difference["difference"] == pytest.approx(expected, abs=1e-12)


def test_every_patient_is_predicted_once_by_each_model_and_seed(evaluated, study):
    for _, rows in evaluated.predictions.groupby(["model", "seed"]):
        assert sorted(rows["id"]) == sorted(study.cohort.ids)
    assert sorted(evaluated.predictions["seed"].unique()) == [0, 1]


def test_sites_are_whole_and_folds_are_those_of_the_predictions(evaluated, study):
    folds = evaluated.folds.set_index("id")
    assert (folds.groupby("site")["fold"].nunique() == 1).all()
    assert folds["site"].to_dict() == dict(zip(study.cohort.ids, study.cohort.site, strict=True))
    assert (evaluated.predictions["fold"] == folds.loc[evaluated.predictions["id"], "fold"].to_numpy()).all()


def test_the_run_can_be_read_off_its_description(evaluated):
    run = json.loads((evaluated.folder / "run.json").read_text())
    assert run["command"] == ["sksurv-tta", *evaluated.arguments]
    assert run["options"]["n_folds"] == 2
    assert run["options"]["missing"] == "error"
    assert run["models"]["tta"]["max_epochs"] == 1
    assert run["models"]["ridge-genes"]["class"] == "Pipeline"
    assert run["data"]["patients"] == 48
    assert set(run["digests"]) == {"outcomes", "expression", "pathways", "bag sizes"}
    assert "torch" in run["versions"]


def test_the_gist_says_what_the_tables_say(evaluated):
    text = (evaluated.folder / "summary.txt").read_text()
    row = evaluated.summary.query("metric == 'c_index' and model == 'tta'").iloc[0]
    assert f"tta          {row['mean']:.3f} ± {row['sd']:.3f}" in text
    assert "2 folds, 2 seeds per model" in text
    assert "An interval that contains 0 is no evidence" in text


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_second_run_fits_nothing_and_writes_the_same_bytes(evaluated, run, monkeypatch):
    before = contents(evaluated.folder)
    monkeypatch.setattr(tasks, "_fitted", lambda *_: pytest.fail("a finished fit was run again"))
    said = run(*evaluated.arguments)
    assert said.code == 0
    assert "8 of 8 fits were already in" in said.err
    assert contents(evaluated.folder) == before


def test_an_interrupted_run_goes_on_where_it_stopped(study, run, tmp_path, monkeypatch):
    fit, done = tasks._fitted, []

    def interrupted_at_the_second(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(arguments[0].fold)
        return fit(*arguments)

    out = tmp_path / "results"
    arguments = [
        "evaluate", *study.options(), "--models", "ridge-genes", "--n-folds", "2", "--out", out, "--quiet"
    ]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "_fitted", interrupted_at_the_second)
        said = run(*arguments)
    assert said.code == 130
    assert f"Finished fits are in {out}/cache; the same command goes on from there" in said.err
    said = run(*arguments)
    assert said.code == 0
    assert "1 of 2 fits were already in" in said.err


@pytest.fixture(scope="module")
def quick(study):
    """Arguments of an evaluation that takes no time."""
    return ["evaluate", *study.options(), "--models", "ridge-genes", "--quiet"]


def test_folds_of_a_column_and_of_a_file_are_taken_as_they_are(study, quick, tmp_path, run):
    table = pd.read_csv(study.outcomes)
    table["published"] = table["site"].map({site: i % 3 for i, site in enumerate(table["site"].unique())})
    clinical = tmp_path / "clinical.csv"
    table.to_csv(clinical, index=False)
    arguments = [*quick, "--outcomes", clinical, "--folds"]
    assert run(*arguments, "published", "--out", tmp_path / "column").code == 0
    folds = pd.read_csv(tmp_path / "column" / "folds.csv").set_index("id")["fold"]
    assert folds.loc[table["case_id"]].tolist() == table["published"].tolist()
    assert run(*arguments, tmp_path / "column" / "folds.csv", "--out", tmp_path / "file").code == 0
    for name in ("folds", "predictions", "metrics"):
        same = [(tmp_path / place / f"{name}.csv").read_bytes() for place in ("column", "file")]
        assert same[0] == same[1]


def test_patients_that_are_always_in_training_have_no_fold(study, quick, tmp_path, run):
    table = pd.read_csv(study.outcomes)
    sites = table["site"].unique()
    table["fold"] = table["site"].map({site: i % 3 - 1 for i, site in enumerate(sites)})
    clinical = tmp_path / "clinical.csv"
    table.to_csv(clinical, index=False)
    assert run(*quick, "--outcomes", clinical, "--folds", "fold", "--out", tmp_path / "r").code == 0
    folds = pd.read_csv(tmp_path / "r" / "folds.csv")
    predictions = pd.read_csv(tmp_path / "r" / "predictions.csv")
    assert set(folds.query("fold >= 0")["id"]) == set(predictions["id"])
    assert set(folds.query("fold < 0")["id"]) == set(table.query("fold < 0")["case_id"])


def test_folds_that_cannot_be_used_say_why(study, quick, tmp_path, run):
    table = pd.read_csv(study.outcomes)
    table["torn"] = np.arange(len(table)) % 2
    table["of_events"] = 1 - table["event"]
    clinical = tmp_path / "clinical.csv"
    table.to_csv(clinical, index=False)
    arguments = [*quick, "--outcomes", clinical, "--out", tmp_path / "r", "--folds"]
    said = run(*arguments, "nonsense")
    assert said.code == 1
    assert "--folds nonsense: there is no such file, and the outcomes table has no such column" in said.err
    said = run(*arguments, "torn")
    assert said.code == 1
    assert "sites are in more than one fold" in said.err
    assert "leave out --site" in said.err
    without_site = [part for part in arguments if part not in {"--site", "site"}]
    said = run(*without_site, "of_events")
    assert said.code == 1
    assert "the training patients of fold 0 have no event" in said.err


def test_without_sites_a_warning_says_what_that_means(study, tmp_path, run):
    said = run(
        *("evaluate", *study.options("site"), "--models", "ridge-genes", "--n-folds", "2", "--quiet"),
        *("--out", tmp_path / "r"),
    )
    assert said.code == 0
    assert said.err.count("warning: Without --site") == 1


@pytest.mark.parametrize(("name", "needs"), [("mcat", "slides and expression"), ("ld-cvae", "slides")])
def test_networks_that_cannot_do_with_gaps_say_so_before_the_first_fit(
    gappy_study, tmp_path, run, name, needs
):
    said = run(
        *("evaluate", *gappy_study.options(), "--models", f"ridge-genes,{name}", "--missing", "allow"),
        *("--n-folds", "2", "--quiet", "--out", tmp_path / "r"),
    )
    assert said.code == 2
    assert f"{name} need {needs} of every patient, but of 48 patients 3 have no slides" in said.err
    assert "Give --missing drop" in said.err
    assert not (tmp_path / "r" / "cache").exists()


def test_patients_without_a_modality_are_an_error_or_allowed_or_dropped(gappy_study, tmp_path, run):
    arguments = [
        "evaluate",
        *gappy_study.options(),
        "--models",
        "ridge-both,ridge-genes,ridge-bags",
        "--quiet",
    ]
    arguments += ["--n-folds", "2", "--out", tmp_path / "r"]
    said = run(*arguments)
    assert said.code == 1
    assert "3 of 48 patients have no slides" in said.err
    assert "Pass --missing allow to keep them" in said.err

    said = run(*arguments, "--missing", "allow")
    assert said.code == 0
    assert (
        "3 of 48 patients have no expression: for ridge-genes they are patients of average risk" in said.err
    )
    assert "for ridge-bags" in said.err
    assert "--missing drop compares all models on the patients who have both" in said.err
    assert pd.read_csv(tmp_path / "r" / "metrics.csv")["patients"].sum() == 3 * 48

    said = run(*arguments, "--missing", "drop")
    assert said.code == 0
    assert "6 of 48 patients are left out" in said.err
    assert pd.read_csv(tmp_path / "r" / "metrics.csv")["patients"].sum() == 3 * 42


def test_one_modality_is_enough(study, tmp_path, run):
    said = run(
        *("evaluate", *study.options("expression", "pathways"), "--models", "ridge-bags", "--n-folds", "2"),
        *("--out", tmp_path / "r", "--quiet"),
    )
    assert said.code == 0
    assert "ridge-bags" in said.out


def test_hostile_text_reaches_no_formula(study, tmp_path, run):
    table = pd.read_csv(study.outcomes)
    expression = pd.read_csv(study.expression)
    names = dict(zip(table["case_id"][:4], ["=1+1", "@SUM(A1)", "<script>", 'a"b;c'], strict=True))
    table = table.assign(case_id=table["case_id"].replace(names), site="+" + table["site"])
    expression["case_id"] = expression["case_id"].replace(names)
    clinical, rna = tmp_path / "clinical.csv", tmp_path / "rna.csv"
    table.to_csv(clinical, index=False)
    expression.to_csv(rna, index=False)
    arguments = study.options("bags", outcomes=clinical, expression=rna)
    said = run("evaluate", *arguments, "--models", "ridge-genes", "--n-folds", "2", "--out", tmp_path / "r")
    assert said.code == 0
    for name in ("predictions", "folds"):
        written = pd.read_csv(tmp_path / "r" / f"{name}.csv")
        assert {"'=1+1", "'@SUM(A1)", "<script>", 'a"b;c'} < set(written["id"])
        assert written["site"].str.startswith("'+").all()


@pytest.mark.slow  # new processes import everything
def test_two_processes_give_the_same_files(tmp_path, quick):
    for jobs in ("1", "2"):
        assert main([*quick, "--n-folds", "2", "--n-jobs", jobs, "--out", str(tmp_path / jobs)]) == 0
    for name in ("predictions.csv", "metrics.csv", "summary.csv", "paired.csv", "summary.txt"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
