"""Fitted estimators to files and back: numbers and names, never code.

A model is one safetensors file. Its tensors are the state of the network (``network.*``), the
prediction rule (``rule.*``: the distinct times seen in training, baseline, edges of time bins,
weights), the scale of the genes (``genes.*``) and the linear path (``linear.*``). All else is one
JSON document: see :mod:`sksurv_tta.estimators.model_document`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sksurv_tta._files import write_atomically
from sksurv_tta.estimators.inputs import InputSchema, as_pathway_mapping
from sksurv_tta.estimators.model_document import check_content, columns_of, schema_of
from sksurv_tta.estimators.parameters import NOT_STORED, changed_parameters, stored_parameters
from sksurv_tta.estimators.stored_numbers import (
    check_numbers,
    layout_of_numbers,
    linear_path_of,
    numbers_of,
    rule_of,
)
from sksurv_tta.exceptions import ModelFileError, listing
from sksurv_tta.networks import SurvivalNetwork
from sksurv_tta.training.environment import is_here
from sksurv_tta.training.history import as_history, as_records
from sksurv_tta.training.tensor_files import Layout, TensorFile, UnreadableFileError, open_file, pack

__all__ = ["MODEL_CLASSES", "read_model", "write_model"]

#: A file names its estimator by a key of this mapping, which ``registry.py`` fills; nothing else
#: is ever looked up.
MODEL_CLASSES: dict[str, type[Any]] = {}
FORMAT = 1
MAX_REPEATS = 1000  # layers, heads or members: each is a module, and costs time even without memory
MAX_MODULES = 10_000  # layers and heads of all members together


def write_model(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator; an existing file is replaced only by a whole new one.

    Parameters
    ----------
    estimator : BaseNetworkEstimator
    path : path

    Raises
    ------
    NotFittedError
    TypeError
        If the estimator is of a class that no file may name.
    ValueError
        If parameters cannot be stored, or were changed since ``fit``; names them.
    OSError
        If the file cannot be written. An earlier one is as it was.
    """
    check_is_fitted(estimator, "net_")
    name = type(estimator).__name__
    if MODEL_CLASSES.get(name) is not type(estimator):
        raise TypeError(f"{name} could not be loaded again; only {listing(MODEL_CLASSES)} can be saved.")
    changed = changed_parameters(estimator, estimator._built_with)
    if changed:
        raise ValueError(
            f"Parameters were changed since fit: {listing(changed)}. The file would hold another model: "
            "fit again, or set them back."
        )
    names = getattr(estimator, "feature_names_in_", None)
    content = {
        "kind": "model",
        "format": FORMAT,
        "class": name,
        "trained_with": estimator.trained_with_,
        "parameters": stored_parameters(estimator),
        "columns": columns_of(estimator._schema),
        "n_features_in": int(estimator.n_features_in_),
        "feature_names_in": None if names is None else [str(name) for name in names],
        "seed": estimator.net_.seed,
        "history": as_records(estimator.net_.history),
    }
    write_atomically(Path(path), pack(content, _tensors(estimator)))


def _tensors(estimator: Any) -> dict[str, Tensor]:
    arrays = numbers_of(estimator)
    tensors = {name: torch.from_numpy(np.array(a, dtype=np.float64)) for name, a in arrays.items()}
    network = estimator.net_.module_.state_dict()
    return tensors | {f"network.{name}": value for name, value in network.items()}


def read_model(path: str | os.PathLike[str], *, device: str | None) -> Any:
    """Read an estimator.

    The order of the checks is the point: size and form of the description, the class, every
    field, the parameters by the estimator's own table, types and shapes of all tensors against
    a network without memory; only then the checksum, the values and the network itself.

    Parameters
    ----------
    path : path
    device : str or None

    Raises
    ------
    ModelFileError
    OSError
        If the file cannot be opened.
    """
    if device is not None and not is_here(device):
        raise ValueError(f"There is no device {device!r} here: give 'cpu', or leave it out.")
    try:
        file = open_file(path)
        estimator, schema = _describe(file)
        if device is not None:
            estimator.device = device
        elif not is_here(estimator.device):
            estimator.device = "cpu"
        tensors = file.read()
        _restore(estimator, schema, file.content, tensors)
    except UnreadableFileError as error:
        raise ModelFileError(
            f"{path} is not a model that can be used: {error}. Get the file again from where it came, or "
            "write it again with the estimator's save()."
        ) from error
    return estimator


