"""Estimators with scikit-survival's face."""

from sksurv_tta.estimators.registry import load_model
from sksurv_tta.estimators.tta import TTASurvivalEstimator

__all__ = ["TTASurvivalEstimator", "load_model"]
