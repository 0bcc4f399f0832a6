"""Cohorts: bags, expression and outcomes joined by patient, every mismatch reported at once."""

from sksurv_tta.cohort.barcodes import TUMOUR_TYPES, tcga_patient
from sksurv_tta.cohort.cohort import BAG_COLUMN, Cohort, as_outcome
from sksurv_tta.cohort.read import read_cohort

__all__ = ["BAG_COLUMN", "TUMOUR_TYPES", "Cohort", "as_outcome", "read_cohort", "tcga_patient"]
