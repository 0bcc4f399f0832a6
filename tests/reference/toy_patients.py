"""A few patients with everything that can be missing, for tests of networks and training."""

import numpy as np
import torch

from sksurv_tta.bags import Bag
from sksurv_tta.networks import TTANetwork
from sksurv_tta.training import Outcome, PatientDataset
from sksurv_tta.training.batches import Batch

N_FEATURES = 5
N_GENES = 6
# One gene lies in two pathways, the pathways have different sizes, one gene lies in none.
PATHWAYS = ((0, 1, 2), (2, 3), (4,))
SMALL = {"n_prototypes": 3, "prototype_dim": 8, "token_dim": 6, "n_heads": 2, "dropout": 0.0}


def toy_patients(n_patients=6, *, n_bags=1, with_profiles=True, missing=(), seed=0, sizes=(2, 9)):
    """Patients with random bags, profiles and outcomes; ``missing`` holds (patient, modality)."""
    rng = np.random.default_rng(seed)
    bags = [
        [
            Bag(rng.normal(size=(int(size), N_FEATURES)).astype(np.float32))
            for size in rng.integers(*sizes, n_patients)
        ]
        for _ in range(n_bags)
    ]
    profiles = rng.normal(size=(n_patients, N_GENES)) if with_profiles else None
    has_profile = np.full(n_patients, with_profiles)
    for patient, modality in missing:
        if modality < n_bags:
            bags[modality][patient] = None
        else:
            has_profile[patient] = False
            profiles[patient] = 0.0
    event = rng.random(n_patients) < 0.6
    event[0] = True
    outcome = Outcome.of(rng.integers(1, 6, n_patients), event, rng.integers(0, 3, n_patients))
    return PatientDataset(bags, [N_FEATURES] * n_bags, profiles, has_profile, outcome)


def toy_network(data=None, *, n_bags=1, with_profiles=True, seed=0, n_outputs=1, **options):
    """Small network for such patients; its weights are drawn from ``seed``."""
    if data is not None:
        n_bags, with_profiles = len(data.bags), data.profiles is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TTANetwork(
            [N_FEATURES] * n_bags,
            PATHWAYS if with_profiles else None,
            n_outputs=n_outputs,
            **{**SMALL, **options},
        )


def whole_batch(data, *, rows=None, seed=0, epoch=0, step=0, bag_size=None):
    """All patients, or some of them, as one training step's batch."""
    rows = np.arange(len(data)) if rows is None else np.asarray(rows)
    return Batch(
        data,
        rows,
        seed=seed,
        epoch=epoch,
        step=step,
        bag_size=bag_size,
        n_profile_tokens=len(PATHWAYS) if data.profiles is not None else 0,
    )


def gradients(network):
    """Gradient of every parameter by name; None where none arrived."""
    return {name: None if p.grad is None else p.grad.clone() for name, p in network.named_parameters()}
