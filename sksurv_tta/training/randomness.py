"""Seeds as a function of (seed, purpose, epoch, patient), never of a generator's history.

So a resumed run draws what an undisturbed one draws, and no draw depends on how many came before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch

__all__ = ["Purpose", "derive_seed", "generator_for", "initialising"]

# torch initialises weights from its one global generator: only one thread at a time may borrow it.
_GLOBAL_GENERATOR = threading.Lock()


class Purpose(IntEnum):
    """What a stream of random numbers is for; the numbers are part of the reproducibility."""

    WEIGHTS = 0
    BATCHES = 1
    INSTANCES = 2
    VIEWS = 3
    GROUP = 4
    PROFILES = 5
    TAIL = 6
    VALIDATION = 7
    STATISTICS = 8
    PROTOTYPES = 20


def derive_seed(seed: int, purpose: Purpose, *keys: int) -> int:
    """Return a 63-bit seed for one purpose and, say, one epoch and one patient."""
    state = np.random.SeedSequence([seed, int(purpose), *keys]).generate_state(1, np.uint64)
    return int(state[0] >> 1)


def generator_for(seed: int, purpose: Purpose, *keys: int) -> np.random.Generator:
    """NumPy generator for one purpose and, say, one epoch and one patient."""
    return np.random.default_rng([seed, int(purpose), *keys])


@contextmanager
def initialising(seed: int) -> Iterator[None]:
    """Seed torch's global generator while weights are made; leave the caller's untouched."""
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(derive_seed(seed, Purpose.WEIGHTS))
        yield
