"""Invented cohorts with the totals of published ones: patients, events, sites, and the largest sites."""

from dataclasses import dataclass

import numpy as np
import pytest
from sksurv.util import Surv

# patients, events, sites, patients of the two largest sites, sites without events, events of the site that
# has most of them, and the place of that site in the order of size
TOTALS = {
    "BLCA": (359, 113, 33, 47, 30, 9, 15, 0),
    "BRCA": (868, 60, 37, 113, 70, 20, 17, 0),
    "COADREAD": (296, 37, 35, 33, 25, 19, 8, 0),
    "KIRC": (340, 58, 18, 78, 45, 8, 21, 0),
    "STAD": (318, 84, 21, 102, 59, 9, 30, 1),
    "LUAD": (412, 99, 33, 91, 40, 13, 21, 0),
}


@dataclass
class Profile:
    y: np.ndarray
    site: np.ndarray
    X: np.ndarray


def spread(total, weights):
    """Whole numbers that add up to ``total``, at least one each, in proportion to ``weights``."""
    exact = weights / weights.sum() * (total - len(weights))
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - len(weights) - counts.sum()]] += 1
    return counts + 1


def profile_like(name):
    n_patients, n_events, n_sites, largest, second, without, most_events, place = TOTALS[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    rest = spread(n_patients - largest - second, 0.9 ** np.arange(n_sites - 2))
    sizes = np.concatenate([[largest, second], rest])
    others = np.setdiff1d(np.arange(n_sites), place)
    has_events = np.sort(rng.choice(others[: n_sites * 3 // 4], n_sites - without - 1, replace=False))
    events = np.zeros(n_sites, dtype=int)
    events[place] = most_events
    rates = rng.uniform(0.5, 1.5, len(has_events))
    events[has_events] = spread(n_events - most_events, sizes[has_events] * rates)
    assert (events <= sizes).all()
    site = np.repeat([f"S{number:02d}" for number in range(n_sites)], sizes)
    event = np.concatenate([np.arange(size) < dead for size, dead in zip(sizes, events, strict=True)])
    follow_up = np.repeat(rng.uniform(500, 1500, n_sites), sizes)
    time = np.ceil(rng.exponential(follow_up))
    return Profile(Surv.from_arrays(event, time), site, rng.normal(size=(n_patients, 2)))


def small_cohort(n_patients=120, n_sites=12, seed=0, event_rate=0.4):
    rng = np.random.default_rng(seed)
    site = np.array([f"site{number}" for number in rng.integers(0, n_sites, n_patients)])
    site[:n_sites] = [f"site{number}" for number in range(n_sites)]
    event = rng.random(n_patients) < event_rate
    event[::n_sites] = True
    time = np.ceil(rng.exponential(500, n_patients))
    return Profile(Surv.from_arrays(event, time), site, rng.normal(size=(n_patients, 2)))


@pytest.fixture(name="profile_like")
def profile_like_fixture():
    return profile_like


@pytest.fixture(name="small_cohort")
def small_cohort_fixture():
    return small_cohort
