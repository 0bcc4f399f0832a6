"""Survival prediction from whole-slide images and gene expression.

The method "Together, Then Apart" with the conventions of scikit-learn and scikit-survival.
"""

from sksurv_tta._version import __version__
from sksurv_tta.bags import Bag, BagArray, BagDtype
from sksurv_tta.cohort import read_cohort
from sksurv_tta.estimators import TTASurvivalEstimator, load_model
from sksurv_tta.model_selection import SitePreservedKFold
from sksurv_tta.pathways import read_gmt

__all__ = [
    "Bag",
    "BagArray",
    "BagDtype",
    "SitePreservedKFold",
    "TTASurvivalEstimator",
    "__version__",
    "load_model",
    "read_cohort",
    "read_gmt",
]
