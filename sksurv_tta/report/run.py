"""What was run: command, parameters, versions, and a digest of the data."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from sksurv_tta.bags import BagArray
from sksurv_tta.cohort import BAG_COLUMN, Cohort

__all__ = ["RunDescription"]

PACKAGES = ("sksurv-tta", "torch", "scikit-survival", "scikit-learn", "skorch", "numpy", "pandas")
# Of the namespace of options: how the command was called, which is said elsewhere.
NOT_OPTIONS = ("run", "typed", "interrupted")


@dataclass(frozen=True)
class RunDescription:
    """Everything needed to run the same thing again and to see whether it was the same.

    Attributes
    ----------
    command : list of str
        As typed.
    options : dict
        All options, also those left at their defaults.
    models : dict
        Every parameter of each model that is a number, text or a list of them.
    versions : dict
        Of Python and the packages that matter for the numbers.
    threads : int
    device : str
    data : dict
        Sizes of the cohort.
    digests : dict
        sha256 of outcomes, of expression, of the pathways, and of the sizes of the bags.
    """

    command: list[str]
    options: dict[str, Any]
    models: dict[str, dict[str, Any]]
    versions: dict[str, str]
    threads: int
    device: str
    data: dict[str, Any]
    digests: dict[str, str]

    @classmethod
    def of(
        cls,
        cohort: Cohort,
        *,
        command: Sequence[str],
        options: Mapping[str, Any],
        models: Mapping[str, Any],
        pathways: Mapping[str, Sequence[str]] | None = None,
    ) -> RunDescription:
        """Describe a run on a cohort.

        Parameters
        ----------
        cohort : Cohort
            With outcomes.
        command : sequence of str
            What stood behind the name of the program.
        options : mapping
            Of the command line.
        models : mapping of name to estimator
        pathways : mapping of name to genes, or None
        """
        return cls(
            command=["sksurv-tta", *command],
            options={name: _plain(value) for name, value in options.items() if name not in NOT_OPTIONS},
            models={name: _parameters(model) for name, model in models.items()},
            versions={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            data={str(name): _plain(value) for name, value in cohort.summary().items()},
            digests=_digests(cohort, pathways),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionary for JSON."""
        return asdict(self)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _parameters(model: Any) -> dict[str, Any]:
    parameters = sorted(model.get_params(deep=True).items())
    simple = {name: _plain(value) for name, value in parameters if _is_simple(value)}
    return {"class": type(model).__name__, **simple}


def _is_simple(value: Any) -> bool:
    """Whether it is a number, a word or a list of them, and neither a model nor a table."""
    if isinstance(value, list | tuple):
        return all(isinstance(item, str | int | float) for item in value)
    return isinstance(value, str | int | float | bool | np.generic | None)


def _digests(cohort: Cohort, pathways: Mapping[str, Sequence[str]] | None) -> dict[str, str]:
    parts = {"outcomes": cohort.y.tobytes()}
    if cohort.genes:
        expression = cohort.X[cohort.genes]
        parts["expression"] = pd.util.hash_pandas_object(expression, index=False).to_numpy().tobytes()
    if pathways is not None:
        parts["pathways"] = json.dumps({name: list(genes) for name, genes in pathways.items()}).encode()
    if BAG_COLUMN in cohort.X:
        parts["bag sizes"] = cast(BagArray, cohort.X[BAG_COLUMN].array).n_instances.tobytes()
    return {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
