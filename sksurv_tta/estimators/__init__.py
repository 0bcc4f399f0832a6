"""Estimators with scikit-survival's face."""

from sksurv_tta.estimators.abmil import ABMILSurvivalEstimator
from sksurv_tta.estimators.attnmisl import AttnMISLSurvivalEstimator
from sksurv_tta.estimators.clam import CLAMSurvivalEstimator
from sksurv_tta.estimators.cmta import CMTASurvivalEstimator
from sksurv_tta.estimators.hipt import HIPTSurvivalEstimator
from sksurv_tta.estimators.ld_cvae import LDCVAESurvivalEstimator
from sksurv_tta.estimators.mcat import MCATSurvivalEstimator
from sksurv_tta.estimators.mmp import MMPSurvivalEstimator
from sksurv_tta.estimators.motcat import MOTCatSurvivalEstimator
from sksurv_tta.estimators.otsurv import OTSurvSurvivalEstimator
from sksurv_tta.estimators.panther import PANTHERSurvivalEstimator
from sksurv_tta.estimators.pibd import PIBDSurvivalEstimator
from sksurv_tta.estimators.registry import all_estimators, load_model
from sksurv_tta.estimators.snn import SNNSurvivalEstimator
from sksurv_tta.estimators.snntrans import SNNTransSurvivalEstimator
from sksurv_tta.estimators.survpath import SurvPathSurvivalEstimator
from sksurv_tta.estimators.transmil import TransMILSurvivalEstimator
from sksurv_tta.estimators.tta import TTASurvivalEstimator

__all__ = [
    "ABMILSurvivalEstimator",
    "AttnMISLSurvivalEstimator",
    "CLAMSurvivalEstimator",
    "CMTASurvivalEstimator",
    "HIPTSurvivalEstimator",
    "LDCVAESurvivalEstimator",
    "MCATSurvivalEstimator",
    "MMPSurvivalEstimator",
    "MOTCatSurvivalEstimator",
    "OTSurvSurvivalEstimator",
    "PANTHERSurvivalEstimator",
    "PIBDSurvivalEstimator",
    "SNNSurvivalEstimator",
    "SNNTransSurvivalEstimator",
    "SurvPathSurvivalEstimator",
    "TTASurvivalEstimator",
    "TransMILSurvivalEstimator",
    "all_estimators",
    "load_model",
]
