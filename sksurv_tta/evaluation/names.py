"""What metrics are called in words."""

__all__ = ["METRIC_NAMES", "metric_name"]

METRIC_NAMES = {
    "c_index": "Concordance index (Harrell)",
    "c_index_uno": "Concordance index (Uno)",
    "auc_mean": "Mean time-dependent AUC",
    "brier_integrated": "Integrated Brier score",
    "auc": "AUC",
    "calibration_slope": "Calibration slope",
    "calibration_error": "Calibration error",
}


def metric_name(metric: str) -> str:
    """What a metric is called on axes and in tables, with its time where it has one.

    Parameters
    ----------
    metric : str
        As in ``Comparison.table``, for example ``auc@365``.
    """
    name, _, time = metric.partition("@")
    return METRIC_NAMES.get(name, name) + (f" at {time}" if time else "")
