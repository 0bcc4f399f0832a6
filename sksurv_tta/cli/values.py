"""Values of options: checked while they are read, so that wrong ones end with a usage message."""

from __future__ import annotations

import json
import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import torch
from sklearn.utils._param_validation import InvalidParameterError

from sksurv_tta.estimators import TTASurvivalEstimator, all_estimators
from sksurv_tta.estimators.peer import PeerEstimator
from sksurv_tta.evaluation import available_models

__all__ = [
    "ALL",
    "NETWORKS",
    "UsageError",
    "check_settings",
    "known_models",
    "models",
    "names",
    "setting",
    "times",
    "whole_number",
]

#: Stands for every model that the data at hand are enough for.
ALL = "all"
#: Models that take settings.
NETWORKS = (
    "tta",
    "tta-genes",
    "tta-bags",
    *(each._short_name for _, each in all_estimators() if issubclass(each, PeerEstimator)),
)

#: Parameters of the estimator that have an option of their own, or cannot be written on a command line.
NOT_SETTABLE = ("callbacks", "pathways", "random_state", "verbose", "warm_start")
#: Needs clinical columns in X, which tables read from files do not have.
NOT_FROM_FILES = ("cox-clinical",)
PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


class UsageError(Exception):
    """Options that are each right but do not fit together."""


def known_models() -> list[str]:
    """Names of the models that ``evaluate`` knows."""
    return [name for name in available_models() if name not in NOT_FROM_FILES]


def models(text: str) -> list[str]:
    """Comma-separated names of models, each known and given once; or "all"."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == [ALL]:
        return names
    unknown = [name for name in names if name not in known_models()]
    if unknown or not names:
        wrong = f"unknown: {', '.join(unknown)}" if unknown else "no model is named"
        raise ArgumentTypeError(f"{wrong}; known are {', '.join(known_models())}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ArgumentTypeError(f"given more than once: {', '.join(repeated)}")
    return names


def names(text: str) -> list[str]:
    """Comma-separated names, each given once."""
    given = [name.strip() for name in text.split(",") if name.strip()]
    if not given or len(set(given)) < len(given):
        raise ArgumentTypeError(f"{text!r} names nothing, or something twice")
    return given


def times(text: str) -> list[float]:
    """Comma-separated times, rising and each given once."""
    try:
        numbers = sorted({float(part) for part in text.split(",")})
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no list of numbers such as 365,1095") from None
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        raise ArgumentTypeError(f"times must be above 0, got {text}")
    return numbers


def whole_number(*, at_least: int) -> Callable[[str], int]:
    """Type of an option that takes a whole number from ``at_least`` on."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is no whole number") from None
        if number < at_least:
            raise ArgumentTypeError(f"must be at least {at_least}, got {number}")
        return number

    return read


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE with a parameter of the estimator; VALUE is JSON where it can be, and text otherwise."""
    name, separator, value = text.partition("=")
    known = [known for known in TTASurvivalEstimator().get_params() if known not in NOT_SETTABLE]
    if not separator:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE, such as max_epochs=50")
    if name not in known:
        close = get_close_matches(name, known, cutoff=0.5)
        meant = f"; do you mean {' or '.join(close)}?" if close else "."
        raise ArgumentTypeError(f"there is no parameter {name!r}{meant} There are {', '.join(sorted(known))}")
    try:
        return name, json.loads(PYTHON_WORDS.get(value, value))
    except json.JSONDecodeError:
        return name, value


def check_settings(settings: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Parameters of the estimator, each within what it allows.

    Parameters
    ----------
    settings : iterable of (name, value)

    Raises
    ------
    UsageError
        If a value is not allowed, or the device is not there.
    """
    parameters = dict(settings)
    estimator = TTASurvivalEstimator(**parameters)
    try:
        estimator._validate_params()
    except InvalidParameterError as error:
        raise UsageError(f"--set: {error}") from error
    if estimator.device != "auto":
        try:
            torch.empty(0, device=estimator.device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"--set device={estimator.device} cannot be used here: {reason}") from error
    return parameters
