"""Estimators with scikit-survival's face."""

from sksurv_tta.estimators.abmil import ABMILSurvivalEstimator
from sksurv_tta.estimators.attnmisl import AttnMISLSurvivalEstimator
from sksurv_tta.estimators.clam import CLAMSurvivalEstimator
from sksurv_tta.estimators.cmta import CMTASurvivalEstimator
from sksurv_tta.estimators.mcat import MCATSurvivalEstimator
from sksurv_tta.estimators.motcat import MOTCatSurvivalEstimator
from sksurv_tta.estimators.otsurv import OTSurvSurvivalEstimator
from sksurv_tta.estimators.registry import all_estimators, load_model
from sksurv_tta.estimators.snn import SNNSurvivalEstimator
from sksurv_tta.estimators.survpath import SurvPathSurvivalEstimator
from sksurv_tta.estimators.transmil import TransMILSurvivalEstimator
from sksurv_tta.estimators.tta import TTASurvivalEstimator

__all__ = [
    "ABMILSurvivalEstimator",
    "AttnMISLSurvivalEstimator",
    "CLAMSurvivalEstimator",
    "CMTASurvivalEstimator",
    "MCATSurvivalEstimator",
    "MOTCatSurvivalEstimator",
    "OTSurvSurvivalEstimator",
    "SNNSurvivalEstimator",
    "SurvPathSurvivalEstimator",
    "TTASurvivalEstimator",
    "TransMILSurvivalEstimator",
    "all_estimators",
    "load_model",
]
