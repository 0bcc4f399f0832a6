"""What the command line says: results to standard output, everything else to standard error."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from joblib import parallel_config
from tqdm import tqdm

from sksurv_tta.exceptions import SksurvTTAWarning

__all__ = ["Progress", "as_options", "complain", "note", "readable_warnings", "say", "workers_warn_readably"]

#: Arguments of ``read_cohort`` that messages of the package name, and that are options here.
ARGUMENT = re.compile(
    r"\b(missing|event|censored|site|id|key|verify|match|on_bad_bag)=(?:'([^']*)'|\.\.\.|(?=[ ,.]))"
)

_said: set[str] = set()


def as_options(text: str) -> str:
    """Rewrite the arguments that a message of the package names as the options that they are here."""
    return ARGUMENT.sub(lambda found: f"--{found[1].replace('_', '-')} {found[2] or 'COLUMN'}", text)


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)  # noqa: T201 - the command line is where this package speaks


def note(text: str) -> None:
    """Print what goes on, to standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def complain(text: str) -> None:
    """Print an error, to standard error."""
    note(f"error: {text}")


@contextmanager
def readable_warnings() -> Iterator[None]:
    """Show each warning once, as a line of text without the place in the source."""
    with warnings.catch_warnings():
        _show_readably(())
        yield


@contextmanager
def workers_warn_readably() -> Iterator[None]:
    """Do the same in the processes that joblib starts; they do not repeat what was said before."""
    with parallel_config(backend="loky", initializer=_show_readably, initargs=(tuple(sorted(_said)),)):
        yield


def _show_readably(said_before: Iterable[str]) -> None:
    _said.clear()
    _said.update(said_before)
    # Python's own "once" forgets whenever some library changes the filters for a moment.
    warnings.filterwarnings("always", category=SksurvTTAWarning)
    warnings.showwarning = _show_warning


def _show_warning(message: Any, category: Any, *_: Any, **__: Any) -> None:
    text = str(message)
    if text not in _said:
        _said.add(text)
        note(f"warning: {as_options(text)}")


class Progress:
    """A progress bar on standard error for work that reports how many parts of how many are done.

    Parameters
    ----------
    unit : str
        What is counted.
    quiet : bool
        Show nothing.
    """

    def __init__(self, unit: str, *, quiet: bool):
        self._unit, self._quiet = unit, quiet
        self._bar: tqdm | None = None

    def __call__(self, done: int, total: int) -> None:
        """Move the bar to ``done`` of ``total``."""
        if self._bar is None:  # not before: work that is refused at once shows no bar
            self._bar = tqdm(unit=f" {self._unit}", total=total, disable=self._quiet)
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()
