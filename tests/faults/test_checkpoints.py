"""Resuming: what is found again, what is another training, what is refused."""

import json
import os
import random
import shutil
import socket

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sksurv_tta.datasets import make_cohort
from sksurv_tta.exceptions import (
    CheckpointInUseError,
    CheckpointMismatchError,
    ModelFileError,
    TrainingWarning,
)
from sksurv_tta.training import checkpoints as checkpoints_module
from sksurv_tta.training.tensor_files import open_file, pack

N_FLIPS = int(os.environ.get("SKSURV_TTA_FLIPS", "200"))


class Ended(Exception):  # noqa: N818 - as KeyboardInterrupt
    """Ends a training, as a kill would."""


def interrupt():
    raise Ended


@pytest.fixture
def tiny(trainer, tmp_path):
    def make(moment=None, **changes):
        options = trainer.TINY | {"max_epochs": 4, "random_state": 0, "checkpoint_dir": tmp_path / "run"}
        return trainer.TTASurvivalEstimator(
            **options | changes, callbacks=[trainer.At(moment, interrupt)] if moment != "none" else None
        )

    return make


@pytest.fixture(scope="module")
def interrupted(trainer, tmp_path_factory):
    """A training ended in epoch 4, and the digest it would have had."""
    folder = tmp_path_factory.mktemp("interrupted")
    options = trainer.TINY | {"max_epochs": 4, "random_state": 0}
    at = trainer.At((4, 0), interrupt)
    with pytest.raises(Ended):
        trainer.TTASurvivalEstimator(**options, checkpoint_dir=folder, callbacks=[at]).fit(
            *trainer.tiny_patients()
        )
    whole = trainer.TTASurvivalEstimator(**options).fit(*trainer.tiny_patients())
    return folder, trainer.weights_digest(whole)


@pytest.fixture
def run(interrupted, tmp_path):
    """A copy of that training's checkpoints."""
    shutil.copytree(interrupted[0], tmp_path / "run")
    return next((tmp_path / "run").iterdir())


@pytest.fixture
def counted(monkeypatch):
    """Epochs trained since."""
    epochs = []
    save = checkpoints_module.Checkpoints.save
    monkeypatch.setattr(
        checkpoints_module.Checkpoints,
        "save",
        lambda self, net: (epochs.append(len(net.history)), save(self, net)),
    )
    return epochs


def rewrite(path, **changes):
    """Change fields of a checkpoint as someone would who also mends the checksum."""
    file = open_file(path)
    path.write_bytes(pack(file.content | changes, file.read()))


def test_training_goes_on_after_the_last_epoch(tiny, trainer, run, interrupted, counted):
    resumed = tiny().fit(*trainer.tiny_patients())
    assert counted == [4]
    assert trainer.weights_digest(resumed) == interrupted[1]


def test_a_finished_training_is_loaded(tiny, trainer, run, interrupted, counted):
    tiny().fit(*trainer.tiny_patients())
    again = tiny(verbose=0, device="cpu").fit(*trainer.tiny_patients())
    assert counted == [4]
    assert trainer.weights_digest(again) == interrupted[1]
    assert again.n_iter_ == 4
    assert clone(again).checkpoint_dir == again.checkpoint_dir


def test_without_a_random_state_the_seed_is_the_checkpoints(tiny, trainer, counted, monkeypatch):
    with pytest.raises(Ended):
        tiny((3, 1), random_state=None).fit(*trainer.tiny_patients())
    first = tiny(random_state=None).fit(*trainer.tiny_patients())
    assert counted == [1, 2, 3, 4]
    expected = tiny(random_state=None, checkpoint_dir=None)
    monkeypatch.setattr("sksurv_tta.estimators.base.seed_of", lambda _: first.net_.seed)
    assert trainer.weights_digest(expected.fit(*trainer.tiny_patients())) == trainer.weights_digest(first)


@pytest.mark.parametrize("moment", [(4, 1), (5, 1)], ids=str)
def test_early_stopping_resumes_its_own_state(tiny, trainer, tmp_path, moment):
    options = {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 8, "lr": 0.01}
    expected = tiny(**options, checkpoint_dir=None).fit(*trainer.tiny_patients())
    assert expected.n_iter_ == 5  # it does stop, and the best epoch was the third
    with pytest.raises(Ended):
        tiny(moment, **options).fit(*trainer.tiny_patients())
    for _ in range(2):  # resumed, then loaded
        again = tiny(**options).fit(*trainer.tiny_patients())
        assert trainer.weights_digest(again) == trainer.weights_digest(expected)


