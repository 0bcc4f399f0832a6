"""What was run: command, parameters, versions, and a digest of the data."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import torch

from sksurv_tta.cohort import BAG_COLUMN, Cohort

__all__ = ["RunDescription"]

PACKAGES = ("sksurv-tta", "torch", "scikit-survival", "scikit-learn", "skorch", "numpy", "pandas")


@dataclass(frozen=True)
class RunDescription:
    """Everything needed to run the same thing again and to see whether it was the same.

    Attributes
    ----------
    command : list of str
        As typed.
    options : dict
        All options with their defaults.
    models : dict
        Parameters of each model that differ from their defaults, as text.
    versions : dict
        Of Python and the packages that matter for the numbers.
    threads : int
    device : str
    data : dict
        Sizes of the cohort.
    digests : dict
        sha256 of outcomes, of expression, and of the sizes of the bags.
    """

    command: list[str]
    options: dict[str, Any]
    models: dict[str, str]
    versions: dict[str, str]
    threads: int
    device: str
    data: dict[str, Any]
    digests: dict[str, str]

    @classmethod
    def of(cls, cohort: Cohort, *, options: Mapping[str, Any], models: Mapping[str, Any]) -> RunDescription:
        """Describe a run on a cohort.

        Parameters
        ----------
        cohort : Cohort
        options : mapping
            Of the command line.
        models : mapping of name to estimator
        """
        return cls(
            command=["sksurv-tta", *sys.argv[1:]],
            options={name: _plain(value) for name, value in options.items() if not callable(value)},
            models={name: " ".join(repr(model).split()) for name, model in models.items()},
            versions={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            data={name: _plain(value) for name, value in cohort.summary().items()},
            digests=_digests(cohort),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionary for JSON."""
        return asdict(self)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | list | None) else str(value)


def _digests(cohort: Cohort) -> dict[str, str]:
    parts = {"outcomes": cohort.y.tobytes()}
    if cohort.genes:
        expression = cohort.X[cohort.genes]
        parts["expression"] = pd.util.hash_pandas_object(expression, index=False).to_numpy().tobytes()
    if BAG_COLUMN in cohort.X:
        parts["bag sizes"] = cohort.X[BAG_COLUMN].array.n_instances.tobytes()
    return {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
