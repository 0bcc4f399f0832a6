"""The folder of an explanation: tables, annotations for QuPath, figures."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

import pandas as pd

from sksurv_tta._files import write_atomically
from sksurv_tta.evaluation import Explanation, PatientExplanation, as_geojson, slides_with_squares
from sksurv_tta.evaluation.safe_csv import write_csv, write_text
from sksurv_tta.exceptions import ExplanationWarning, listing

__all__ = ["HOW_TO_PARQUET", "ExplanationFolder", "can_write_parquet", "write_explanation"]

HOW_TO_PARQUET = 'Parquet needs pyarrow: pip install "sksurv-tta[parquet]"'
#: Tables of all patients, one file each.
COHORT_TABLES = (
    "modalities",
    "usage",
    "cohort_usage",
    "pathways",
    "pathway_prototypes",
    "anchors",
    "completeness",
)


def can_write_parquet() -> bool:
    """Whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


@dataclass
class ExplanationFolder:
    """Where an explanation goes, and what of it is wanted.

    Parameters
    ----------
    path : path
        Made if it does not exist; files of the same names are replaced, each as a whole.
    parquet : bool
        Tables as Parquet instead of CSV.
    assignments : bool
        Also the weights of every pair of token and prototype, a file for each patient.
    geojson : bool
        Also a GeoJSON file for each slide with coordinates.
    figures : bool
        Also figures as SVG and PNG.
    images : path, optional
        Folder with the images of the slides, named like the slides, which maps are drawn on.
    """

    path: str | PathLike[str]
    parquet: bool = False
    assignments: bool = False
    geojson: bool = False
    figures: bool = False
    images: str | PathLike[str] | None = None
    _taken: set[str] = field(default_factory=set, repr=False)

    def write_table(self, table: pd.DataFrame, *place: str) -> None:
        """Write one table.

        Parameters
        ----------
        table : DataFrame
        *place : str
            Folders below this one, and the name without ending.
        """
        path = Path(self.path).joinpath(*place)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self.parquet:
            write_csv(table, path.with_name(f"{path.name}.csv"))
            return
        content = io.BytesIO()
        table.to_parquet(content, index=False)
        write_atomically(path.with_name(f"{path.name}.parquet"), content.getvalue())

    def own_name(self, kind: str, *names: object) -> str:
        """Name for a file that no other of its kind has, safe whatever patients and slides are called.

        Parameters
        ----------
        kind : str
        *names : object
        """
        stem = re.sub(r"[^\w.-]+", "_", "_".join(map(str, names))).lstrip(".") or "unnamed"
        tried, number = stem, 1
        while f"{kind}/{tried.casefold()}" in self._taken:
            number += 1
            tried = f"{stem}_{number}"
        self._taken.add(f"{kind}/{tried.casefold()}")
        return tried


def write_explanation(
    patients: Iterable[PatientExplanation],
    folder: ExplanationFolder,
    *,
    progress: Callable[[int], None] | None = None,
) -> Explanation:
    """Write what explains the risks of patients, one patient at a time.

    ``modalities``, ``usage``, ``cohort_usage``, ``pathways``, ``pathway_prototypes``, ``anchors`` and
    ``completeness`` hold all patients; ``instances/<patient>`` the patches of one, and on demand
    ``assignments/<patient>``, ``geojson/<slide>.geojson`` and ``figures``.

    Parameters
    ----------
    patients : iterable of PatientExplanation
        From :func:`sksurv_tta.evaluation.explain_patients`.
    folder : ExplanationFolder
    progress : callable, optional
        Told the number of patients that are done.

    Returns
    -------
    Explanation
        Without instances.

    Raises
    ------
    OSError
        If a file cannot be written.
    SlideImageError
        If the image of a slide cannot be read.
    """
    Path(folder.path).mkdir(parents=True, exist_ok=True)
    explanation = Explanation.collect(_written(patients, folder, progress), instances=False)
    for name in COHORT_TABLES:
        table = getattr(explanation, name)
        if len(table):
            folder.write_table(table, name)
    if folder.figures:
        from sksurv_tta.report.explanation_figures import draw_cohort

        draw_cohort(explanation, folder)
    return explanation


def _written(
    patients: Iterable[PatientExplanation], folder: ExplanationFolder, progress: Callable[[int], None] | None
) -> Iterator[PatientExplanation]:
    """Pass the patients on after writing what is large of each."""
    no_place: list[str] = []
    for number, patient in enumerate(patients, 1):
        name = folder.own_name("patients", patient.patient)
        if len(patient.instances):
            folder.write_table(patient.instances, "instances", name)
        if folder.assignments:
            folder.write_table(patient.assignments(), "assignments", name)
        if folder.geojson or folder.figures:
            no_place += _write_slides(patient, folder)
        if progress is not None:
            progress(number)
        yield patient
    if no_place:
        warnings.warn(
            f"{len(no_place)} slides have no coordinates, or no size of their patches, so there are no maps "
            f"of them: {listing(no_place)}.",
            ExplanationWarning,
            stacklevel=2,
        )


def _write_slides(patient: PatientExplanation, folder: ExplanationFolder) -> list[str]:
    """Write annotations and maps of one patient's slides; return the slides that cannot have any."""
    placed = dict(slides_with_squares(patient.instances)) if len(patient.instances) else {}
    for (_, _, slide), rows in placed.items():
        name = folder.own_name("slides", slide)
        if folder.geojson:
            path = Path(folder.path) / "geojson" / f"{name}.geojson"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(as_geojson(rows), path)
        if folder.figures:
            from sksurv_tta.report.explanation_figures import draw_slide

            draw_slide(patient, slide, rows, folder, name)
    slides = patient.instances[["patient", "modality", "slide"]].drop_duplicates().itertuples(index=False)
    return [str(key[2]) for key in slides if tuple(key) not in placed]
