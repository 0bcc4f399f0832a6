"""Estimators with scikit-survival's face."""

from sksurv_tta.estimators.abmil import ABMILSurvivalEstimator
from sksurv_tta.estimators.mcat import MCATSurvivalEstimator
from sksurv_tta.estimators.registry import all_estimators, load_model
from sksurv_tta.estimators.snn import SNNSurvivalEstimator
from sksurv_tta.estimators.tta import TTASurvivalEstimator

__all__ = [
    "ABMILSurvivalEstimator",
    "MCATSurvivalEstimator",
    "SNNSurvivalEstimator",
    "TTASurvivalEstimator",
    "all_estimators",
    "load_model",
]
