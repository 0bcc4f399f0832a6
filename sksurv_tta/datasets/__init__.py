"""Simulated cohorts with known truth, in memory or written in the real file formats."""

from sksurv_tta.datasets.simulate import make_cohort
from sksurv_tta.datasets.write import WrittenCohort, write_cohort

__all__ = ["WrittenCohort", "make_cohort", "write_cohort"]
