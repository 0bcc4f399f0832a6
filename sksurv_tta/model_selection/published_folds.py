"""Folds in the file layouts of published code: MMP, SurvPath and MCAT, DisPro."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sksurv_tta.exceptions import FoldError, listing
from sksurv_tta.model_selection.fold_files import (
    fold_numbers,
    read_table,
    site_column,
    text_ids,
    write_table,
)
from sksurv_tta.model_selection.inner_split import site_preserved_train_test_split
from sksurv_tta.model_selection.sites import check_outcome

__all__ = ["read_dispro_folds", "read_mmp_folds", "read_survpath_folds", "write_mmp_folds"]

_MMP_FOLDER = re.compile(r"(?P<name>.*)_k=(?P<fold>\d+)$")
_SPLIT_FILE = re.compile(r"splits_(?P<fold>\d+)\.csv$")


def read_mmp_folds(
    directory: str | os.PathLike[str], *, endpoint: str = "dss", name: str | None = None
) -> pd.DataFrame:
    """Folds and outcomes in the layout of MMP, which OTSurv shares: ``<name>_k=<k>/{train,test}.csv``.

    The files have one row per slide; rows of a case are merged. They say ``censorship``, 1 for censored,
    which becomes ``event``.

    Parameters
    ----------
    directory : path-like
        Folder that holds the folders of the folds.
    endpoint : str
        ``"os"``, ``"dss"``, ``"dfi"`` or ``"pfi"``: which columns to read.
    name : str, optional
        What the folders are called before ``_k=``; needed only if there are several such names.

    Returns
    -------
    DataFrame
        Columns ``id``, ``site`` (blank where the file has none), ``time``, ``event`` and ``fold``, sorted
        by id. Times are as in the files: zero days do occur.

    Raises
    ------
    FoldError
        If files are missing, rows of a case disagree, a case is in training and test of a fold, or is not
        tested exactly once; lists the cases.
    """
    tests, members = [], []
    for fold, folder in _mmp_folders(Path(directory), name):
        train, test = (_mmp_cases(folder / f"{part}.csv", endpoint) for part in ("train", "test"))
        _check_disjoint(train["id"], test["id"], folder.name)
        tests.append(test.assign(fold=fold))
        members.append((folder.name, set(train["id"]) | set(test["id"])))
    return _checked(pd.concat(tests), members)


def _mmp_folders(directory: Path, name: str | None) -> list[tuple[int, Path]]:
    found: dict[str, dict[int, Path]] = {}
    for folder in sorted(path for path in directory.glob("*_k=*") if path.is_dir()):
        match = _MMP_FOLDER.match(folder.name)
        if match and name in {None, match["name"]}:
            found.setdefault(match["name"], {})[int(match["fold"])] = folder
    if not found:
        raise FoldError(f"{directory} has no folders called {name or '<name>'}_k=0, _k=1 and so on.")
    if len(found) > 1:
        raise FoldError(f"{directory} has folds of several cohorts: choose by name= among {listing(found)}.")
    return sorted(next(iter(found.values())).items())


def _mmp_cases(path: Path, endpoint: str) -> pd.DataFrame:
    days, censorship = f"{endpoint}_survival_days", f"{endpoint}_censorship"
    table = read_table(path, ["case_id", days, censorship])
    cases = pd.DataFrame(
        {
            "id": table["case_id"],
            "site": table.get("tissue_source_site", ""),
            "time": _numbers(table[days], table["case_id"], path),
            "event": _indicator(table[censorship], table["case_id"], path) == 0,
        }
    )
    return _one_row_per_case(cases, path)


def _numbers(values: pd.Series, ids: pd.Series, path: Path) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = ids[~np.isfinite(numbers) | (numbers < 0)].unique()
    if len(wrong):
        raise FoldError(f"{path}: {len(wrong)} cases have no valid {values.name}: {listing(wrong)}.")
    return numbers


def _indicator(values: pd.Series, ids: pd.Series, path: Path) -> pd.Series:
    numbers = _numbers(values, ids, path)
    wrong = ids[~numbers.isin([0, 1])].unique()
    if len(wrong):
        raise FoldError(f"{path}: {values.name} is neither 0 nor 1 for {len(wrong)} cases: {listing(wrong)}.")
    return numbers.astype(int)


def _one_row_per_case(cases: pd.DataFrame, path: Path) -> pd.DataFrame:
    once = cases.drop_duplicates()
    conflicting = once["id"][once["id"].duplicated()].unique()
    if len(conflicting):
        raise FoldError(f"{path}: rows of {len(conflicting)} cases disagree: {listing(conflicting)}.")
    return once.reset_index(drop=True)


def _check_disjoint(train: Iterable[str], test: Iterable[str], where: str) -> None:
    both = sorted(set(train) & set(test))
    if both:
        raise FoldError(f"{where}: {len(both)} cases are in training and in test: {listing(both)}.")


def _checked(tests: pd.DataFrame, members: Sequence[tuple[str, set[str]]]) -> pd.DataFrame:
    """Check that all folds divide the same cases and that each case is tested once."""
    everyone = set().union(*(cases for _, cases in members))
    problems = []
    twice = sorted(tests["id"][tests["id"].duplicated()].unique())
    if twice:
        problems.append(f"{len(twice)} cases are tested more than once: {listing(twice)}")
    never = sorted(everyone - set(tests["id"]))
    if never:
        problems.append(f"{len(never)} cases are never tested: {listing(never)}")
    for where, cases in members:
        absent = sorted(everyone - cases)
        if absent:
            problems.append(f"{where} lacks {len(absent)} cases of the other folds: {listing(absent)}")
    if problems:
        raise FoldError(f"These are not folds of one cohort: {'; '.join(problems)}.")
    return tests.sort_values("id").reset_index(drop=True)


def read_survpath_folds(directory: str | os.PathLike[str]) -> pd.DataFrame:
    """Folds in the layout of SurvPath and MCAT: ``splits_<k>.csv`` with the columns train and val.

    The columns hold case ids and are padded with blanks. What these codes call ``val`` is the part on
    which they report, so it is the test part of fold k.

    Parameters
    ----------
    directory : path-like
        Folder of the files.

    Returns
    -------
    DataFrame
        Columns ``id`` and ``fold``, sorted by id.

    Raises
    ------
    FoldError
        As :func:`read_mmp_folds`.
    """
    matches = [(_SPLIT_FILE.match(path.name), path) for path in Path(directory).glob("splits_*.csv")]
    files = sorted((int(match["fold"]), path) for match, path in matches if match)
    if not files:
        raise FoldError(f"{os.fspath(directory)} has no files called splits_0.csv, splits_1.csv and so on.")
    tests, members = [], []
    for fold, path in files:
        table = read_table(path, ["train", "val"])
        train, test = ([text.strip() for text in table[part] if text.strip()] for part in ("train", "val"))
        _check_disjoint(train, test, path.name)
        tests.append(pd.DataFrame({"id": test, "fold": fold}))
        members.append((path.name, set(train) | set(test)))
    return _checked(pd.concat(tests), members)


def read_dispro_folds(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Folds and outcomes in the layout of DisPro: one CSV with columns Fold 0, Fold 1, … of train or val.

    Parameters
    ----------
    path : path-like
        File with the columns ID, Event (the time), Status (1 if the event happened) and the folds.

    Returns
    -------
    DataFrame
        Columns ``id``, ``time``, ``event`` and ``fold``, sorted by id.

    Raises
    ------
    FoldError
        If a column is missing, a cell is neither train nor val, or as :func:`read_mmp_folds`.
    """
    source = Path(path)
    table = read_table(source, ["ID", "Event", "Status"])
    columns = {int(match[1]): name for name in table if (match := re.fullmatch(r"Fold (\d+)", str(name)))}
    if not columns:
        raise FoldError(f"{source} has no columns called Fold 0, Fold 1 and so on.")
    folds = table[list(columns.values())].apply(lambda cells: cells.str.strip().str.lower())
    wrong = table["ID"][~folds.isin(["train", "val"]).all(axis=1)].unique()
    if len(wrong):
        raise FoldError(
            f"{source}: {len(wrong)} cases are neither train nor val in a fold: {listing(wrong)}."
        )
    cases = pd.DataFrame(
        {
            "id": table["ID"],
            "time": _numbers(table["Event"], table["ID"], source),
            "event": _indicator(table["Status"], table["ID"], source) == 1,
        }
    ).join(folds)
    cases = _one_row_per_case(cases, source)
    tests = [cases[cases[name] == "val"].assign(fold=fold) for fold, name in sorted(columns.items())]
    checked = _checked(pd.concat(tests), [(source.name, set(cases["id"]))])
    return checked[["id", "time", "event", "fold"]]


