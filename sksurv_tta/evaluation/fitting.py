"""What ``compare`` and the ready-made models need to know about any estimator: sites, risks, seeds."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

__all__ = ["predicted_risk", "random_state_parameters", "site_parameters", "survival_at"]


def _takes(method: Any, parameter: str) -> bool:
    return parameter in inspect.signature(method).parameters


def site_parameters(estimator: Any, sites: ArrayLike | None) -> dict[str, Any]:
    """Keyword arguments that hand the sites of the training rows to an estimator's ``fit``.

    ``sites`` where ``fit`` has such a parameter; ``<last step>__sites`` for a Pipeline whose last step
    has it; ``groups`` for a search over parameters, whose inner folds then keep sites whole, together
    with what its inner estimator takes.

    Parameters
    ----------
    estimator : estimator
    sites : array-like of shape (n_patients,) or None

    Returns
    -------
    dict
        Empty when the estimator has no use for sites.
    """
    if sites is None:
        return {}
    if isinstance(estimator, BaseSearchCV):
        return {"groups": sites, **site_parameters(estimator.estimator, sites)}
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return {f"{name}__{key}": value for key, value in site_parameters(last, sites).items()}
    return {"sites": sites} if _takes(estimator.fit, "sites") else {}


def predicted_risk(estimator: Any, X: Any) -> NDArray[np.float64]:
    """Risk scores, higher = earlier event, also of models that predict times.

    Parameters
    ----------
    estimator : fitted estimator
    X : as the estimator takes it

    Returns
    -------
    ndarray of shape (n_patients,)
    """
    prediction = np.asarray(estimator.predict(X), dtype=np.float64)
    return prediction if getattr(estimator, "_predict_risk_score", True) else -prediction


def survival_at(estimator: Any, X: Any, times: NDArray) -> tuple[NDArray[np.float64] | None, str]:
    """Predicted survival probabilities at given times, or the reason why there are none.

    Parameters
    ----------
    estimator : fitted estimator
    X : as the estimator takes it
    times : ndarray of shape (n_times,)
        Times beyond what a function is defined for give NaN.

    Returns
    -------
    survival : ndarray of shape (n_patients, n_times), or None
    reason : str
        Empty when there are probabilities.
    """
    if not hasattr(estimator, "predict_survival_function"):
        return None, "the model predicts no survival functions"
    try:
        functions = estimator.predict_survival_function(X)
    except (AttributeError, NotImplementedError, ValueError) as error:
        return None, f"predict_survival_function failed: {error}"
    survival = np.full((len(functions), len(times)), np.nan)
    for row, function in zip(survival, functions, strict=True):
        lower, upper = getattr(function, "domain", (0.0, np.inf))
        inside = (times >= lower) & (times <= upper)
        row[inside] = function(times[inside]) if inside.any() else ()
    return survival, ""


def random_state_parameters(estimator: Any, *, only_unset: bool = False) -> list[str]:
    """Names of all parameters that are a random state, also of nested estimators.

    Parameters
    ----------
    estimator : estimator
    only_unset : bool
        Leave out those that the user has set.

    Returns
    -------
    list of str, sorted
    """
    parameters = estimator.get_params(deep=True)
    names = [name for name in parameters if name == "random_state" or name.endswith("__random_state")]
    return sorted(name for name in names if not only_unset or parameters[name] is None)
