"""Why a fitted network predicts what it does: tables, annotations of slides, points for figures."""

from sksurv_tta.evaluation.explain.explanation import Explanation, PatientExplanation
from sksurv_tta.evaluation.explain.geojson import as_geojson, slides_with_squares
from sksurv_tta.evaluation.explain.palette import PROTOTYPE_COLOURS, prototype_colour
from sksurv_tta.evaluation.explain.patients import explain, explain_patients
from sksurv_tta.evaluation.explain.plane import prototypes_in_plane, tokens_in_plane

__all__ = [
    "PROTOTYPE_COLOURS",
    "Explanation",
    "PatientExplanation",
    "as_geojson",
    "explain",
    "explain_patients",
    "prototype_colour",
    "prototypes_in_plane",
    "slides_with_squares",
    "tokens_in_plane",
]
