"""The numbers of a model file besides the network's: prediction rule, genes, linear path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from sksurv_tta.estimators.baseline_hazard import CoxPrediction, DiscretePrediction, PredictionRule
from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.linear_path import LinearPath
from sksurv_tta.training.tensor_files import Layout, UnreadableFileError

__all__ = ["check_numbers", "layout_of_numbers", "linear_path_of", "numbers_of", "rule_of"]


def numbers_of(estimator: Any) -> dict[str, np.ndarray]:
    """All arrays of a fitted estimator that are not the network's, by their name in the file."""
    rule, schema, linear = estimator._rule, estimator._schema, estimator._linear
    arrays = {
        "rule.times": rule.times,
        "rule.baseline": rule.baseline,
        "rule.edges": estimator._edges,
        "rule.weights": rule.weights if isinstance(rule, CoxPrediction) else np.empty(0),
        "genes.mean": schema.gene_mean,
        "genes.scale": schema.gene_scale,
    }
    if linear is not None:
        arrays |= {
            "linear.centre": linear.centre,
            "linear.scale": linear.scale,
            "linear.coefficients": linear.coefficients,
            "linear.log_variances": np.array(linear.log_variances),
        }
    return arrays


def layout_of_numbers(estimator: Any, schema: InputSchema, n_times: int, n_edges: int) -> Layout:
    """Types and shapes that these arrays must have.

    Parameters
    ----------
    estimator : BaseNetworkEstimator
        Not yet fitted.
    schema : InputSchema
    n_times, n_edges : int
        As the file says.
    """
    sizes = {
        "rule.times": n_times,
        "rule.baseline": n_times,
        "rule.edges": n_edges,
        "rule.weights": estimator._n_parts(schema),
        "genes.mean": len(schema.gene_columns),
        "genes.scale": len(schema.gene_columns),
    }
    n_linear = estimator._n_linear_features(schema)
    if n_linear:
        sizes |= {f"linear.{name}": n_linear for name in ("centre", "scale", "coefficients")}
        sizes["linear.log_variances"] = 2
    return {name: (torch.float64, (size,)) for name, size in sizes.items()}


def check_numbers(own: Mapping[str, np.ndarray]) -> None:
    """Refuse values that no training leaves behind, by an UnreadableFileError."""
    if not all(np.isfinite(values).all() for values in own.values()):
        raise UnreadableFileError("its prediction rule holds values that are not finite")
    times, edges, baseline = own["rule.times"], own["rule.edges"], own["rule.baseline"]
    if times[0] < 0 or (np.diff(times) <= 0).any():
        raise UnreadableFileError("its times do not rise from zero on")
    if (edges <= 0).any() or (np.diff(edges) <= 0).any():
        raise UnreadableFileError("the edges of its time bins do not rise")
    if baseline[0] < 0 or (np.diff(baseline) < 0).any():
        raise UnreadableFileError("its cumulative baseline hazard falls")
    if (own["genes.scale"] <= 0).any():
        raise UnreadableFileError("the scale of its genes is not positive")
    if (own["rule.weights"] < 0).any():
        raise UnreadableFileError("the weights of its outputs are negative")
    if "linear.scale" in own and (own["linear.scale"] <= 0).any():
        raise UnreadableFileError("the scale of its linear path is not positive")


def rule_of(loss: str, own: Mapping[str, np.ndarray]) -> PredictionRule:
    """Prediction rule of the arrays."""
    times, baseline = own["rule.times"], own["rule.baseline"]
    if loss == "cox":
        return CoxPrediction(times, baseline, own["rule.weights"])
    return DiscretePrediction(times, own["rule.edges"], baseline)


def linear_path_of(own: Mapping[str, np.ndarray]) -> LinearPath | None:
    """Linear path of the arrays; None without one."""
    if "linear.scale" not in own:
        return None
    return LinearPath(
        own["linear.centre"],
        own["linear.scale"],
        own["linear.coefficients"],
        (float(own["linear.log_variances"][0]), float(own["linear.log_variances"][1])),
    )