def test_a_warm_start_has_checkpoints_of_its_own(tiny, trainer):
    X, y = trainer.tiny_patients()
    expected = tiny(warm_start=True, checkpoint_dir=None).fit(X, y).fit(X, y)
    started = tiny(warm_start=True).fit(X, y)
    started.callbacks[0].moment, started.callbacks[0].action = (6, 1), interrupt
    dict(started.net_.callbacks_)["At"].moment = (6, 1)
    with pytest.raises(Ended):
        started.fit(X, y)
    again = tiny(warm_start=True).fit(X, y).fit(X, y)
    assert again.n_iter_ == 8
    assert trainer.weights_digest(again) == trainer.weights_digest(expected)


def stop_as(error):
    def stop():
        raise error

    return stop


@pytest.mark.parametrize("error", [Ended, KeyboardInterrupt])
@pytest.mark.parametrize("changes", [{}, {"recipe": "robust", "n_members": 2}], ids=["one", "ensemble"])
def test_bags_pathways_and_missing_modalities_resume_too(trainer, tmp_path, error, changes):
    cohort = make_cohort(
        16, random_state=0, n_instances=(3, 8), n_features=6, missing_slides=0.2, missing_expression=0.2
    )
    options = trainer.TINY | {"max_epochs": 3, "random_state": 0, "bag_size": 4, "pathways": cohort.pathways}
    options |= changes
    make = trainer.TTASurvivalEstimator
    expected = make(**options).fit(cohort.X, cohort.y, sites=cohort.site)
    at = trainer.At((3, 1), stop_as(error))
    with pytest.raises(error):
        make(**options, checkpoint_dir=tmp_path, callbacks=[at]).fit(cohort.X, cohort.y, sites=cohort.site)
    resumed = make(**options, checkpoint_dir=tmp_path, callbacks=[trainer.At()])
    resumed.fit(cohort.X, cohort.y, sites=cohort.site)
    assert resumed.callbacks[0].n_steps_ == (2 if error is Ended else 0)  # of two in an epoch
    assert len(list(tmp_path.iterdir())) == 1
    assert trainer.weights_digest(resumed) == trainer.weights_digest(expected)


def test_the_fits_of_a_grid_search_share_one_directory(tiny, trainer, tmp_path, counted):
    X, y = trainer.tiny_patients()
    search = GridSearchCV(tiny("none", max_epochs=1), {"lr": [1e-4, 1e-2]}, cv=2)
    first = search.fit(X, y).best_estimator_
    assert len(list((tmp_path / "run").iterdir())) == 5  # 2 folds x 2 settings, and the last fit
    again = clone(search).fit(X, y).best_estimator_
    assert len(counted) == 5  # all found again
    assert trainer.weights_digest(again) == trainer.weights_digest(first)


def changed_data(trainer):
    X, y = trainer.tiny_patients()
    other_time, other_event, other_X = y.copy(), y.copy(), X.copy()
    other_time["time"][3] += 1
    other_event["event"][3] ^= True
    other_X[3, 3] += 1
    return {
        "time": (X, other_time), "event": (X, other_event), "expression": (other_X, y),
        "fewer": (X[1:], y[1:]), "order": (X[::-1].copy(), y[::-1].copy()), "column": (X[:, 1:], y),
    }  # fmt: skip


@pytest.mark.parametrize("what", ["time", "event", "expression", "fewer", "order", "column"])
def test_other_data_is_another_training(tiny, trainer, run, tmp_path, what, counted):
    tiny(max_epochs=4).fit(*changed_data(trainer)[what])
    assert counted == [1, 2, 3, 4]
    assert len(list((tmp_path / "run").iterdir())) == 2


@pytest.mark.parametrize(
    "change",
    [{"lr": 0.01}, {"random_state": 1}, {"epsilon": 0.2}],
)
def test_other_parameters_are_another_training(tiny, trainer, run, tmp_path, change, counted):
    tiny(**change).fit(*trainer.tiny_patients())
    assert counted == [1, 2, 3, 4]
    assert len(list((tmp_path / "run").iterdir())) == 2


def test_foreign_checkpoints_in_the_folder_are_listed_field_by_field(tiny, trainer, run):
    newest = max(run.glob("epoch-*"))
    identity = open_file(newest).content["identity"]
    rewrite(newest, identity=identity | {"seed": 77, "class": "Other"})
    with pytest.raises(
        CheckpointMismatchError, match=r"class: 'Other' saved, 'TTA.* now; seed: 77 saved, .*delete"
    ):
        tiny().fit(*trainer.tiny_patients())


