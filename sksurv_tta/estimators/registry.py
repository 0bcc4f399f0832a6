"""Which estimators there are, which of them a model file may name, and how it is loaded."""

from __future__ import annotations

import os

from sksurv_tta.estimators.abmil import ABMILSurvivalEstimator
from sksurv_tta.estimators.attnmisl import AttnMISLSurvivalEstimator
from sksurv_tta.estimators.base import BaseNetworkEstimator
from sksurv_tta.estimators.clam import CLAMSurvivalEstimator
from sksurv_tta.estimators.cmta import CMTASurvivalEstimator
from sksurv_tta.estimators.hipt import HIPTSurvivalEstimator
from sksurv_tta.estimators.ld_cvae import LDCVAESurvivalEstimator
from sksurv_tta.estimators.mcat import MCATSurvivalEstimator
from sksurv_tta.estimators.mmp import MMPSurvivalEstimator
from sksurv_tta.estimators.motcat import MOTCatSurvivalEstimator
from sksurv_tta.estimators.otsurv import OTSurvSurvivalEstimator
from sksurv_tta.estimators.panther import PANTHERSurvivalEstimator
from sksurv_tta.estimators.persistence import MODEL_CLASSES, read_model
from sksurv_tta.estimators.pibd import PIBDSurvivalEstimator
from sksurv_tta.estimators.snn import SNNSurvivalEstimator
from sksurv_tta.estimators.snntrans import SNNTransSurvivalEstimator
from sksurv_tta.estimators.survpath import SurvPathSurvivalEstimator
from sksurv_tta.estimators.transmil import TransMILSurvivalEstimator
from sksurv_tta.estimators.tta import TTASurvivalEstimator

__all__ = ["all_estimators", "load_model"]

ESTIMATORS: tuple[type[BaseNetworkEstimator], ...] = (
    TTASurvivalEstimator,
    SNNSurvivalEstimator,
    SNNTransSurvivalEstimator,
    ABMILSurvivalEstimator,
    CLAMSurvivalEstimator,
    AttnMISLSurvivalEstimator,
    TransMILSurvivalEstimator,
    HIPTSurvivalEstimator,
    OTSurvSurvivalEstimator,
    PANTHERSurvivalEstimator,
    MCATSurvivalEstimator,
    MOTCatSurvivalEstimator,
    CMTASurvivalEstimator,
    SurvPathSurvivalEstimator,
    MMPSurvivalEstimator,
    PIBDSurvivalEstimator,
    LDCVAESurvivalEstimator,
)
MODEL_CLASSES |= {estimator.__name__: estimator for estimator in ESTIMATORS}


def all_estimators() -> list[tuple[str, type[BaseNetworkEstimator]]]:
    """Every network of this package as an estimator: TTA, then the methods it is compared with.

    Returns
    -------
    estimators : list of (name, class)

    Examples
    --------
    >>> from sksurv_tta.estimators import all_estimators
    >>> all_estimators()[0][0]
    'TTASurvivalEstimator'
    """
    return list(MODEL_CLASSES.items())


def load_model(path: str | os.PathLike[str], *, device: str | None = None) -> BaseNetworkEstimator:
    """Load an estimator that its ``save`` wrote.

    No code is executed: the file holds numbers, names and parameters, all of which are checked
    before anything is built from them. Predictions are, bit by bit, those of the estimator that
    was saved, on the same machine with the same version of torch.

    Parameters
    ----------
    path : path
        The model file.
    device : str, optional
        Where to put the network, as the parameter ``device``. By default where it was trained,
        or the CPU if there is no such device here.

    Returns
    -------
    estimator : fitted estimator
        Its optimizer starts anew should ``warm_start`` go on training it.

    Raises
    ------
    ModelFileError
        If the file is damaged, altered, of an unknown version or not a model at all.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from sksurv_tta import load_model
    >>> estimator = load_model("model.safetensors")  # doctest: +SKIP
    """
    return read_model(path, device=device)
