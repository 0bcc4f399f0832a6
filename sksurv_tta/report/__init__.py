"""Results of an evaluation as files that speak for themselves."""

from sksurv_tta.report.folder import write_results
from sksurv_tta.report.run import RunDescription
from sksurv_tta.report.text import summarise

__all__ = ["RunDescription", "summarise", "write_results"]
