"""Every error and warning of the package, and what each carries.

All errors derive from :class:`SksurvTTAError` *and* from the built-in exception that
scikit-learn users expect, so ``except ValueError`` keeps working.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sklearn.exceptions import ConvergenceWarning

__all__ = [
    "BagFileError",
    "CheckpointInUseError",
    "CheckpointMismatchError",
    "CohortError",
    "CohortWarning",
    "ExplanationWarning",
    "FoldError",
    "ImbalancedFoldsWarning",
    "InsufficientMemoryError",
    "ModelFileError",
    "NonFiniteCostError",
    "OutcomeError",
    "PathwayError",
    "PathwayWarning",
    "PredictionWarning",
    "SksurvTTAError",
    "SksurvTTAWarning",
    "SlideImageError",
    "TrainingDivergedError",
    "TrainingWarning",
    "TransportWarning",
    "listing",
]


def listing(items: Iterable[object], limit: int = 10) -> str:
    """First ``limit`` items, comma separated, with the number of those left out.

    Parameters
    ----------
    items : iterable
        What to list, in the order in which it should be shown.
    limit : int
        How many to show at the most.
    """
    shown = [str(item) for item in items]
    more = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {more} more" if more > 0 else "")


class SksurvTTAError(Exception):
    """Base of all errors of this package."""


class BagFileError(SksurvTTAError, ValueError):
    """A feature file cannot be used.

    Attributes
    ----------
    path : str or None
        The file.
    patient_ids : tuple of str
        The patients concerned, as far as they are known.
    """

    def __init__(self, message: str, *, path: object = None, patient_ids: Sequence[object] = ()):
        super().__init__(message)
        self.path = None if path is None else str(path)
        self.patient_ids = tuple(str(patient) for patient in patient_ids)


class CohortError(SksurvTTAError, ValueError):
    """Bags, expression and outcomes do not make one cohort; lists every problem at once.

    Attributes
    ----------
    problems : tuple of str
        One sentence for each problem.
    """

    def __init__(self, problems: str | Sequence[str]):
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        if len(self.problems) == 1:
            super().__init__(self.problems[0])
        else:
            lines = "\n".join(f"  {i}. {problem}" for i, problem in enumerate(self.problems, 1))
            super().__init__(f"{len(self.problems)} problems with this cohort:\n{lines}")


class PathwayError(SksurvTTAError, ValueError):
    """Pathway sets cannot be read or do not fit the genes at hand."""


class OutcomeError(SksurvTTAError, ValueError):
    """Event indicators or times cannot be used."""


class FoldError(SksurvTTAError, ValueError):
    """Folds cannot be made from, or do not fit, these patients and sites."""


class SlideImageError(SksurvTTAError, ValueError):
    """The image of a slide cannot be read; names the file."""


class TrainingDivergedError(SksurvTTAError, FloatingPointError):
    """The loss or its gradient is not finite; the weights were not touched by it.

    Attributes
    ----------
    epoch, step : int
        When it happened, counted from 0.
    parts : dict
        Every part of the loss of that step.
    """

    def __init__(self, message: str, *, epoch: int, step: int, parts: dict[str, float]):
        super().__init__(message)
        self.epoch = epoch
        self.step = step
        self.parts = dict(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the keyword arguments: a worker process must be able to send it home."""
        return partial(type(self), epoch=self.epoch, step=self.step, parts=self.parts), self.args


class InsufficientMemoryError(SksurvTTAError, MemoryError):
    """Memory ran out even in the smallest pieces; says how large they are and what would help."""


class NonFiniteCostError(SksurvTTAError, ValueError):
    """The cost of a real token is NaN or infinite, so there is nothing to transport."""


class CheckpointMismatchError(SksurvTTAError, ValueError):
    """A checkpoint belongs to other data, parameters or another version."""


class CheckpointInUseError(SksurvTTAError, RuntimeError):
    """Another run writes its checkpoints to the same folder."""


class ModelFileError(SksurvTTAError, ValueError):
    """A saved model or checkpoint is damaged, foreign or of an unknown version."""


class SksurvTTAWarning(UserWarning):
    """Base of all warnings of this package."""


class CohortWarning(SksurvTTAWarning):
    """Something in the data that works but that the user should know."""


class PathwayWarning(SksurvTTAWarning):
    """Genes of a pathway are missing, or a pathway was left out."""


class ImbalancedFoldsWarning(SksurvTTAWarning):
    """The folds cannot be balanced as well as asked for; says by how much."""


class TrainingWarning(SksurvTTAWarning):
    """Training went on, but in a way that the user may want to change."""


class PredictionWarning(SksurvTTAWarning):
    """A prediction holds, but it is not, to the last digit, what it would have been with more memory."""


class ExplanationWarning(SksurvTTAWarning):
    """An explanation holds, but less exactly or for fewer patches than one would think."""


class TransportWarning(TrainingWarning, ConvergenceWarning):
    """Transport plans did not reach their tolerance; says how many and how far off."""
