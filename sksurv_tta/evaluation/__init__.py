"""Comparison of survival models, and why a fitted network predicts what it does."""

from sksurv_tta.evaluation.baselines import (
    available_models,
    get_model,
    model_inputs,
    ridge_cox,
)
from sksurv_tta.evaluation.calibration import calibration_error, calibration_slope, calibration_table
from sksurv_tta.evaluation.compare import compare
from sksurv_tta.evaluation.comparison import Comparison
from sksurv_tta.evaluation.explain import (
    PROTOTYPE_COLOURS,
    Explanation,
    PatientExplanation,
    as_geojson,
    explain,
    explain_patients,
    prototype_colour,
    prototypes_in_plane,
    slides_with_squares,
    tokens_in_plane,
)
from sksurv_tta.evaluation.features import ModalityFeatures, standardise_and_clip
from sksurv_tta.evaluation.fusion import LateFusion
from sksurv_tta.evaluation.intervals import noise_floor
from sksurv_tta.evaluation.metrics import (
    MetricValue,
    brier_integrated,
    concordance_index,
    concordance_index_uno,
    dynamic_auc,
)
from sksurv_tta.evaluation.nested import InnerFolds, nested_cross_validate, site_preserved_search
from sksurv_tta.evaluation.penalised import ElasticNetCox, RidgeCox
from sksurv_tta.evaluation.pooling import BagPooling
from sksurv_tta.evaluation.risk_groups import RiskGroups, hazard_ratio, log_rank, survival_curves

__all__ = [
    "PROTOTYPE_COLOURS",
    "BagPooling",
    "Comparison",
    "ElasticNetCox",
    "Explanation",
    "InnerFolds",
    "LateFusion",
    "MetricValue",
    "ModalityFeatures",
    "PatientExplanation",
    "RidgeCox",
    "RiskGroups",
    "as_geojson",
    "available_models",
    "brier_integrated",
    "calibration_error",
    "calibration_slope",
    "calibration_table",
    "compare",
    "concordance_index",
    "concordance_index_uno",
    "dynamic_auc",
    "explain",
    "explain_patients",
    "get_model",
    "hazard_ratio",
    "log_rank",
    "model_inputs",
    "nested_cross_validate",
    "noise_floor",
    "prototype_colour",
    "prototypes_in_plane",
    "ridge_cox",
    "site_preserved_search",
    "slides_with_squares",
    "standardise_and_clip",
    "survival_curves",
    "tokens_in_plane",
]