def _describe(file: TensorFile) -> tuple[Any, InputSchema]:
    """Estimator, not yet fitted, and columns that the file describes; no tensor is read."""
    content = file.content
    if content.get("kind") != "model" or content.get("format") != FORMAT:
        raise UnreadableFileError(
            f"it is a {str(content.get('kind'))[:40]!r} of format {str(content.get('format'))[:40]!r}; this "
            f"version of sksurv_tta reads a 'model' of format {FORMAT}"
        )
    check_content(content)
    if content["class"] not in MODEL_CLASSES:
        raise UnreadableFileError(
            f"it names the estimator {content['class'][:80]!r}; known are {listing(MODEL_CLASSES)}"
        )
    schema = schema_of(content["columns"])
    estimator = _unfitted(MODEL_CLASSES[content["class"]], content["parameters"], schema)
    _check_layout(estimator, schema, file.layout)
    return estimator, schema


def _unfitted(cls: type[Any], parameters: dict[str, Any], schema: InputSchema) -> Any:
    expected = set(cls._get_param_names()) - NOT_STORED
    if set(parameters) != expected:
        raise UnreadableFileError(
            f"its parameters are not those of {cls.__name__}: {listing(sorted(expected ^ set(parameters)))}"
        )
    estimator = cls(**parameters)
    if schema.by_name and schema.has_genes:
        estimator.pathways = as_pathway_mapping(schema)
    try:
        estimator._validate_params()
        torch.device("cpu" if estimator.device == "auto" else estimator.device)
    except (ValueError, RuntimeError) as error:
        raise UnreadableFileError(f"its parameters are not allowed ({error})") from error
    _check_repeats({name: estimator._setting(name) for name in cls._repeating_parameters})
    return estimator


def _check_repeats(repeats: Mapping[str, int]) -> None:
    """Refuse what would take long to build although the file is small."""
    for name, number in repeats.items():
        if number > MAX_REPEATS:
            raise UnreadableFileError(f"{name} is larger than {MAX_REPEATS}")
    of_member = sum(number for name, number in repeats.items() if name != "n_members")
    if repeats.get("n_members", 1) * of_member > MAX_MODULES:
        raise UnreadableFileError(f"{' and '.join(repeats)} make more than {MAX_MODULES:,} modules")


def _check_layout(estimator: Any, schema: InputSchema, layout: Layout) -> None:
    """Compare types and shapes in the file with those of a network that has no memory."""
    edges, times = layout.get("rule.edges"), layout.get("rule.times")
    if edges is None or times is None or len(edges[1]) != 1 or len(times[1]) != 1:
        raise UnreadableFileError("its prediction rule is incomplete")
    if (estimator._setting("loss") == "cox") != (edges[1] == (0,)) or times[1] == (0,):
        raise UnreadableFileError("its time bins do not fit its loss")
    try:
        with torch.device("meta"):
            network = estimator._build_network(schema, 1 + edges[1][0])
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise UnreadableFileError(f"no network can be built from its parameters ({error})") from error
    expected = layout_of_numbers(estimator, schema, times[1][0], edges[1][0])
    for name, value in network.state_dict().items():
        expected[f"network.{name}"] = value.dtype, tuple(value.shape)
    wrong = sorted(name for name in {*expected, *layout} if expected.get(name) != layout.get(name))
    if wrong:
        raise UnreadableFileError(
            f"{len(wrong)} tensors are missing, unknown or of another shape or type than its parameters say: "
            f"{listing(wrong)}"
        )


def _restore(
    estimator: Any, schema: InputSchema, content: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Set all that ``fit`` would have set."""
    own = {name: value.numpy() for name, value in tensors.items() if not name.startswith("network.")}
    check_numbers(own)
    schema = replace(schema, gene_mean=own["genes.mean"], gene_scale=own["genes.scale"])
    edges, rule = own["rule.edges"], rule_of(estimator._setting("loss"), own)
    net = estimator._make_net(schema, 1 + len(edges), content["seed"])
    net.initialize()
    state = {
        name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")
    }
    _check_state(net.module_, state)
    net.module_.load_state_dict(state)
    net.history_ = as_history(content["history"])
    estimator.n_features_in_ = content["n_features_in"]
    if content["feature_names_in"] is not None:
        estimator.feature_names_in_ = np.array(content["feature_names_in"], dtype=object)
    estimator.trained_with_ = content["trained_with"]
    estimator._linear = linear_path_of(own)
    estimator.net_, estimator._schema, estimator._edges, estimator._rule = net, schema, edges, rule
    estimator._set_public(net, schema, rule)


def _check_state(network: SurvivalNetwork, state: Mapping[str, Tensor]) -> None:
    """All finite, but for NaN where a new network has them: it marks what was not yet seen."""
    fresh = network.state_dict()
    for name, value in state.items():
        known = value[~value.isnan()] if fresh[name].isnan().any() else value
        if not known.isfinite().all():
            raise UnreadableFileError(f"tensor {name!r} holds values that are not finite")
    problems = network.check_state(state)
    if problems:
        raise UnreadableFileError("; ".join(problems))
