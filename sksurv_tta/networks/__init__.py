"""Torch modules in the order in which the data meets them."""

from sksurv_tta.networks.ensemble import EnsembleNetwork
from sksurv_tta.networks.interface import Embedding, NetworkOutput, PatientGroup, Ragged, SurvivalNetwork
from sksurv_tta.networks.preparation import InputPreparation
from sksurv_tta.networks.randomness import Dropout, drawing_from
from sksurv_tta.networks.tta import TTANetwork

__all__ = [
    "Dropout",
    "Embedding",
    "EnsembleNetwork",
    "InputPreparation",
    "NetworkOutput",
    "PatientGroup",
    "Ragged",
    "SurvivalNetwork",
    "TTANetwork",
    "drawing_from",
]
