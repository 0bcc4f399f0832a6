"""The JSON document of a model file: what each field may hold.

Every field is known and none may be missing. What a field holds is checked here as far as it
needs no network; parameters have the estimator's own table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.exceptions import listing
from sksurv_tta.training.tensor_files import UnreadableFileError

__all__ = ["check_content", "columns_of", "schema_of"]

MAX_NAMES = 1_000_000  # columns of X
MAX_PATHWAYS = 100_000  # three times the largest public collection
Check = Callable[[Any], bool]


def columns_of(schema: InputSchema) -> dict[str, Any]:
    """Columns as JSON values; the scale of the genes is stored as tensors."""
    return {
        "bag_columns": [_column(name) for name in schema.bag_columns],
        "bag_widths": [int(width) for width in schema.bag_widths],
        "gene_columns": [_column(name) for name in schema.gene_columns],
        "pathway_names": [str(name) for name in schema.pathway_names],
        "pathways": [[int(place) for place in genes] for genes in schema.pathways],
        "by_name": bool(schema.by_name),
        "n_ignored": int(schema.n_ignored),
    }


def _column(name: Any) -> str | int:
    if isinstance(name, str):
        return str(name)
    if isinstance(name, int | np.integer):
        return int(name)
    raise ValueError(f"Column {name!r} of X can be stored only if its name is a string or an integer.")


def schema_of(columns: Mapping[str, Any]) -> InputSchema:
    """Undo :func:`columns_of`; mean and scale are left empty."""
    return InputSchema(
        tuple(columns["bag_columns"]),
        tuple(columns["bag_widths"]),
        tuple(columns["gene_columns"]),
        tuple(columns["pathway_names"]),
        tuple(tuple(genes) for genes in columns["pathways"]),
        gene_mean=np.empty(0),
        gene_scale=np.empty(0),
        by_name=columns["by_name"],
        n_ignored=columns["n_ignored"],
    )


def check_content(content: Mapping[str, Any]) -> None:
    """Refuse a document whose fields are not those of a model.

    Raises
    ------
    UnreadableFileError
        Names the fields.
    """
    _check_fields("the description", content, CONTENT)
    _check_fields("the list of versions", content["trained_with"], TRAINED_WITH)
    columns = content["columns"]
    _check_fields("the list of columns", columns, COLUMNS)
    names = content["feature_names_in"]
    if names is not None and len(names) != content["n_features_in"]:
        raise UnreadableFileError("the number of its column names is not the number of columns")
    if len(columns["bag_widths"]) != len(columns["bag_columns"]):
        raise UnreadableFileError("its columns of bags and their widths differ in number")
    _check_pathways(columns)


def _check_pathways(columns: Mapping[str, Any]) -> None:
    pathways, genes = columns["pathways"], columns["gene_columns"]
    if len(columns["pathway_names"]) != len(pathways) or bool(genes) != bool(pathways):
        raise UnreadableFileError("its pathways, their names and the genes differ in number")
    if not genes and not columns["bag_columns"]:
        raise UnreadableFileError("it has neither columns of bags nor genes")
    wrong = [
        name
        for name, members in zip(columns["pathway_names"], pathways, strict=True)
        if not members or len(set(members)) < len(members) or max(members) >= len(genes)
    ]
    if wrong:
        raise UnreadableFileError(f"these pathways do not fit its genes: {listing(wrong)}")


def _check_fields(what: str, values: Any, checks: Mapping[str, Check]) -> None:
    if not isinstance(values, dict):
        raise UnreadableFileError(f"{what} is malformed")
    foreign = sorted(set(values) ^ set(checks))
    if foreign:
        raise UnreadableFileError(f"{what} has unknown or missing fields: {listing(foreign)}")
    wrong = [name for name, check in checks.items() if not check(values[name])]
    if wrong:
        raise UnreadableFileError(f"{what} has fields with values that are not allowed: {listing(wrong)}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are(check: Check, limit: int = MAX_NAMES) -> Check:
    """Return a check for a list of what ``check`` accepts."""
    return lambda value: isinstance(value, list) and len(value) <= limit and all(check(v) for v in value)


def _are_names(value: Any) -> bool:
    """All strings, or all integers as in tables without names; none twice."""
    listed = _are(_is_text)(value) or _are(_is_count)(value)
    return listed and len(set(value)) == len(value)


def _is_record(value: Any) -> bool:
    """One epoch of the history: numbers and strings by name."""
    if not isinstance(value, dict) or "batches" in value:
        return False
    return all(entry is None or isinstance(entry, bool | int | float | str) for entry in value.values())


CONTENT: dict[str, Check] = {
    "kind": _is_text,
    "format": _is_count,
    "class": _is_text,
    "trained_with": lambda value: isinstance(value, dict),
    "parameters": lambda value: isinstance(value, dict),
    "columns": lambda value: isinstance(value, dict),
    "n_features_in": _is_count,
    "feature_names_in": lambda value: value is None or _are(_is_text)(value),
    "seed": _is_count,
    "history": _are(_is_record),
}
TRAINED_WITH: dict[str, Check] = {
    "sksurv_tta": _is_text,
    "torch": _is_text,
    "numpy": _is_text,
    "scikit-survival": _is_text,
    "device": _is_text,
    "threads": _is_count,
}
COLUMNS: dict[str, Check] = {
    "bag_columns": _are_names,
    "bag_widths": _are(lambda width: _is_count(width) and width > 0),
    "gene_columns": _are_names,
    "pathway_names": _are(_is_text, MAX_PATHWAYS),
    "pathways": _are(_are(_is_count), MAX_PATHWAYS),
    "by_name": _is_flag,
    "n_ignored": _is_count,
}
