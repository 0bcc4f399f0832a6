"""Exit codes and messages for what goes wrong while a command runs."""

import errno
import subprocess
import sys
import warnings
from concurrent.futures.process import BrokenProcessPool

import pytest

import sksurv_tta
from sksurv_tta import _files as files
from sksurv_tta.cli import evaluate, fit, messages
from sksurv_tta.cli.messages import as_options, readable_warnings
from sksurv_tta.exceptions import CohortWarning, TrainingDivergedError


def test_python_m_runs_the_command_line():
    command = [sys.executable, "-m", "sksurv_tta", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert shown.stdout == f"sksurv-tta {sksurv_tta.__version__}\n"


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/a/b.csv"),
            1,
            "/a/b.csv: No space left on device.",
        ),
        (
            BrokenProcessPool("gone"),
            1,
            "A worker process was lost (gone). If memory ran out, use fewer --n-jobs",
        ),
        (MemoryError(), 1, "Not enough memory."),
        (TrainingDivergedError("The loss is nan.", epoch=1, step=2, parts={}), 1, "error: The loss is nan."),
        (KeyboardInterrupt(), 130, "interrupted; nothing was written to "),
    ],
)
def test_what_can_happen_is_said_in_a_line(run, study, tmp_path, monkeypatch, error, code, message):
    monkeypatch.setattr(fit, "read_data", failing(error))
    said = run("fit", *study.options(), "--out", tmp_path / "model")
    assert said.code == code
    assert message in said.err
    assert "Traceback" not in said.err


def test_what_nobody_foresaw_is_not_hidden(run, study, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "read_data", failing(ValueError("operands could not be broadcast")))
    with pytest.raises(ValueError, match="broadcast"):
        run("fit", *study.options(), "--out", tmp_path / "model")


def test_a_failing_fit_names_model_and_fold(run, study, tmp_path, monkeypatch):
    error = TrainingDivergedError("The loss is nan.", epoch=1, step=2, parts={})
    error.add_note("while fitting or predicting model 'tta', fold 1, seed 0")
    monkeypatch.setattr(evaluate, "compare", failing(error))
    said = run("evaluate", *study.options(), "--out", tmp_path)
    assert said.code == 1
    assert "The loss is nan.\n  (while fitting or predicting model 'tta', fold 1, seed 0)" in said.err


def test_a_full_disk_leaves_the_earlier_results(run, study, tmp_path, monkeypatch):
    arguments = ["evaluate", *study.options(), "--models", "ridge-genes", "--n-folds", "2", "--quiet"]
    arguments += ["--out", tmp_path / "r"]
    assert run(*arguments).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir() if path.is_file()}
    full = OSError(errno.ENOSPC, "No space left on device", "predictions.csv")
    monkeypatch.setattr(files.os, "fsync", failing(full))
    said = run(*arguments)
    assert said.code == 1
    assert "No space left on device" in said.err
    after = {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir() if path.is_file()}
    assert after == before


def test_results_cannot_go_where_a_file_is(run, study):
    said = run("evaluate", *study.options(), "--out", study.outcomes)
    assert said.code == 2
    assert f"error: {study.outcomes} is a file where a folder is needed; choose another --out." in said.err


def test_problems_of_the_files_are_all_listed(run, study, tmp_path):
    said = run(
        *("fit", "--bags", tmp_path / "none", "--expression", tmp_path / "no.csv", "--out", tmp_path / "m"),
        *("--outcomes", study.outcomes, "--time", "days", "--event", "event"),
    )
    assert said.code == 1
    assert "error: 3 problems with this cohort:" in said.err
    assert "no column 'days'" in said.err


def test_each_warning_is_shown_once_and_without_source(capsys):
    with readable_warnings():
        for _ in range(3):
            warnings.warn("Something to know; pass missing='drop'.", CohortWarning, stacklevel=1)
            with warnings.catch_warnings():  # as libraries do, which makes Python forget what it has shown
                warnings.simplefilter("ignore")
    assert capsys.readouterr().err == "warning: Something to know; pass --missing drop.\n"
    assert warnings.showwarning is not messages._show_warning


def test_workers_do_not_repeat_what_was_said(capsys):
    with warnings.catch_warnings():
        messages._show_readably(["known"])
        warnings.warn("known", CohortWarning, stacklevel=1)
        warnings.warn("new", CohortWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: new\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pass missing='allow' to keep", "pass --missing allow to keep"),
        ("that patient, pass match='prefix'.", "that patient, pass --match prefix."),
        ("name it with id=... Its", "name it with --id COLUMN Its"),
        ("pass censored='died' instead of event.", "pass --censored died instead of event."),
        ("keep n_events=3 and x==4", "keep n_events=3 and x==4"),
    ],
)
def test_arguments_are_shown_as_options(text, shown):
    assert as_options(text) == shown
