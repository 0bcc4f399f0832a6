"""Write a cohort to disk in the formats in which real cohorts come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import h5py
import numpy as np
import pandas as pd

from sksurv_tta.bags import Bag, BagArray
from sksurv_tta.cohort import BAG_COLUMN, Cohort
from sksurv_tta.exceptions import CohortError, listing

__all__ = ["WrittenCohort", "write_cohort"]

PATCH_SIZE, LEVEL0_MAGNIFICATION, TARGET_MAGNIFICATION = 256, 40, 20
PATCH_SIZE_LEVEL0 = PATCH_SIZE * LEVEL0_MAGNIFICATION // TARGET_MAGNIFICATION


@dataclass(frozen=True)
class WrittenCohort:
    """Where the parts of a cohort were written; None for a part that it does not have.

    ``read_cohort(bags=written.bags, expression=written.expression, outcomes=written.outcomes, time="time",
    event="event", site="site")`` reads it back.
    """

    bags: Path | None
    expression: Path | None
    outcomes: Path
    pathways: Path | None


def write_cohort(
    cohort: Cohort, directory: str | os.PathLike[str], *, feature_dtype: str = "float32"
) -> WrittenCohort:
    """Write bags as TRIDENT files, expression and outcomes as CSV and the pathways as GMT.

    The folder then holds ``features/<slide>.h5`` (``features`` (n_instances, n_features), ``coords``
    (n_instances, 2) in pixels of level 0, with TRIDENT's attributes), ``expression.csv`` (patient id, then
    genes; patients without expression are absent), ``clinical.csv`` (``case_id, slide_ids, site, time,
    event`` and whatever else the cohort's table has) and ``pathways.gmt``. The instances of a patient whose
    table lists several slides are divided among them in order. Nothing that exists is overwritten.

    Parameters
    ----------
    cohort : Cohort
        Of :func:`make_cohort` or :func:`sksurv_tta.read_cohort`.
    directory : path-like
        Folder to write to; made if it does not exist.
    feature_dtype : {"float32", "float16"}
        Type of the stored features.

    Returns
    -------
    written : WrittenCohort
        The paths.

    Raises
    ------
    CohortError
        If the folder holds files of these names already, or an id cannot be the name of a file.
    """
    if feature_dtype not in {"float16", "float32"}:
        raise CohortError(f"feature_dtype must be 'float16' or 'float32', got {feature_dtype!r}.")
    root = Path(directory)
    written = WrittenCohort(
        bags=root / "features" if BAG_COLUMN in cohort.X else None,
        expression=root / "expression.csv" if cohort.genes else None,
        outcomes=root / "clinical.csv",
        pathways=root / "pathways.gmt" if cohort.pathways else None,
    )
    slides = _slides(cohort)
    _refuse_unsafe_names([slide for own in slides for slide in own])
    _refuse_existing(written)
    root.mkdir(parents=True, exist_ok=True)
    if written.bags is not None:
        written.bags.mkdir()
        for bag, own in zip(cast(BagArray, cohort.X[BAG_COLUMN].array), slides, strict=True):
            for slide, features, coordinates in _divide(bag, own):
                _write_slide(written.bags / f"{slide}.h5", features.astype(feature_dtype), coordinates)
    if written.expression is not None:
        cohort.X[cohort.genes].dropna(how="all").to_csv(written.expression, index_label="case_id")
    _clinical(cohort, slides).to_csv(written.outcomes, index=False)
    if written.pathways is not None and cohort.pathways is not None:
        lines = ["\t".join([name, "simulated", *genes]) for name, genes in cohort.pathways.items()]
        written.pathways.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return written


def _slides(cohort: Cohort) -> list[list[str]]:
    """Names of each patient's slides; none where the bag is missing."""
    if BAG_COLUMN not in cohort.X:
        return [[] for _ in range(len(cohort))]
    listed = cohort.table["slide_ids"] if "slide_ids" in cohort.table else pd.Series("", index=cohort.X.index)
    bags = cast(BagArray, cohort.X[BAG_COLUMN].array)
    return [
        [] if missing else [slide for slide in str(cell).split(";") if slide] or [str(patient)]
        for patient, cell, missing in zip(cohort.ids, listed, bags.isna(), strict=True)
    ]


def _refuse_unsafe_names(slides: list[str]) -> None:
    unsafe = [repr(slide) for slide in slides if Path(slide).name != slide or slide.startswith(".")]
    if unsafe:
        raise CohortError(f"{len(unsafe)} slides cannot be names of files: {listing(unsafe)}.")


def _refuse_existing(written: WrittenCohort) -> None:
    parts = (written.bags, written.expression, written.outcomes, written.pathways)
    present = [str(path) for path in parts if path is not None and path.exists()]
    if present:
        raise CohortError(f"Not overwritten: {listing(present)} exist. Write to another folder.")


def _divide(bag: Bag | None, slides: list[str]) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    if bag is None or not slides:
        return
    # A slide without instances would be refused when it is read.
    names = slides[: bag.n_instances]
    sizes = bag.slide_sizes
    ends = np.cumsum(sizes)[:-1] if len(sizes) == len(names) else len(names)
    rows = np.array_split(np.arange(bag.n_instances), ends)
    features, coordinates = bag.features, bag.coordinates
    for slide, own in zip(names, rows, strict=True):
        yield slide, features[own], None if coordinates is None else coordinates[own]


def _write_slide(path: Path, features: np.ndarray, coordinates: np.ndarray | None) -> None:
    # TRIDENT stores what is not known as the text "None".
    common = {"name": path.stem, "savetodir": "None"}
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features).attrs.update(common | {"encoder": "simulated"})
        # Unknown corners, as of one slide among others that has none, are not written at all.
        if coordinates is None or np.isnan(coordinates).any():
            return
        width, height = coordinates.max(axis=0) + PATCH_SIZE_LEVEL0
        geometry = {
            "patch_size": PATCH_SIZE,
            "patch_size_level0": PATCH_SIZE_LEVEL0,
            "level0_magnification": LEVEL0_MAGNIFICATION,
            "target_magnification": TARGET_MAGNIFICATION,
            "overlap": 0,
            "level0_width": int(width),
            "level0_height": int(height),
        }
        file.create_dataset("coords", data=coordinates.astype(np.int64)).attrs.update(common | geometry)


def _clinical(cohort: Cohort, slides: list[list[str]]) -> pd.DataFrame:
    columns: dict[str, object] = {"case_id": cohort.ids}
    if BAG_COLUMN in cohort.X:
        columns["slide_ids"] = [";".join(own) for own in slides]
    if cohort.site is not None:
        columns["site"] = cohort.site
    if cohort.y is not None:
        columns |= {"time": cohort.y["time"], "event": cohort.y["event"].astype(int)}
    others = {
        name: cohort.table[name].to_numpy() for name in cohort.table if name not in {*columns, "slide_ids"}
    }
    return pd.DataFrame(columns | others)