def test_another_version_of_the_package_is_refused(tiny, trainer, run):
    for path in run.glob("epoch-*"):
        rewrite(path, environment=open_file(path).content["environment"] | {"sksurv_tta": "0.0.1"})
    with pytest.raises(
        CheckpointMismatchError, match=r"sksurv_tta 0\.0\.1 saved, .* now.*delete this folder"
    ):
        tiny().fit(*trainer.tiny_patients())
    for path in run.glob("epoch-*"):
        rewrite(path, format=99)
    with pytest.raises(CheckpointMismatchError, match="another version of sksurv_tta"):
        tiny().fit(*trainer.tiny_patients())


@pytest.mark.parametrize("change", [{"threads": 7}, {"torch": "2.0"}, {"device": "cuda"}, {"numpy": "1.0"}])
def test_other_conditions_are_warned_of(tiny, trainer, run, change):
    for path in run.glob("epoch-*"):
        rewrite(path, environment=open_file(path).content["environment"] | change)
    ((name, value),) = change.items()
    with pytest.warns(TrainingWarning, match=f"{name} {value} saved, .* now.*not be, bit by bit"):
        tiny().fit(*trainer.tiny_patients())


def test_the_checkpoint_before_is_used_when_the_last_is_damaged(tiny, trainer, run, interrupted):
    last = max(run.glob("epoch-*"))
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.warns(TrainingWarning, match=rf"{last.name}: its tensors should take .* after epoch 2"):
        resumed = tiny().fit(*trainer.tiny_patients())
    assert trainer.weights_digest(resumed) == interrupted[1]
    for path in run.glob("epoch-*"):
        path.write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"No checkpoint in .* can be read.*Delete this folder"):
        tiny().fit(*trainer.tiny_patients())


def opened(run):
    """What a training that starts now would go on from; None if there is nothing it can read."""
    identity = json.loads(json.dumps(opened.identity))
    store = checkpoints_module.Checkpoints(run.parent, identity, 0)
    store.folder = run
    try:
        with store:
            content, tensors = store._found
    except (ModelFileError, CheckpointMismatchError):
        return None
    return checkpoints_module.pack(content, tensors)


@pytest.mark.filterwarnings("ignore::sksurv_tta.exceptions.TrainingWarning")
def test_damage_anywhere_leads_to_the_checkpoint_before(run):
    before, last = sorted(run.glob("epoch-*"))
    good, older = last.read_bytes(), before.read_bytes()
    opened.identity = open_file(last).content["identity"]
    assert opened(run) == good
    for share in np.arange(0, 1, 0.05):
        last.write_bytes(good[: int(share * len(good))])
        assert opened(run) == older
    chance = random.Random(1)  # noqa: S311 - not for secrets
    n_headers = int.from_bytes(good[:8], "little") + 8
    for number in range(N_FLIPS // 2):
        damaged = bytearray(good)
        damaged[chance.randrange(n_headers if number % 2 else len(good))] ^= 1 << chance.randrange(8)
        last.write_bytes(damaged)
        assert opened(run) in (older, good)


def test_a_lock_of_this_host_without_its_process_is_taken_over(tiny, trainer, run):
    (run / "lock").write_text(json.dumps({"pid": 999_999_999, "host": socket.gethostname()}))
    tiny().fit(*trainer.tiny_patients())
    assert not (run / "lock").exists()


def test_a_lock_that_was_not_written_to_the_end_is_taken_over(tiny, trainer, run):
    (run / "lock").write_text('{"pid": 12')
    tiny().fit(*trainer.tiny_patients())


def test_a_lock_of_another_host_is_respected(tiny, trainer, run):
    (run / "lock").write_text(json.dumps({"pid": 12, "host": "elsewhere"}))
    with pytest.raises(CheckpointInUseError, match=r"process 12 on host elsewhere.*delete .*lock"):
        tiny().fit(*trainer.tiny_patients())
    assert (run / "lock").exists()


def test_half_written_files_are_removed_at_the_start(tiny, trainer, run):
    (run / ".epoch-00003.safetensors.1-0.partial").write_bytes(b"half")
    tiny().fit(*trainer.tiny_patients())
    assert not list(run.glob(".*"))


def test_a_number_instead_of_a_folder_is_refused(tiny, trainer):
    with pytest.raises(ValueError, match="'checkpoint_dir' parameter"):
        tiny(checkpoint_dir=3).fit(*trainer.tiny_patients())


def test_a_generator_as_random_state_is_known_by_the_seed_it_gives(tiny, trainer, counted):
    for _ in range(2):
        tiny(random_state=np.random.RandomState(3)).fit(*trainer.tiny_patients())
    assert counted == [1, 2, 3, 4]
