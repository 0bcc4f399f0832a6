"""Parameters of estimators that are dataclasses: the default, and with it what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field, field
from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, StrOptions

__all__ = ["choice", "constraints_of", "count", "not_negative", "part", "positive", "share"]

ALLOWED = "allowed"  # key of a field's metadata


def count(default: int, *, at_least: int = 1) -> Any:
    """Parameter that counts something."""
    return _parameter(default, Interval(Integral, at_least, None, closed="left"))


def share(default: float) -> Any:
    """Parameter from 0 on and below 1, such as a probability of dropout."""
    return _between(default, 0, 1, "left")


def part(default: float) -> Any:
    """Parameter above 0 and up to 1, such as how many of a patient's tokens are kept."""
    return _between(default, 0, 1, "right")


def not_negative(default: float) -> Any:
    """Parameter from 0 on, such as the weight of a loss or a time."""
    return _between(default, 0, None, "left")


def positive(default: float) -> Any:
    """Parameter above 0."""
    return _between(default, 0, None, "neither")


def choice(default: str, names: Iterable[str]) -> Any:
    """Parameter that is one of some names."""
    return _parameter(default, StrOptions(set(names)))


def constraints_of(cls: type) -> dict[str, list[Any]]:
    """What a class allows for the parameters of its own, as scikit-learn checks it.

    Parameters
    ----------
    cls : type
        Before ``dataclass`` has put the defaults in the place of the fields.
    """
    declared = {name: value for name, value in vars(cls).items() if isinstance(value, Field)}
    return {name: value.metadata[ALLOWED] for name, value in declared.items() if ALLOWED in value.metadata}


def _between(
    default: float, low: float, high: float | None, closed: Literal["left", "right", "neither"]
) -> Any:
    return _parameter(default, Interval(Real, low, high, closed=closed))


def _parameter(default: Any, allowed: Any) -> Any:
    return field(default=default, metadata={ALLOWED: [allowed]})
