"""From options to a cohort, and what can be said about data and output before any model is fitted."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from sksurv_tta.cli.messages import note
from sksurv_tta.cli.values import UsageError
from sksurv_tta.cohort import BAG_COLUMN, Cohort, read_cohort
from sksurv_tta.exceptions import CohortError, OutcomeError, listing
from sksurv_tta.pathways import align_pathways, read_gmt

__all__ = ["as_fitted", "check_writable", "read_data", "read_pathways"]


def read_data(options: argparse.Namespace) -> Cohort:
    """Read the cohort that the options describe, and say what was read.

    Parameters
    ----------
    options : Namespace
        With ``bags``, ``key``, ``verify``, ``on_bad_bag``, ``outcomes``, ``id``, ``missing``, ``match`` and
        what else the command has.

    Raises
    ------
    UsageError
        If there is nothing to predict from.
    CohortError
        If the files cannot be used.
    OutcomeError
        If no patient has an event.
    """
    given = vars(options)
    bags, expression = given["bags"], given.get("expression")
    if not bags and expression is None:
        raise UsageError("Give --bags, --expression or both.")
    if given.get("pathways") is not None and expression is None:
        raise UsageError("--pathways groups the genes of --expression, which is not given.")
    cohort = read_cohort(
        bags=bags[0] if bags and len(bags) == 1 else bags,
        expression=expression,
        outcomes=options.outcomes,
        time=given.get("time"),
        event=given.get("event"),
        censored=given.get("censored"),
        site=given.get("site"),
        id=options.id,
        missing=options.missing,
        match=options.match,
        key=options.key,
        verify=options.verify,
        on_bad_bag=options.on_bad_bag,
    )
    note(str(cohort))
    if cohort.y is not None and not cohort.y["event"].any():
        raise OutcomeError(f"None of {len(cohort)} patients has an event, so there is nothing to learn from.")
    return cohort


def read_pathways(path: str | None, cohort: Cohort) -> dict[str, list[str]] | None:
    """Pathway sets of a file, matched with the genes once: every complaint comes before the first fit.

    Parameters
    ----------
    path : str or None
    cohort : Cohort
    """
    if path is None:
        return None
    pathways = read_gmt(path)
    align_pathways(pathways, cohort.genes)
    return pathways


def check_writable(folder: Path) -> None:
    """Make a folder, and write to it, now rather than after hours of training.

    Raises
    ------
    UsageError
        If there is a file of this name.
    OSError
        If it cannot be made or written to.
    """
    if folder.is_file():
        raise UsageError(f"{folder} is a file where a folder is needed; choose another --out.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b" ")


def as_fitted(X: pd.DataFrame, estimator: Any) -> pd.DataFrame:
    """The columns that the model was fitted with, by name; further genes are of no use to it.

    Parameters
    ----------
    X : DataFrame
    estimator : estimator
        Fitted.

    Raises
    ------
    UsageError
        If there are no slides, or no expression, although the model was fitted with some.
    CohortError
        If genes of the model are missing.
    """
    fitted = [str(name) for name in estimator.feature_names_in_]
    if BAG_COLUMN in fitted and BAG_COLUMN not in X:
        raise UsageError("The model was fitted with slides: give --bags (a patient may lack slides).")
    if X.columns.tolist() == [BAG_COLUMN] and fitted != [BAG_COLUMN]:
        raise UsageError(
            "The model was fitted with genes: give --expression (a patient may lack expression)."
        )
    lacking = [name for name in fitted if name not in X]
    # With pathways the model needs a part of the genes only, and says itself which of them are not there.
    if lacking and not estimator.pathways:
        raise CohortError(
            f"{len(lacking)} of {len(fitted)} columns that the model was fitted with are not in these data: "
            f"{listing(lacking)}."
        )
    return X[[name for name in fitted if name in X]]
