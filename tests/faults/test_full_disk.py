"""A full disk costs no checkpoint that was there, and no training."""

import errno
import shutil

import pandas as pd
import pytest
from matplotlib.figure import Figure

from sksurv_tta import _files as files
from sksurv_tta.bags import write_checksums
from sksurv_tta.evaluation.cache import write_record
from sksurv_tta.evaluation.safe_csv import write_csv, write_text
from sksurv_tta.exceptions import TrainingWarning
from sksurv_tta.model_selection.fold_files import write_folds
from sksurv_tta.report.figures import Drawing, write_figures
from sksurv_tta.training import checkpoints as checkpoints_module


@pytest.fixture
def tiny(trainer, tmp_path):
    return lambda **changes: trainer.TTASurvivalEstimator(
        **trainer.TINY | {"max_epochs": 4, "random_state": 0, "checkpoint_dir": tmp_path / "run"} | changes
    )


def full_at(numbers, monkeypatch):
    """Let some calls of the writer fail half-way, as on a full disk; counted from 1."""
    calls = []

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.file.close()

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_(path, mode):
        calls.append(path)
        file = open(path, mode)  # noqa: SIM115 - its caller closes it
        return Full(file) if len(calls) in numbers else file

    monkeypatch.setattr(files, "open", open_, raising=False)


def test_a_limit_on_file_sizes_ends_no_training(trainings, undisturbed, tmp_path):
    answer = trainings.run(tmp_path, largest_file=5000)
    assert answer["digest"] == undisturbed["digest"]
    (warning,) = answer["warnings"]
    assert warning.startswith("TrainingWarning")
    assert "bytes could not be written: File too large" in warning
    assert not list(tmp_path.glob("*/*"))


def test_earlier_checkpoints_survive_and_later_ones_are_tried(tiny, trainer, tmp_path, monkeypatch):
    full_at({3}, monkeypatch)
    with pytest.warns(
        TrainingWarning, match=r"epoch-00003\.safetensors of [\d,]+ bytes .*No space left"
    ) as caught:
        tiny().fit(*trainer.tiny_patients())
    assert len(caught) == 1
    saved = sorted(path.name for path in tmp_path.glob("run/*/*"))
    assert saved == ["epoch-00002.safetensors", "epoch-00004.safetensors"]


def test_resuming_after_the_disk_was_full(tiny, trainer, tmp_path, monkeypatch):
    expected = trainer.weights_digest(tiny(checkpoint_dir=None).fit(*trainer.tiny_patients()))
    with monkeypatch.context() as patch:
        full_at({2, 3, 4}, patch)
        with pytest.warns(TrainingWarning, match="could not be written"):
            assert trainer.weights_digest(tiny().fit(*trainer.tiny_patients())) == expected
    assert [path.name for path in tmp_path.glob("run/*/*")] == ["epoch-00001.safetensors"]
    assert trainer.weights_digest(tiny().fit(*trainer.tiny_patients())) == expected


def test_a_failing_save_keeps_the_earlier_model(tiny, trainer, tmp_path, monkeypatch):
    estimator = tiny(checkpoint_dir=None).fit(*trainer.tiny_patients())
    path = tmp_path / "model.safetensors"
    estimator.save(path)
    before = path.read_bytes()
    full_at({1}, monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        estimator.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_refused_before_the_first_step(tiny, trainer, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(checkpoints_module.Checkpoints, "save", None)  # a step would end in a TypeError
    with pytest.raises(OSError, match=r"checkpoint_dir cannot be written.*nothing was trained"):
        tiny(checkpoint_dir=tmp_path / "file").fit(*trainer.tiny_patients())


def test_a_folder_that_vanishes_ends_no_training(tiny, trainer, tmp_path):
    at = trainer.At((2, 1), lambda: shutil.rmtree(tmp_path / "run"))
    with pytest.warns(TrainingWarning, match="could not be written: No such file"):
        tiny(callbacks=[at]).fit(*trainer.tiny_patients())


# Everything else that the package writes


def written_by(name, folder, number):
    """Let a writer put something that depends on ``number`` into a file of its own; returns the file."""
    path = folder / name
    table = pd.DataFrame({"patient": ["A", "B"], "fold": [0, 1], "value": [number, number]})
    if name == "SHA256SUMS":
        (folder.parent / "a.npy").write_bytes(b"bytes %d" % number)
        shutil.copy(folder.parent / "a.npy", folder / "a.npy")
        write_checksums(folder, [folder / "a.npy"])
        (folder / "a.npy").unlink()
    elif name == "record.json":
        write_record(folder, "record", {"risk": [float(number)]})
    elif name == "folds.csv":
        write_folds(path, ["A", "B"], [0, number])
    elif name == "figures":
        axes = Figure(figsize=(1, 1)).subplots()
        axes.set_title(str(number))
        write_figures([Drawing("s", "plot", "", "", axes)], folder)
        return folder / "plot.png"
    else:
        {"table.csv": lambda: write_csv(table, path), "page.html": lambda: write_text(str(number), path)}[
            name
        ]()
    return path


def test_the_error_of_a_writer_names_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("missing/model", "folder"):
        with pytest.raises(OSError, match=r"^(?!.*partial)") as caught:
            files.write_atomically(tmp_path / name, b"")
        assert caught.value.filename == str(tmp_path / name)
    assert isinstance(caught.value, IsADirectoryError)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    "name", ["table.csv", "page.html", "record.json", "folds.csv", "figures", "SHA256SUMS"]
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_every_writer_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, name, call):
    folder = tmp_path / "out"
    folder.mkdir()
    path = written_by(name, folder, 1)
    before = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    assert before[path.name]

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os." + call, full)
        with pytest.raises(OSError, match="No space left"):
            written_by(name, folder, 2)
    assert {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name != "a.npy"} == before
    (folder / "a.npy").unlink(missing_ok=True)
    written_by(name, folder, 2)
    assert path.read_bytes() != before[path.name]
