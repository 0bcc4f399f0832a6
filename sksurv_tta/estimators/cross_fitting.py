"""How much an ensemble and the linear path beside it are to be trusted: by patients they have not seen."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from sksurv_tta.estimators.baseline_hazard import CoxPrediction
from sksurv_tta.estimators.cox_likelihood import CoxLikelihood
from sksurv_tta.estimators.linear_path import LinearPath, fit_linear_path
from sksurv_tta.model_selection.inner_folds import inner_folds
from sksurv_tta.networks import EnsembleNetwork
from sksurv_tta.training import PatientDataset, SurvivalNet
from sksurv_tta.training.criteria import NO_FOLD

__all__ = ["assign_folds", "combine", "held_out_outputs", "linear_features", "on_one_level"]

Array = NDArray[np.float64]

#: Before any evidence network and linear path are taken to raise the log hazard by this much for each of
#: their standard deviations, give or take PRIOR_SCALE, the half width of a Cauchy distribution.
PRIOR_CENTRES = (0.15, 0.3)
PRIOR_SCALE = 0.07


def assign_folds(y: Any, sites: Any, n_members: int) -> NDArray[np.int64]:
    """For each patient the member that does not learn from them: (n_patients,).

    The folds keep sites whole where there are as many as members, and never depend on a seed.

    Parameters
    ----------
    y : structured array of shape (n_patients,)
    sites : array-like of shape (n_patients,) or None
    n_members : int

    Returns
    -------
    folds : ndarray of shape (n_patients,)
        From 0 to ``n_members - 1``; with fewer events than members, or fewer patients, the last members
        learn from everybody. ``NO_FOLD`` for all where not even two folds can be made.
    """
    folds = np.full(len(y), NO_FOLD)
    for number, (_, held_out) in enumerate(inner_folds(y, sites=sites, n_splits=n_members, random_state=0)):
        folds[held_out] = number
    return folds


def linear_features(patients: PatientDataset, bag_size: int | None) -> Array:
    """What the linear path sees: expression where it is a modality, otherwise the mean of each bag.

    Parameters
    ----------
    patients : PatientDataset
    bag_size : int or None
        Instances, evenly spread, that stand for a longer bag.

    Returns
    -------
    features : ndarray of shape (n_patients, n_features)
        A row of NaN for a patient who lacks the modality.
    """
    if patients.profiles is not None:
        values = patients.profiles.double().numpy().copy()
        values[~patients.has_profile] = np.nan
        return values
    columns = []
    for column, width in zip(patients.bags, patients.n_features, strict=True):
        means = np.full((len(patients), width), np.nan)
        for row, bag in enumerate(column):
            if bag is not None:
                n_rows = bag.n_instances if bag_size is None else min(bag.n_instances, bag_size)
                rows = np.linspace(0, bag.n_instances - 1, n_rows).astype(np.intp)
                means[row] = bag.read(rows).mean(axis=0, dtype=np.float64)
        columns.append(means)
    return np.concatenate(columns, axis=1)


def held_out_outputs(
    net: SurvivalNet,
    patients: PatientDataset,
    linear: LinearPath | None,
    features: Array | None,
    sites: ArrayLike | None = None,
) -> Array:
    """Outputs for each training patient by what has not learned from that patient.

    Of the network it is the member whose fold the patient is in; the linear path is fitted again
    without the fold, with the variances that all patients gave.

    Parameters
    ----------
    net : SurvivalNet
        Trained, its module an :class:`EnsembleNetwork`.
    patients : PatientDataset
        With outcome, and with the strata that the linear path was fitted with.
    linear : LinearPath or None
    features : ndarray of shape (n_patients, n_features) or None
        Of the linear path.
    sites : array-like of shape (n_patients,), optional
        That the linear path was fitted with.

    Returns
    -------
    outputs : ndarray of shape (n_patients, 1 or 2)
        Network first. A patient in no fold gets the outputs of the whole ensemble.
    """
    network = net.module_
    if not isinstance(network, EnsembleNetwork):
        raise ValueError("Cross-fitting takes an ensemble.")
    folds = patients.known_folds()
    (time, event), strata = patients.known_outcome(), patients.known_strata()
    outputs = np.empty((len(patients), 1 if linear is None else 2))
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        if fold == NO_FOLD:
            outputs[rows, :1] = net.predict(patients.subset(rows))
        else:
            with network.only(int(fold)):
                outputs[rows, :1] = net.predict(patients.subset(rows))
        if linear is not None and features is not None:
            path = linear
            rest = folds != fold
            if fold != NO_FOLD:
                path = fit_linear_path(
                    features[rest],
                    time[rest],
                    event[rest],
                    sites=None if sites is None else np.asarray(sites)[rest],
                    strata=None if strata is None else strata[rest],
                    log_variances=linear.log_variances,
                )
            outputs[rows, 1] = path.log_risk(features[rows])
    return outputs


def on_one_level(outputs: Array, folds: NDArray[np.int64], strata: NDArray | None = None) -> Array:
    """Give the outputs of every fold the same mean.

    The Cox likelihood leaves the level of a member's log risk open, and that of a linear path fitted
    without the fold, so that differences between folds are differences between models. With strata a fold
    may hold more of one than another: its level is then what remains beside a level of each stratum, by
    least squares.

    Parameters
    ----------
    outputs : ndarray of shape (n_patients, n_outputs)
        From :func:`held_out_outputs`.
    folds : ndarray of shape (n_patients,)
    strata : ndarray of shape (n_patients,), optional

    Returns
    -------
    outputs : ndarray of shape (n_patients, n_outputs)
        With the mean of before.
    """
    if strata is not None:
        of_fold, of_stratum = (
            (values[:, None] == np.unique(values)).astype(np.float64) for values in (folds, strata)
        )
        levels = np.linalg.lstsq(np.column_stack([of_fold, of_stratum]), outputs, rcond=None)[0]
        levelled = outputs - of_fold @ levels[: of_fold.shape[1]]
        return levelled - levelled.mean(axis=0) + outputs.mean(axis=0)
    return outputs - _means_of(outputs, folds) + outputs.mean(axis=0)


def _means_of(outputs: Array, groups: NDArray) -> Array:
    """For each patient the mean of the patient's group: (n_patients, n_outputs)."""
    _, place = np.unique(groups, return_inverse=True)
    sums = np.zeros((place.max() + 1, outputs.shape[1]))
    np.add.at(sums, place, outputs)
    return (sums / np.bincount(place)[:, None])[place]


