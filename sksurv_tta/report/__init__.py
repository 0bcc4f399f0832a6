"""Results of an evaluation as files that speak for themselves."""

from sksurv_tta.evaluation.safe_csv import as_safe_csv, write_csv
from sksurv_tta.report.explanation import (
    HOW_TO_PARQUET,
    ExplanationFolder,
    can_write_parquet,
    write_explanation,
)
from sksurv_tta.report.folder import metrics_by_fold, write_results
from sksurv_tta.report.html import HOW_TO_DRAW, can_draw, write_report
from sksurv_tta.report.run import RunDescription
from sksurv_tta.report.text import summarise

__all__ = [
    "HOW_TO_DRAW",
    "HOW_TO_PARQUET",
    "ExplanationFolder",
    "RunDescription",
    "as_safe_csv",
    "can_draw",
    "can_write_parquet",
    "metrics_by_fold",
    "summarise",
    "write_csv",
    "write_explanation",
    "write_report",
    "write_results",
]
