"""Prototypes come from the training patients, in equal parts, and repeat with the seed."""

import numpy as np
import pytest
import torch

from sksurv_tta.bags import Bag
from sksurv_tta.training import PatientDataset
from sksurv_tta.training import prototypes as module
from sksurv_tta.training.prototypes import fit_prototypes


def patients(*bags):
    column = [None if bag is None else Bag(np.asarray(bag, dtype=np.float32)) for bag in bags]
    return PatientDataset([column], [2], None, np.zeros(len(bags), dtype=bool))


@pytest.fixture
def heaps():
    """Three heaps of instances, divided among four patients; one of a fifth is missing."""
    random = np.random.default_rng(0)
    centres = np.array([[0, 0], [20, 0], [0, 20]])
    points = centres[np.arange(60) % 3] + random.normal(size=(60, 2))
    return centres, patients(points[:5], points[5:20], None, points[20:30], points[30:])


def test_heaps_are_found(heaps):
    centres, data = heaps
    found = fit_prototypes(data, 3, seed=0).numpy()
    assert np.abs(found[:, None] - centres).sum(axis=2).min(axis=0).max() < 1.5


def test_the_seed_decides(heaps):
    _, data = heaps
    assert torch.equal(fit_prototypes(data, 7, seed=1), fit_prototypes(data, 7, seed=1))
    assert not torch.equal(fit_prototypes(data, 7, seed=1), fit_prototypes(data, 7, seed=2))


def test_every_patient_has_the_same_number_of_instances_in_the_sample(heaps, monkeypatch):
    monkeypatch.setattr(module, "MAX_INSTANCES", 16)
    seen = []
    monkeypatch.setattr(Bag, "read", lambda self, rows=None: seen.append(rows) or np.zeros((len(rows), 2)))
    fit_prototypes(heaps[1], 2, seed=0)
    assert [len(rows) for rows in seen] == [4, 4, 4, 4]
    assert any((rows >= 4).any() for rows in seen)  # not the first ones of each bag


def test_fewer_instances_than_prototypes():
    found = fit_prototypes(patients([[1.0, 2.0]], [[3.0, 4.0]]), 5, seed=0)
    assert found.shape == (5, 2)
    assert {tuple(row) for row in found.tolist()} <= {(1.0, 2.0), (3.0, 4.0)}