def combine(
    outputs: Array, time: Array, event: NDArray[np.bool_], strata: NDArray | None = None
) -> CoxPrediction:
    r"""Weigh the outputs by how well they rank patients they have not seen.

    A Cox model of the standardised outputs with weights that are not negative and a Cauchy prior,

    .. math:: \max_{w \ge 0} \; \ell(Z w) - \sum_k \log\bigl(1 + (w_k - \mu_k)^2 / s^2\bigr),

    so that one cohort's chance does not silence a part, while strong evidence meets no resistance. The
    baseline hazard is that of the same outputs: predicted probabilities are as cautious as the ranking
    is uncertain. With strata outputs are standardised within them and nobody is compared across them. The
    baseline hazard remains one for all, which is that of a new patient whose stratum nobody names.

    Parameters
    ----------
    outputs : ndarray of shape (n_patients, 1 or 2)
        Of patients that were held out, :func:`on_one_level`: of the network, and of the linear path.
    time : ndarray of shape (n_patients,)
    event : ndarray of shape (n_patients,), bool
    strata : ndarray of shape (n_patients,), optional
    """
    centred = outputs - (outputs.mean(axis=0) if strata is None else _means_of(outputs, strata))
    scale = np.sqrt((centred**2).mean(axis=0))
    told = scale > 1e-8  # a part that says the same of everyone has no say
    standardised = centred / np.where(told, scale, 1.0)
    likelihood = CoxLikelihood(time, event, strata)

    centres = np.array(PRIOR_CENTRES[: outputs.shape[1]])

    def negative(weights: Array) -> tuple[float, Array]:
        log_risk = standardised @ weights
        away = (weights - centres) / PRIOR_SCALE
        value = likelihood.value(log_risk) - float(np.log1p(away**2).sum())
        slope = 2 * away / (1 + away**2) / PRIOR_SCALE
        return -value, slope - standardised.T @ likelihood.gradient(log_risk)

    # Far from its centre the prior is not concave: search from there and from where many weights would be.
    starts = product(*[(centre, 1.0) for centre in centres])
    bounds = [(0.0, None)] * len(centres)
    searches = [minimize(negative, start, jac=True, bounds=bounds, method="L-BFGS-B") for start in starts]
    best = min(searches, key=lambda search: search.fun)
    weights = np.where(told, best.x / np.where(told, scale, 1.0), 0.0)
    return CoxPrediction.fit(outputs, time, event, weights)
