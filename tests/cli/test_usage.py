"""What is said about wrong options, before anything is read or fitted."""

from argparse import Namespace

import pytest

from sksurv_tta.cli.evaluate import _wanted_models, build_models, needed_data
from sksurv_tta.cli.values import known_models, models
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.evaluation import available_models


@pytest.mark.parametrize("command", ["evaluate", "fit", "predict", "explain", "pack"])
def test_help_shows_an_example_and_fits_the_screen(run, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    shown = run(command, "--help")
    assert shown.code == 0
    assert f"example:\n  sksurv-tta {command} " in shown.out
    assert max(map(len, shown.out.splitlines())) <= 90


def test_help_of_evaluate_lists_every_file_and_family_of_models(run, evaluated):
    shown = run("evaluate", "--help").out
    for path in evaluated.folder.iterdir():
        assert path.name in shown
    for name in known_models():
        assert name.split("-")[0] in shown


def test_a_command_is_needed(run):
    said = run()
    assert said.code == 2
    assert "the following arguments are required: COMMAND" in said.err


def test_a_model_that_does_not_exist_is_answered_with_those_that_do(run, study, tmp_path):
    said = run("evaluate", *study.options(), "--models", "tta,random-forest", "--out", tmp_path)
    assert said.code == 2
    assert "unknown: random-forest; known are ridge-genes, " in said.err
    assert "tta-bags" in said.err
    assert "Traceback" not in said.err


def test_models_that_files_cannot_serve_are_not_offered():
    assert set(available_models()) - set(known_models()) == {"cox-clinical"}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--models", "", "no model is named"),
        ("--models", "tta,tta", "given more than once: tta"),
        ("--set", "epochs=3", "no parameter 'epochs'; do you mean max_epochs or "),
        ("--set", "xyz=3", "no parameter 'xyz'. There are agreement_weight, "),
        ("--set", "max_epochs", "'max_epochs' is not NAME=VALUE, such as max_epochs=50"),
        ("--set", "random_state=3", "no parameter 'random_state'"),
        (
            "--set",
            "max_epochs=0",
            "'max_epochs' parameter of TTASurvivalEstimator must be an int in the range",
        ),
        ("--set", "lr=fast", "'lr' parameter of TTASurvivalEstimator must be a float"),
        ("--set", "lr=NaN", "'lr' parameter"),
        ("--set", "device=abacus", "--set device=abacus cannot be used here"),
        ("--times", "365,soon", "'365,soon' is no list of numbers such as 365,1095"),
        ("--times", "0,365", "times must be above 0"),
        ("--times", "inf", "times must be above 0"),
        ("--n-folds", "1", "must be at least 2, got 1"),
        ("--seeds", "0", "must be at least 1, got 0"),
        ("--n-jobs", "two", "'two' is no whole number"),
    ],
)
def test_values_that_cannot_be_are_refused(run, study, tmp_path, option, value, message):
    said = run("evaluate", *study.options(), "--out", tmp_path / "results", option, value)
    assert said.code == 2
    assert message in said.err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("left_out", "models", "message"),
    [
        (["bags"], "tta,tta-bags", "tta-bags needs --bags."),
        (["bags"], "ridge-both,fusion-ridge", "ridge-both needs --bags; fusion-ridge needs --bags."),
        (["expression", "pathways"], "ridge-genes", "ridge-genes needs --expression."),
        (["expression"], "tta", "--pathways groups the genes of --expression"),
        (["bags", "expression", "pathways"], "tta", "Give --bags, --expression or both."),
    ],
)
def test_a_model_without_its_data_is_refused_before_any_fit(run, study, tmp_path, left_out, models, message):
    said = run("evaluate", *study.options(*left_out), "--models", models, "--out", tmp_path / "results")
    assert said.code == 2
    assert message in said.err
    assert "'sksurv-tta evaluate --help'" in said.err


def test_settings_without_a_network_are_refused(run, study, tmp_path):
    said = run(
        "evaluate", *study.options(), "--models", "ridge-genes", "--set", "lr=0.1", "--out", tmp_path / "r"
    )
    assert said.code == 2
    assert "--set is for the network" in said.err


def test_event_and_censored_exclude_each_other(run, study, tmp_path):
    said = run("fit", *study.options(censored="event"), "--out", tmp_path / "m")
    assert said.code == 2
    assert "not allowed with argument" in said.err


OF_GENES = {"snn", "snntrans"}
OF_BAGS = {"abmil", "clam", "attnmisl", "transmil", "otsurv", "panther", "hipt"}
OF_BOTH = {"ridge-both", "coxnet-both", "fusion-ridge"} | {
    *("mcat", "motcat", "cmta", "survpath", "mmp", "pibd", "ld-cvae")
}


def test_every_model_names_its_data():
    for name in known_models():
        needs = needed_data(name)
        if name.endswith("-genes") or name in OF_GENES:
            assert needs == ("--expression",)
        elif name.endswith("-bags") or name in OF_BAGS:
            assert needs == ("--bags",)
        elif name in OF_BOTH:
            assert needs == ("--bags", "--expression")
        else:
            assert needs == ()


@pytest.mark.parametrize("name", ["tta", "tta-genes", "tta-bags"])
def test_settings_reach_the_network_wherever_it_is(name):
    model = build_models([name], pathways={"P": ["G"]}, settings={"max_epochs": 7})[name]
    parts = [model, *model.get_params(deep=True).values()]
    networks = [part for part in parts if isinstance(part, TTASurvivalEstimator)]
    assert [network.max_epochs for network in networks] == [7]


def test_other_networks_take_settings_of_training_only():
    settings = {"max_epochs": 7, "n_prototypes": 3, "dropout": 0.0}
    built = build_models(["abmil", "mcat", "ridge"], pathways={"P": ["G"]}, settings=settings)
    assert built["abmil"].estimator.max_epochs == built["mcat"].max_epochs == 7
    assert built["mcat"].dropout == 0.25


@pytest.mark.parametrize(
    ("given", "absent"),
    [
        ({"bags": None, "expression": "rna.csv"}, {"abmil", "mcat", "tta-bags", "ridge-both"}),
        ({"bags": ["bags/"], "expression": None}, {"snn", "mcat", "tta-genes", "fusion-ridge"}),
        ({"bags": ["bags/"], "expression": "rna.csv"}, set()),
    ],
)
def test_all_models_are_those_that_the_data_suffice_for(given, absent):
    options = Namespace(models=models("all"), **given)
    assert set(known_models()) - set(_wanted_models(options)) >= absent
    assert set(_wanted_models(options)) <= set(known_models())
    assert _wanted_models(Namespace(models=["tta"], **given)) == ["tta"]
    if not absent:
        assert _wanted_models(options) == known_models()
