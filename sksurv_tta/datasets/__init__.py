"""Simulated cohorts with known truth, in memory or written in the real file formats."""

from sksurv_tta.datasets.simulate import make_cohort

__all__ = ["make_cohort"]