def write_mmp_folds(
    directory: str | os.PathLike[str],
    ids: Iterable[object],
    y: NDArray,
    folds: ArrayLike,
    *,
    name: str,
    endpoint: str = "dss",
    sites: ArrayLike | None = None,
    slides: Mapping[str, Sequence[str]] | None = None,
    validation_size: float | None = None,
) -> None:
    """Write folds in the layout of MMP, so that other code can use them.

    Parameters
    ----------
    directory : path-like
        Folder in which the folders ``<name>_k=<k>`` are made.
    ids : iterable, length n_patients
        Patient ids.
    y : structured array, shape (n_patients,)
        Event indicator and time in days; written as ``censorship``, 1 for censored.
    folds : array-like of int, shape (n_patients,)
        Fold in which each patient is tested.
    name : str
        What the folders are called, for example ``"TCGA_BLCA_overall_survival"``.
    endpoint : str
        Prefix of the outcome columns.
    sites : array-like, shape (n_patients,), optional
        Site of each patient.
    slides : mapping from id to slide names, optional
        One row is written per slide; by default one per patient, with the id as the slide.
    validation_size : float, optional
        Share of the training patients to be written to ``val.csv`` instead of ``train.csv``: whole sites
        if ``sites`` are given. Codes that stop early need it; without it no ``val.csv`` is written.

    Raises
    ------
    FoldError
        If lengths differ, ids are repeated, slides are missing, or ``name`` is not a plain file name.
    OutcomeError
        If ``y`` is not a survival outcome.
    """
    if not name or Path(name).name != name:
        raise FoldError(f"name must be a plain name without folders; got {name!r}.")
    names = text_ids(ids)
    event, time = check_outcome(y, allow_all_censored=True)
    if len(event) != len(names):
        raise FoldError(f"y has {len(event)} rows for {len(names)} ids.")
    fold_of = fold_numbers(pd.Series(np.asarray(folds)), names, "folds")
    table = pd.DataFrame({"case_id": names, "slide_id": _slide_names(names, slides)})
    table[f"{endpoint}_survival_days"] = time
    table[f"{endpoint}_censorship"] = (~event).astype(int)
    if sites is not None:
        table["tissue_source_site"] = pd.Series(site_column(sites, len(names)))
    for fold in np.unique(fold_of):
        train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        parts = {"train": train, "test": test}
        if validation_size is not None:
            groups = None if sites is None else np.asarray(sites, dtype=object)[train]
            kept, held_out = site_preserved_train_test_split(
                None, y[train], groups, test_size=validation_size
            )
            parts |= {"train": train[kept], "val": train[held_out]}
        folder = Path(directory) / f"{name}_k={fold}"
        folder.mkdir(parents=True, exist_ok=True)
        for part, rows in parts.items():
            write_table(table.iloc[rows].explode("slide_id"), folder / f"{part}.csv")


def _slide_names(names: Sequence[str], slides: Mapping[str, Sequence[str]] | None) -> list[list[str]]:
    if slides is None:
        return [[patient] for patient in names]
    without = [patient for patient in names if not slides.get(patient)]
    if without:
        raise FoldError(f"{len(without)} of {len(names)} patients have no slides: {listing(without)}.")
    return [list(slides[patient]) for patient in names]
