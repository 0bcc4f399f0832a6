"""What an explanation needs of a fitted estimator: one network, and the patients as it takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.estimators.baseline_hazard import check_outputs
from sksurv_tta.estimators.inputs import check_again, read_patients
from sksurv_tta.evaluation.one_modality import OneModality
from sksurv_tta.networks import TTANetwork
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
        In evaluation mode.
    patients : PatientDataset
        Expression standardised as in training.
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
        Which network, where the estimator holds several.

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
    nets = members_of(estimator)
    if not 0 <= member < len(nets):
        raise ValueError(f"member must be from 0 to {len(nets) - 1}, got {member}.")
    net, schema, rule = nets[member], estimator._schema, estimator._rule
    X = check_again(estimator, schema, X)
    ids = tuple(X.index) if isinstance(X, pd.DataFrame) else tuple(range(len(X)))

    def risk_of(patients: PatientDataset) -> np.ndarray:
        names = pd.DataFrame(index=[ids[row] for row in patients.rows])
        return rule.risk(check_outputs(net.predict(patients), names))

    return OpenedModel(
        network=net.module_.eval(),
        patients=read_patients(schema, X),
        ids=ids,
        modalities=(*map(str, schema.bag_columns), *((GENES,) if schema.has_genes else ())),
        pathways=schema.pathway_names,
        risk_of=risk_of,
    )


def members_of(estimator: TTASurvivalEstimator) -> list[Any]:
    """The trained nets of an estimator, the leading one first."""
    return [estimator.net_]
