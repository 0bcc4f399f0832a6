"""Parameters of an estimator as JSON values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sksurv_tta.exceptions import listing
from sksurv_tta.training.tensor_files import storable

__all__ = [
    "NOT_STORED",
    "changed_parameters",
    "check_ties",
    "check_warm_start",
    "seed_of",
    "stored_parameters",
]

#: ``pathways`` can be the path of a file of this machine; the genes in use are stored instead.
NOT_STORED = {"callbacks", "checkpoint_dir", "pathways"}
#: May change after ``fit`` without making another model of it.
FREE_AFTER_FIT = {"device", "max_epochs", "random_state", "verbose", "warm_start"}


def changed_parameters(
    estimator: Any, before: Mapping[str, Any], *, without: Collection[str] = ()
) -> list[str]:
    """Parameters that are no longer as they were, each with both values.

    Parameters
    ----------
    estimator : estimator
    before : mapping of str to value
        Parameters at an earlier time.
    without : collection of str
        Names that may change, besides ``NOT_STORED`` and ``FREE_AFTER_FIT``.
    """
    free = {*NOT_STORED, *FREE_AFTER_FIT, *without}
    return [
        f"{name} ({value!r} in fit, {getattr(estimator, name)!r} now)"
        for name, value in before.items()
        if name not in free and getattr(estimator, name) != value
    ]


def check_warm_start(estimator: Any, before: Mapping[str, Any], *, may_change: Collection[str]) -> None:
    """Refuse to go on with a network that was made with other parameters.

    Parameters
    ----------
    estimator : estimator
    before : mapping of str to value
        Parameters of the training that is gone on with.
    may_change : collection of str

    Raises
    ------
    ValueError
        Names the parameters with both values.
    """
    changed = changed_parameters(estimator, before, without=may_change)
    if changed:
        raise ValueError(
            f"A warm start goes on with the network of before, but parameters were changed since: "
            f"{listing(changed)}. Set them back, or warm_start=False to train anew."
        )


def check_ties(loss: str, ties: str) -> None:
    """Refuse a treatment of ties that the loss has no use for.

    Parameters
    ----------
    loss : {"cox", "discrete", "nll"}
        In force, whoever set it.
    ties : {"breslow", "efron"}

    Raises
    ------
    ValueError
    """
    if ties != "breslow" and loss != "cox":
        raise ValueError(
            f"ties={ties!r} is a form of loss='cox', but the loss in force is {loss!r}, to which ties mean "
            "nothing. Set loss='cox' and a recipe that does not replace it, or leave ties at 'breslow'."
        )


def seed_of(random_state: Any) -> int:
    """Seed of a training.

    Parameters
    ----------
    random_state : int, RandomState or None
        None takes fresh entropy: the caller's global generator is not ours to advance.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def stored_parameters(estimator: Any, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Parameters as JSON values, by name.

    Parameters
    ----------
    estimator : estimator
    without : collection of str
        Names to leave out, besides ``NOT_STORED``.

    Raises
    ------
    ValueError
        If some hold what JSON cannot; names them all.
    """
    stored, refused = {}, []
    for name, value in estimator.get_params(deep=False).items():
        if name in NOT_STORED or name in without:
            continue
        try:
            stored[name] = storable(value)
        except TypeError:
            refused.append(f"{name} ({type(value).__name__})")
    if refused:
        raise ValueError(
            f"{len(refused)} parameters of {type(estimator).__name__} hold neither numbers nor strings: "
            f"{listing(refused)}. Give such values instead, for example random_state=0."
        )
    return stored
