"""What an explanation needs of a fitted estimator: one network, and the patients as it takes them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.estimators.baseline_hazard import check_outputs
from sksurv_tta.estimators.inputs import check_again, read_patients
from sksurv_tta.evaluation.one_modality import OneModality
from sksurv_tta.networks import EnsembleNetwork, InputPreparation, SurvivalNetwork, TTANetwork
from sksurv_tta.training import PatientDataset

__all__ = ["GENES", "OpenedModel", "find_network", "open_model"]

#: Name of the modality that comes from the numeric columns.
GENES = "genes"


@dataclass(frozen=True)
class OpenedModel:
    """One network of a fitted estimator and the patients to explain.

    Attributes
    ----------
    network : TTANetwork
        In evaluation mode. One member of an ensemble, which takes instances as they are in the files.
    patients : PatientDataset
        Expression standardised as in training.
    prepared : PatientDataset
        The same with expression as the network takes it: reduced to its components where it was so in
        training.
    ids : tuple
        Index of each patient in X.
    modalities : tuple of str
        Names of the bag columns, and "genes" last where there is expression.
    pathways : tuple of str
    risk_of : callable
        ``PatientDataset`` to the risk scores (n_patients,) that ``predict`` gives; raises CohortError
        where they are not finite.
    """

    network: TTANetwork
    patients: PatientDataset
    prepared: PatientDataset
    ids: tuple[Any, ...]
    modalities: tuple[str, ...]
    pathways: tuple[str, ...]
    risk_of: Callable[[PatientDataset], np.ndarray]

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.ids)


def find_network(estimator: Any, X: Any) -> tuple[TTASurvivalEstimator, Any]:
    """The network within a pipeline, a search or a model of one modality, and the X that it is given.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : DataFrame or array of shape (n_patients, n_columns)

    Returns
    -------
    network : TTASurvivalEstimator
    X : DataFrame or array

    Raises
    ------
    TypeError
        If there is no such network inside.
    """
    if isinstance(estimator, TTASurvivalEstimator):
        return estimator, X
    if isinstance(estimator, Pipeline):
        return find_network(estimator[-1], estimator[:-1].transform(X) if len(estimator) > 1 else X)
    if isinstance(estimator, OneModality):
        check_is_fitted(estimator, "estimator_")
        there = X[estimator.columns_].notna().any(axis=1)
        return find_network(estimator.estimator_, X.loc[there, estimator.columns_])
    if hasattr(estimator, "best_estimator_"):
        return find_network(estimator.best_estimator_, X)
    raise TypeError(
        f"{type(estimator).__name__} has no prototypes to explain: give a fitted TTASurvivalEstimator, or a "
        "pipeline or a search that ends in one."
    )


def open_model(estimator: Any, X: Any, *, member: int = 0) -> OpenedModel:
    """Prepare patients for one network of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        See :func:`find_network`.
    X : DataFrame or array of shape (n_patients, n_columns)
        As for ``predict``. Patients for whom a model of one modality has nothing are left out.
    member : int
        Which network, where the estimator is an ensemble.

    Raises
    ------
    CohortError
        If rows or columns of X cannot be used.
    NotFittedError
    ValueError
        If there is no such member.
    """
    estimator, X = find_network(estimator, X)
    check_is_fitted(estimator, "net_")
    network, preparation = _member(estimator.net_.module_.eval(), member)
    schema, rule = estimator._schema, estimator._rule
    X = check_again(estimator, schema, X)
    ids = tuple(X.index) if isinstance(X, pd.DataFrame) else tuple(range(len(X)))

    def risk_of(patients: PatientDataset) -> np.ndarray:
        names = pd.DataFrame(index=[ids[row] for row in patients.rows])
        return rule.risk(check_outputs(estimator._outputs_of(patients), names))

    patients = read_patients(schema, X)
    return OpenedModel(
        network=network,
        patients=patients,
        prepared=patients if preparation is None else _prepare(patients, preparation),
        ids=ids,
        modalities=(*map(str, schema.bag_columns), *((GENES,) if schema.has_genes else ())),
        pathways=schema.pathway_names,
        risk_of=risk_of,
    )


def _member(network: SurvivalNetwork, member: int) -> tuple[TTANetwork, InputPreparation | None]:
    """One network by itself, and what is done to expression before it."""
    n_members = len(network.members) if isinstance(network, EnsembleNetwork) else 1
    if not 0 <= member < n_members:
        raise ValueError(f"member must be from 0 to {n_members - 1}, got {member}.")
    if not isinstance(network, EnsembleNetwork):
        return network, None  # type: ignore[return-value]
    alone = copy.deepcopy(network.members[member])
    for modality, encoder in enumerate(alone.instance_encoders):
        fold_standardisation(encoder.linear, network.preparation, modality)
    return alone, network.preparation


@torch.no_grad()
def fold_standardisation(linear: nn.Linear, preparation: InputPreparation, modality: int) -> None:
    """Let a linear map take raw instances: ``W (x - c) / s + b`` is linear in x too."""
    if not preparation.standardise:
        return
    zero = torch.zeros(1, linear.in_features, device=linear.weight.device)
    offset = preparation.instances(modality, zero)[0]  # -c / s
    slope = preparation.instances(modality, zero + 1)[0] - offset  # 1 / s
    linear.bias.add_(linear.weight @ offset)
    linear.weight.mul_(slope)


@torch.no_grad()
def _prepare(patients: PatientDataset, preparation: InputPreparation) -> PatientDataset:
    if patients.profiles is None:
        return patients
    device = next((buffer.device for buffer in preparation.buffers()), torch.device("cpu"))
    profiles = preparation.profiles(patients.profiles.to(device)).cpu().numpy()
    profiles[~patients.has_profile] = 0.0
    return PatientDataset(
        patients.bags,
        patients.n_features,
        profiles,
        patients.has_profile,
        rows=patients.rows,
        names=patients.names,
    )
