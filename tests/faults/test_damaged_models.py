"""Cut or flip anything in a model file: it is refused, or it is bit by bit the model it was.

``SKSURV_TTA_FLIPS`` sets how many flips are tried.
"""

import os
import random

import numpy as np
import pytest

from sksurv_tta.estimators import load_model
from sksurv_tta.exceptions import ModelFileError

N_FLIPS = int(os.environ.get("SKSURV_TTA_FLIPS", "200"))


@pytest.fixture(scope="module")
def model(trainer, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model"
    X, y = trainer.tiny_patients()
    trainer.TTASurvivalEstimator(**trainer.TINY, max_epochs=1, random_state=0).fit(X, y).save(path)
    return path.read_bytes()


def outcome(data, path):
    """Bytes of the model that is loaded; None if it is refused."""
    path.write_bytes(data)
    try:
        loaded = load_model(path)
    except ModelFileError as error:
        if path.name not in str(error):
            raise
        return None
    loaded.save(path)
    return path.read_bytes()


def test_the_undamaged_file_is_what_it_was(model, tmp_path):
    assert outcome(model, tmp_path / "copy") == model


@pytest.mark.parametrize("share", np.arange(0, 100, 5))
def test_a_model_cut_short_is_refused(model, tmp_path, share):
    assert outcome(model[: len(model) * share // 100], tmp_path / "short") is None
    assert outcome(model[:-1] if share else model + b"\0", tmp_path / "short") is None


@pytest.mark.parametrize("part", ["header", "anywhere"])
def test_a_flipped_bit_is_refused_or_harmless(model, tmp_path, part):
    chance = random.Random(part)  # noqa: S311 - not for secrets
    stop = int.from_bytes(model[:8], "little") + 8 if part == "header" else len(model)
    outcomes = []
    for _ in range(N_FLIPS // 2):
        damaged = bytearray(model)
        damaged[chance.randrange(stop)] ^= 1 << chance.randrange(8)
        outcomes.append(outcome(bytes(damaged), tmp_path / "flipped"))
    assert all(result in (None, model) for result in outcomes)
    assert outcomes.count(None) > 0.9 * len(outcomes)


def test_exchanged_and_repeated_bytes_are_refused_or_harmless(model, tmp_path):
    chance = random.Random(2)  # noqa: S311 - not for secrets
    for _ in range(N_FLIPS // 4):
        start, length, target = (chance.randrange(n) for n in (len(model), 64, len(model)))
        piece = model[start : start + length]
        damaged = model[:target] + piece + model[target + chance.choice([0, len(piece)]) :]
        assert outcome(damaged, tmp_path / "mixed") in (None, model)
