"""X as the user gives it to patients as the training loop takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_feature_names, validate_data

from sksurv_tta.bags import Bag, BagArray, BagDtype
from sksurv_tta.estimators.requirements import columns_of_modalities, refuse_missing, refuse_repeated
from sksurv_tta.exceptions import CohortError, listing
from sksurv_tta.pathways import align_pathways
from sksurv_tta.training import Outcome, PatientDataset

__all__ = ["InputSchema", "check_again", "learn_schema", "read_patients"]

CLIP = 5.0  # standard deviations
LARGEST = float(np.finfo(np.float32).max)  # the network computes in single precision


@dataclass(frozen=True)
class InputSchema:
    """What ``fit`` learned of the columns of X, from training rows only.

    Attributes
    ----------
    bag_columns : tuple of str
        Columns of dtype bag, one modality each.
    bag_widths : tuple of int
        Features per instance in each of them.
    gene_columns : tuple of str or int
        Columns of the genes in use, sorted by name; positions where X has no names.
    pathway_names : tuple of str
    pathways : tuple of tuple of int
        For each pathway its genes as positions in ``gene_columns``.
    gene_mean, gene_scale : ndarray of shape (n_genes,)
        Mean and standard deviation (1 where that is zero) over the training patients.
    by_name : bool
        Whether columns are looked up by name at prediction, in whatever order they come.
    n_ignored : int
        Numeric columns that belong to no pathway.
    """

    bag_columns: tuple[str, ...]
    bag_widths: tuple[int, ...]
    gene_columns: tuple[Any, ...]
    pathway_names: tuple[str, ...]
    pathways: tuple[tuple[int, ...], ...]
    gene_mean: np.ndarray
    gene_scale: np.ndarray
    by_name: bool
    n_ignored: int

    @property
    def has_genes(self) -> bool:
        """Whether expression is a modality."""
        return bool(self.gene_columns)


def learn_schema(estimator: Any, X: Any, pathways: Any) -> tuple[InputSchema, Any]:
    """Check X and learn its columns and the scale of its genes.

    Parameters
    ----------
    estimator : BaseNetworkEstimator
        Receives ``n_features_in_`` and ``feature_names_in_``; says which modalities it requires.
    X : DataFrame or array of shape (n_patients, n_columns)
    pathways : path, mapping or None

    Returns
    -------
    schema : InputSchema
    X : DataFrame or ndarray
        As checked, for :func:`read_patients`.

    Raises
    ------
    CohortError
        If X has columns or rows that cannot be used.
    PathwayError
        If no gene of any pathway is among the columns.
    TypeError
        If X is a list of bags or an array of objects.
    """
    X = _check_columns(estimator, X, reset=True)
    if not isinstance(X, pd.DataFrame):
        X = pd.DataFrame(X)
        if pathways is not None:
            raise CohortError(
                "pathways need the names of the genes: X must be a DataFrame with genes as columns."
            )
    required = estimator._required
    bag_columns, numeric = columns_of_modalities(type(estimator).__name__, X, required)
    gene_columns: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    members: list[tuple[int, ...]] = []
    n_ignored = 0
    if numeric and (pathways is not None or all(isinstance(name, str) for name in numeric)):
        sets = align_pathways(pathways, numeric)
        gene_columns, names, n_ignored = sets.genes_used, sets.names, sets.n_ignored
        members = [tuple(place.tolist()) for place in sets.positions(gene_columns)]
    elif numeric:
        gene_columns, names, members = tuple(numeric), ("all",), [tuple(range(len(numeric)))]
    elif pathways is not None:
        raise CohortError("pathways were given, but X has no numeric column with expression.")
    widths = tuple(_width(X, name) for name in bag_columns)
    expression, has_profile = _expression(X, gene_columns)
    if gene_columns and not has_profile.any():
        raise CohortError("No patient has expression: every row of the gene columns is NaN.")
    known = expression[has_profile]
    scale = known.std(axis=0) if len(known) else np.ones(0)
    schema = InputSchema(
        tuple(bag_columns),
        widths,
        gene_columns,
        names,
        tuple(members),
        known.mean(axis=0) if len(known) else np.zeros(0),
        np.where(scale > 0, scale, 1.0),
        by_name=pathways is not None or required == ("bags",),
        n_ignored=n_ignored,
    )
    return schema, X


def read_patients(
    schema: InputSchema, X: Any, outcome: Outcome | None = None, *, required: Sequence[str] = ()
) -> PatientDataset:
    """Turn checked rows of X into patients.

    Parameters
    ----------
    schema : InputSchema
    X : DataFrame or ndarray
        From :func:`learn_schema` or :func:`check_again`.
    outcome : Outcome, optional
    required : sequence of {"bags", "genes"}
        What every patient must have; empty: any of them.

    Raises
    ------
    CohortError
        If a patient lacks what is required, a single expression value is missing,
        or bags have another width than in training.
    """
    X = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
    bags = [_bags(X, name, width) for name, width in zip(schema.bag_columns, schema.bag_widths, strict=True)]
    expression, has_profile = _expression(X, schema.gene_columns)
    if schema.has_genes:
        standardised = (expression - schema.gene_mean) / schema.gene_scale
        profiles = np.where(has_profile[:, None], np.clip(standardised, -CLIP, CLIP), 0.0)
    else:
        profiles, has_profile = None, np.zeros(len(X), dtype=bool)
    patients = PatientDataset(bags, schema.bag_widths, profiles, has_profile, outcome, names=X.index)
    refuse_missing(patients, X.index, required)
    return patients


def check_again(estimator: BaseEstimator, schema: InputSchema, X: Any) -> Any:
    """Check X at prediction against what was learned in ``fit``.

    With pathways, columns are found by name: their order does not matter and further genes are
    ignored. Without, scikit-learn's rule holds: the same columns in the same order.
    """
    if schema.by_name:
        if not isinstance(X, pd.DataFrame):
            raise CohortError(
                f"X must be a DataFrame with genes as columns, as in fit; got {type(X).__name__}."
            )
        wanted = [*schema.bag_columns, *schema.gene_columns]
        lacking = [name for name in wanted if name not in X.columns]
        if lacking:
            raise CohortError(
                f"{len(lacking)} of {len(wanted)} columns that the model was fitted with are missing: "
                f"{listing(lacking)}."
            )
        X = X[wanted]
        refuse_repeated(X.columns)
        return _numeric_or_bags(X)
    return _check_columns(estimator, X, reset=False)


def _check_columns(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    _refuse_loose_bags(X)
    if isinstance(X, pd.DataFrame):
        refuse_repeated(X.columns)
    holds_bags = isinstance(X, pd.DataFrame) and any(isinstance(dtype, BagDtype) for dtype in X.dtypes)
    if not holds_bags and not (isinstance(X, pd.DataFrame) and _all_numeric(X) and X.isna().any(axis=None)):
        names = X.columns if isinstance(X, pd.DataFrame) else None
        index = X.index if isinstance(X, pd.DataFrame) else None
        minimum = 2 if reset else 1
        values = validate_data(estimator, X, dtype=np.float64, reset=reset, ensure_min_samples=minimum)
        return values if names is None else pd.DataFrame(values, index=index, columns=names)
    _check_feature_names(estimator, X, reset=reset)
    if reset:
        estimator.n_features_in_ = X.shape[1]
        if len(X) == 1:
            raise CohortError(f"X has 1 patient ({X.index[0]}); at least 2 are needed to learn from.")
    return _numeric_or_bags(X)


def _refuse_loose_bags(X: Any) -> None:
    """Say what to do with bags that are in no column of dtype bag."""
    if isinstance(X, pd.DataFrame):
        of_objects = [pd.api.types.is_object_dtype(dtype) for dtype in X.dtypes]
        cells = X.loc[:, of_objects].to_numpy().ravel().tolist()
    elif isinstance(X, np.ndarray) and X.dtype == object:
        cells = X.ravel().tolist()
    elif isinstance(X, list | tuple | pd.Series | BagArray):
        cells = list(X)
    else:
        return
    if isinstance(X, pd.DataFrame | np.ndarray) and any(isinstance(cell, Bag) for cell in cells):
        # As they come out of a transformer with NumPy output.
        raise TypeError(
            "X holds bags in an array of objects, not in a column of dtype bag. If they came out of a "
            "ColumnTransformer, call its set_output(transform='pandas')."
        )
    if any(isinstance(cell, Bag) or (isinstance(cell, np.ndarray) and cell.ndim == 2) for cell in cells):
        raise TypeError(
            "X holds bags without a table. Put them into a column of dtype bag of a DataFrame: "
            "pd.DataFrame({'wsi': BagArray.from_arrays(bags)})."
        )


def _all_numeric(X: pd.DataFrame) -> bool:
    return all(pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes)


def _numeric_or_bags(X: pd.DataFrame) -> pd.DataFrame:
    foreign = [
        f"{name} ({dtype})"
        for name, dtype in X.dtypes.items()
        if not isinstance(dtype, BagDtype) and not pd.api.types.is_numeric_dtype(dtype)
    ]
    if foreign:
        raise CohortError(
            f"{len(foreign)} columns of X hold neither bags nor numbers: {listing(foreign)}. "
            "Encode or drop them; bags come from BagArray.from_files or BagArray.from_arrays."
        )
    if not len(X):
        raise CohortError("X has no rows: at least one patient is needed.")
    return X


def _width(X: pd.DataFrame, name: str) -> int:
    width = X[name].array.n_features
    if width is None:
        raise CohortError(f"Column {name!r} holds no bag: every cell is missing. Drop the column.")
    return width


def _bags(X: pd.DataFrame, name: str, width: int) -> Sequence[Bag | None]:
    column = X[name].array
    if not isinstance(column, BagArray):
        raise CohortError(f"Column {name!r} held bags in training; now its type is {column.dtype}.")
    bags: list[Bag | None] = [
        None if missing else bag for bag, missing in zip(column, column.isna(), strict=True)
    ]
    wrong = [
        f"{patient} ({bag.n_features})"
        for patient, bag in zip(X.index, bags, strict=True)
        if bag is not None and bag.n_features != width
    ]
    if wrong:
        raise CohortError(
            f"Bags of column {name!r} must have {width} features per instance as in training; "
            f"{len(wrong)} differ: {listing(wrong)}."
        )
    return bags


def _expression(X: pd.DataFrame, columns: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Genes as float64 (n_patients, n_genes), and which patients have them."""
    values = X[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan)
    missing = np.isnan(values)
    has_profile = ~missing.all(axis=1) if len(columns) else np.zeros(len(X), dtype=bool)
    single = missing & has_profile[:, None]
    infinite = np.isinf(values)
    beyond = np.abs(values) > LARGEST
    problems = (("NaN", single), ("infinite values (inf)", infinite), ("values beyond 3e+38", beyond))
    for what, wrong in problems:
        if wrong.any():
            rows, genes = wrong.any(axis=1), wrong.any(axis=0)
            raise CohortError(
                f"Expression holds {what} for {int(rows.sum())} patients ({listing(X.index[rows])}) in "
                f"{int(genes.sum())} genes ({listing(np.asarray(columns, dtype=object)[genes])}). "
                "Impute or drop them; a patient without any expression has NaN in all gene columns."
            )
    return values, has_profile


def as_pathway_mapping(schema: InputSchema) -> Mapping[str, list[str]]:
    """Genes in use of each pathway by name."""
    return {
        name: [str(schema.gene_columns[place]) for place in genes]
        for name, genes in zip(schema.pathway_names, schema.pathways, strict=True)
    }
