"""Kill -9 at any moment costs at most an epoch, and never a bit of the result."""

import os
import random
import signal
import time

import pytest

N_KILLS = int(os.environ.get("SKSURV_TTA_KILLS", "10"))


def test_two_undisturbed_trainings_have_the_same_digest(trainings, undisturbed, tmp_path):
    assert trainings.run(tmp_path)["digest"] == undisturbed["digest"]


@pytest.mark.parametrize("moment", [(1, 0), (1, 2), (3, 1), (5, 0), (5, 2)], ids=str)
def test_killed_in_a_step(trainings, undisturbed, tmp_path, moment):
    assert trainings.run(tmp_path, moment=moment)["code"] == -signal.SIGKILL
    saved = sorted(path.name for path in tmp_path.glob("*/epoch-*.safetensors"))
    assert saved == [f"epoch-{n:05d}.safetensors" for n in range(1, moment[0])][-2:]
    assert trainings.run(tmp_path)["digest"] == undisturbed["digest"]


@pytest.mark.parametrize(
    "writer",
    [
        ("fsync", 2, True),  # the first is the lock file's
        ("fsync", 2, False),
        ("replace", 1, True),
        ("replace", 1, False),
        ("fsync", 5, False),
        ("replace", 3, True),
        ("unlink", 1, True),
        ("replace", 5, False),
    ],
    ids=lambda writer: f"{'before' if writer[2] else 'after'}-{writer[0]}-{writer[1]}",
)
def test_killed_inside_the_writer(trainings, undisturbed, tmp_path, writer):
    assert trainings.run(tmp_path, writer=writer)["code"] == -signal.SIGKILL
    answer = trainings.run(tmp_path)
    assert answer["digest"] == undisturbed["digest"]
    assert not answer["warnings"]
    assert not list(tmp_path.glob("*/.*"))  # no half-written file is left


def test_neither_the_clock_nor_the_place_is_part_of_a_training(trainings, undisturbed, tmp_path):
    assert trainings.run(tmp_path, moment=(3, 1), odd_clock=True)["code"] == -signal.SIGKILL
    answer = trainings.run(tmp_path)
    assert answer["digest"] == undisturbed["digest"]
    assert not answer["warnings"]
    assert trainings.run(tmp_path / "other", odd_clock=True)["digest"] == undisturbed["digest"]


@pytest.mark.slow
def test_killed_at_random_moments(trainings, undisturbed, tmp_path):
    chance = random.Random(0)  # noqa: S311 - not for secrets
    folders = (tmp_path / str(number) for number in range(20 * N_KILLS))  # so many, and it ends
    n_kills = 0
    while n_kills < N_KILLS:
        folder = next(folders)
        for _ in range(3):
            training = trainings.start(folder)
            time.sleep(chance.uniform(0, 0.8 * undisturbed["seconds"]))
            n_kills += trainings.finish(training, signal=signal.SIGKILL)["code"] == -signal.SIGKILL
        assert trainings.run(folder)["digest"] == undisturbed["digest"]


N_STEPS = 5 * 3  # of a whole training


def saved(folder):
    return sorted(path.name for path in folder.glob("*/epoch-*.safetensors"))


def test_an_interruption_keeps_the_steps_that_are_done_and_leaves_nothing_fitted(
    trainings, undisturbed, tmp_path
):
    training = trainings.start(tmp_path, moment=(3, 1), action="sleep")
    trainings.until_reached(training)
    answer = trainings.finish(training, signal=signal.SIGINT)
    assert answer["error"] == "KeyboardInterrupt"
    assert not answer["fitted"]
    assert saved(tmp_path) == ["epoch-00002.safetensors", "epoch-00002.step-00002.safetensors"]
    assert not (next(tmp_path.iterdir()) / "lock").exists()
    resumed = trainings.run(tmp_path)
    assert resumed["digest"] == undisturbed["digest"]
    assert resumed["steps"] == N_STEPS - 2 * 3 - 2  # none is done again


@pytest.mark.parametrize("moment", [(1, 0), (1, 1), (4, 2), (5, 1)], ids=str)
def test_a_step_in_which_an_interruption_comes_is_finished_and_kept(trainings, undisturbed, tmp_path, moment):
    answer = trainings.run(tmp_path, moment=moment, action="interrupt", inside=True)
    assert (answer["error"], answer["fitted"]) == ("KeyboardInterrupt", False)
    n_done = 3 * (moment[0] - 1) + moment[1] + 1
    resumed = trainings.run(tmp_path)
    assert resumed["digest"] == undisturbed["digest"]
    assert resumed["steps"] == N_STEPS - n_done
    assert not resumed["warnings"]


def test_a_training_can_be_interrupted_again_and_again(trainings, undisturbed, tmp_path):
    for moment in ((1, 1), (2, 0), (2, 1), (2, 2), (4, 0)):
        answer = trainings.run(tmp_path, moment=moment, action="interrupt", inside=True)
        assert answer["error"] == "KeyboardInterrupt"
    assert trainings.run(tmp_path)["digest"] == undisturbed["digest"]


def test_who_interrupts_twice_does_not_wait_and_loses_the_epoch(trainings, undisturbed, tmp_path):
    answer = trainings.run(tmp_path, moment=(3, 1), action="interrupt twice", inside=True)
    assert answer["error"] == "KeyboardInterrupt"
    assert saved(tmp_path) == ["epoch-00001.safetensors", "epoch-00002.safetensors"]
    resumed = trainings.run(tmp_path)
    assert resumed["digest"] == undisturbed["digest"]
    assert resumed["steps"] == N_STEPS - 2 * 3


def test_two_trainings_cannot_share_a_folder(trainings, undisturbed, tmp_path):
    first = trainings.start(tmp_path, moment=(2, 0), action="sleep")
    trainings.until_reached(first)
    second = trainings.run(tmp_path)
    assert second["error"] == "CheckpointInUseError"
    assert f"process {first[0]} on host {os.uname().nodename}" in second["message"]
    other = trainings.run(tmp_path, seed=1)  # another training is no rival
    assert other["fitted"]
    trainings.finish(first, signal=signal.SIGKILL)
    assert trainings.run(tmp_path)["digest"] == undisturbed["digest"]  # the dead one's lock is taken over
