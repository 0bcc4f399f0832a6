"""Ready-made models that take the same X, so that a comparison needs no preparation.

All of them pool bags by their mean, replace a missing modality by the mean of the training patients,
standardise on the training rows and (linear models) clip at five standard deviations. Penalties are
chosen by inner folds of the training rows, whole sites when sites are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Any, Literal

from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest

from sksurv_tta.estimators import TTASurvivalEstimator, all_estimators
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.evaluation.features import ModalityFeatures
from sksurv_tta.evaluation.fusion import LateFusion
from sksurv_tta.evaluation.one_modality import OneModality
from sksurv_tta.evaluation.penalised import ElasticNetCox, RidgeCox
from sksurv_tta.exceptions import listing

__all__ = ["available_models", "get_model", "model_inputs", "ridge_cox"]

Pathways = Mapping[str, Sequence[str]] | str | PathLike | None
# chosen together with alpha where genes and bags are in one model
BAG_PENALTY_RATIOS = (0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True)
class _Request:
    pathways: Pathways
    clinical: Sequence[str] | None
    random_state: int | None


def _features(request: _Request, inputs: Sequence[str]) -> tuple[str, ModalityFeatures]:
    features = ModalityFeatures(inputs=tuple(inputs), pathways=request.pathways, clinical=request.clinical)
    return "features", features


def _ridge(request: _Request, inputs: Sequence[str]) -> Pipeline:
    ratios = BAG_PENALTY_RATIOS if len(inputs) > 1 else 1.0
    model = RidgeCox(bag_penalty_ratio=ratios, random_state=request.random_state)
    return Pipeline([_features(request, inputs), ("model", model)])


def _elastic_net(request: _Request, inputs: Sequence[str]) -> Pipeline:
    return Pipeline([_features(request, inputs), ("model", ElasticNetCox(random_state=request.random_state))])


def _clinical_cox(request: _Request, inputs: Sequence[str]) -> Pipeline:
    if not request.clinical:
        raise ValueError("cox-clinical needs the names of the clinical columns: clinical=[...]")
    # a trace of a penalty keeps collinear or constant columns from stopping the fit
    return Pipeline([_features(request, inputs), ("model", RidgeCox(alpha=1e-3))])


def _forest(request: _Request, inputs: Sequence[str]) -> Pipeline:
    forest = RandomSurvivalForest(
        n_estimators=150, min_samples_leaf=10, max_features="sqrt", random_state=request.random_state
    )
    imputer = SimpleImputer(keep_empty_features=True)
    return Pipeline([_features(request, inputs), ("impute", imputer), ("model", forest)])


def _boosting(request: _Request, inputs: Sequence[str]) -> Pipeline:
    boosting = GradientBoostingSurvivalAnalysis(
        n_estimators=100, max_depth=2, subsample=0.5, max_features="sqrt", random_state=request.random_state
    )
    imputer = SimpleImputer(keep_empty_features=True)
    return Pipeline([_features(request, inputs), ("impute", imputer), ("model", boosting)])


def _fusion(request: _Request, inputs: Sequence[str]) -> LateFusion:
    first, second = inputs
    return LateFusion(_ridge(request, [first]), _ridge(request, [second]))


def _network(request: _Request, inputs: Sequence[str]) -> Any:
    """The network of this package, on both modalities or on one of them."""
    if set(inputs) >= {"genes", "bags"}:
        return TTASurvivalEstimator(pathways=request.pathways, random_state=request.random_state)
    modality: Literal["genes", "bags"] = "genes" if "genes" in inputs else "bags"
    of_genes = request.pathways if modality == "genes" else None
    model = TTASurvivalEstimator(pathways=of_genes, random_state=request.random_state)
    return OneModality(model, modality, pathways=of_genes, clinical=request.clinical)


def _peer(request: _Request, inputs: Sequence[str], *, estimator: type) -> Any:
    """A network of another method, on the modalities that it is made for."""
    of_genes = {"pathways": request.pathways} if "genes" in inputs else {}
    model = estimator(**of_genes, random_state=request.random_state)
    if len(inputs) > 1:
        return model
    modality: Literal["genes", "bags"] = "genes" if "genes" in inputs else "bags"
    return OneModality(model, modality, clinical=request.clinical, **of_genes)


_BOTH = ("genes", "bags")
_MODELS: dict[str, tuple[Callable[[_Request, Sequence[str]], Any], Sequence[str]]] = {
    "ridge-genes": (_ridge, ("genes",)),
    "ridge-bags": (_ridge, ("bags",)),
    "ridge-both": (_ridge, _BOTH),
    "ridge": (_ridge, ("genes", "bags", "clinical")),
    "coxnet-genes": (_elastic_net, ("genes",)),
    "coxnet-bags": (_elastic_net, ("bags",)),
    "coxnet-both": (_elastic_net, _BOTH),
    "coxnet": (_elastic_net, ("genes", "bags", "clinical")),
    "cox-clinical": (_clinical_cox, ("clinical",)),
    "rsf-genes": (_forest, ("genes",)),
    "rsf-bags": (_forest, ("bags",)),
    "rsf": (_forest, ("genes", "bags", "clinical")),
    "gbsa-genes": (_boosting, ("genes",)),
    "gbsa-bags": (_boosting, ("bags",)),
    "gbsa": (_boosting, ("genes", "bags", "clinical")),
    "fusion-ridge": (_fusion, _BOTH),
    "tta": (_network, _BOTH),
    "tta-genes": (_network, ("genes",)),
    "tta-bags": (_network, ("bags",)),
}
for _, _class in all_estimators():
    if issubclass(_class, PeerEstimator):
        _MODELS[_class._short_name] = partial(_peer, estimator=_class), _class._required


def available_models() -> tuple[str, ...]:
    """Names that :func:`get_model` and ``compare`` know.

    Without a suffix a model takes whatever of genes, bags and named clinical columns ``X`` has.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from sksurv_tta.evaluation import available_models
    >>> "ridge-genes" in available_models()
    True
    """
    return tuple(_MODELS)


def model_inputs(name: str) -> tuple[str, ...]:
    """What a model of :func:`available_models` must be given: of ``genes`` and ``bags``.

    Parameters
    ----------
    name : str

    Returns
    -------
    tuple of str
        Empty for a model that takes whatever there is.
    """
    _, inputs = _MODELS[name]
    takes_what_there_is = name == "tta" or "clinical" in inputs
    return () if takes_what_there_is else tuple(inputs)


def get_model(
    name: str,
    *,
    pathways: Pathways = None,
    clinical: Sequence[str] | None = None,
    random_state: int | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Any:
    """A ready-made model, not yet fitted.

    Parameters
    ----------
    name : str
        One of :func:`available_models`.
    pathways : mapping from name to genes, path of a GMT file, or None
        Restricts the genes; the network also gets its groups from it.
    clinical : sequence of str, optional
        Columns that are clinical, not genes.
    random_state : int or None
    parameters : mapping, optional
        For ``set_params``, such as ``{"model__alpha": 1000}``.

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        If the name is unknown, or ``cox-clinical`` is asked for without clinical columns.

    Examples
    --------
    >>> from sksurv_tta.evaluation import get_model
    >>> get_model("ridge-genes", parameters={"model__alpha": 1000.0})["model"].alpha
    1000.0
    """
    if name not in _MODELS:
        raise ValueError(f"unknown model {name!r}; there are {listing(_MODELS, limit=len(_MODELS))}")
    build, inputs = _MODELS[name]
    model = build(_Request(pathways, clinical, random_state), inputs)
    return model.set_params(**parameters) if parameters else model


def ridge_cox(
    inputs: Sequence[str] = ("genes",),
    *,
    alpha: float | None = None,
    pathways: Pathways = None,
    clinical: Sequence[str] | None = None,
    bag_penalty_ratio: float | Sequence[float] = 1.0,
    random_state: int | None = None,
) -> Pipeline:
    """Ridge Cox on genes, pooled bags, clinical columns or several of them.

    Parameters
    ----------
    inputs : sequence of {"genes", "bags", "clinical"}
    alpha : float or None
        Fixed penalty, or None for a choice by inner folds.
    pathways, clinical
        As for :func:`get_model`.
    bag_penalty_ratio : float or sequence of float
        See :class:`RidgeCox`.
    random_state : int or None

    Returns
    -------
    Pipeline
    """
    features = ModalityFeatures(inputs=tuple(inputs), pathways=pathways, clinical=clinical)
    model = RidgeCox(alpha=alpha, bag_penalty_ratio=bag_penalty_ratio, random_state=random_state)
    return Pipeline([("features", features), ("model", model)])
