"""What is found wrong or noteworthy while a cohort is read, kept until everything has been looked at."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import NoReturn

from sksurv_tta.exceptions import CohortError, CohortWarning

__all__ = ["Findings"]


@dataclass
class Findings:
    """Problems and warnings in the order in which they were found.

    Attributes
    ----------
    problems : list of str
        Why the data do not make a cohort.
    warnings : list of str
        What works but should be known.
    counts : dict of str to int
        What was left aside without harm, for the summary of the cohort.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def refuse(self) -> NoReturn:
        """Raise all problems as one error.

        Raises
        ------
        CohortError
            With one sentence for each problem.
        """
        raise CohortError(self.problems)

    def emit_warnings(self, *, stacklevel: int) -> None:
        """Emit each warning, as coming from ``stacklevel`` calls above the caller."""
        for message in self.warnings:
            warnings.warn(message, CohortWarning, stacklevel=stacklevel + 1)
