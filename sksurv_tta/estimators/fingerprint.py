"""What tells one training from another, without holding anything of a patient."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.parameters import stored_parameters
from sksurv_tta.training import PatientDataset, SurvivalNet
from sksurv_tta.training.tensor_files import digest, storable

__all__ = ["identify_training"]

#: Without influence on the weights, or described by the environment or another field.
WITHOUT_INFLUENCE = {"device", "random_state", "verbose", "warm_start"}
N_PROBED = 64  # bags of which one instance is read


def identify_training(
    estimator: Any,
    schema: InputSchema,
    patients: PatientDataset,
    sites: Any,
    seed: int,
    start: SurvivalNet | None,
) -> dict[str, Any]:
    """JSON values that are equal for two trainings with the same result, and else differ.

    Parameters
    ----------
    estimator : BaseNetworkEstimator
    schema : InputSchema
    patients : PatientDataset
        With outcome.
    sites : array-like of shape (n_patients,) or None
    seed : int
        Does not count if ``random_state`` is None: a checkpoint brings its own.
    start : SurvivalNet or None
        The trained net that this training goes on from.

    Returns
    -------
    identity : dict
        Of the data it holds digests only.
    """
    parameters = stored_parameters(estimator, without=WITHOUT_INFLUENCE)
    return {
        "class": type(estimator).__name__,
        # As the recipe understands them: in another version it may mean something else.
        "parameters": {name: storable(estimator._setting(name)) for name in parameters},
        "callbacks": [type(c).__name__ for c in estimator.callbacks or []],
        "seed": None if estimator.random_state is None else seed,
        "columns": _digest_columns(schema),
        "patients": _digest_patients(patients),
        "sites": _digest_sites(sites),
        "start": None if start is None else _digest_net(start),
    }


def _digest_columns(schema: InputSchema) -> str:
    names = [[str(name) for name in group] for group in (schema.bag_columns, schema.gene_columns)]
    return digest([names, schema.bag_widths, schema.pathway_names, schema.pathways], {})


def _digest_patients(patients: PatientDataset) -> str:
    """Digest of outcome and strata, expression and sizes of bags, and of one instance of some bags.

    Reading all bags would take as long as an epoch; one instance is enough to see that files
    of the same sizes were made by another encoder.
    """
    total = hashlib.sha256()
    arrays = [patients.n_instances, patients.has_profile]
    arrays += [] if patients.outcome is None else [values.numpy() for values in patients.outcome.known()]
    arrays += [] if patients.profiles is None else [patients.profiles.numpy()]
    for column in patients.bags:
        bags = [bag for bag in column if bag is not None]
        arrays += [bag.read(slice(0, 1)) for bag in bags[:: -(-len(bags) // N_PROBED) or 1]]
    for array in arrays:
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _digest_sites(sites: Any) -> str | None:
    if sites is None:
        return None
    codes, _ = pd.factorize(pd.Series(np.asarray(sites)).astype(str), sort=True)
    return digest(codes.tolist(), {})


def _digest_net(net: SurvivalNet) -> str:
    tensors = {f"network.{name}": value for name, value in net.module_.state_dict().items()}
    for number, state in net.optimizer_.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
    return digest([net.seed, len(net.history)], tensors)
