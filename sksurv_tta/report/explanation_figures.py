"""Figures of an explanation, as files."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sksurv_tta._files import write_atomically
from sksurv_tta.evaluation import Explanation, PatientExplanation, prototypes_in_plane, tokens_in_plane
from sksurv_tta.plotting import (
    Thumbnail,
    as_png,
    as_svg,
    plot_anchor_distances,
    plot_modality_changes,
    plot_pathway_contributions,
    plot_pathway_counts,
    plot_pathway_prototypes,
    plot_prototype_map,
    plot_prototype_maps,
    plot_prototype_plane,
    plot_prototype_usage,
    plot_slide_values,
    plot_token_planes,
    read_thumbnail,
)
from sksurv_tta.report.explanation import ExplanationFolder

__all__ = ["draw_cohort", "draw_slide", "find_image"]

#: Endings of images of slides, in the order in which they are looked for.
IMAGE_ENDINGS = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".vms", ".bif", ".svslide")


def draw_cohort(explanation: Explanation, folder: ExplanationFolder) -> None:
    """Draw what concerns all patients.

    Parameters
    ----------
    explanation : Explanation
    folder : ExplanationFolder
    """
    names = list(dict.fromkeys(explanation.modalities["modality"]))
    _save(plot_prototype_plane(prototypes_in_plane(explanation.prototypes)), folder, "prototypes")
    points = tokens_in_plane(explanation.before, explanation.after, names)
    _save(plot_token_planes(points)[0], folder, "tokens")
    _save(plot_prototype_usage(explanation.cohort_usage)[0], folder, "usage")
    if len(explanation.anchors):
        _save(plot_anchor_distances(explanation.anchors), folder, "anchors")
    if explanation.modalities["change"].notna().any():
        _save(plot_modality_changes(explanation.modalities), folder, "modalities")
    if len(explanation.pathways):
        _save(plot_pathway_prototypes(explanation.pathway_prototypes), folder, "pathway_prototypes")
        _save(plot_pathway_counts(explanation.pathway_prototypes), folder, "pathway_counts")
        if explanation.pathways["contribution"].notna().all():
            _save(plot_pathway_contributions(explanation.pathways), folder, "pathway_contributions")


def draw_slide(
    patient: PatientExplanation, slide: object, rows: pd.DataFrame, folder: ExplanationFolder, name: str
) -> None:
    """Draw the maps of one slide.

    Parameters
    ----------
    patient : PatientExplanation
    slide : object
        Its name in the table of instances.
    rows : DataFrame
        Its instances.
    folder : ExplanationFolder
    name : str
        Of its files.
    """
    thumbnail = _thumbnail(folder, slide)
    _save(plot_prototype_map(rows, thumbnail=thumbnail), folder, "slides", f"{name}_prototypes")
    _save(plot_slide_values(rows, "confidence", thumbnail=thumbnail), folder, "slides", f"{name}_confidence")
    if rows["contribution"].notna().all():
        contribution = plot_slide_values(rows, "contribution", thumbnail=thumbnail)
        _save(contribution, folder, "slides", f"{name}_contribution")
    modality = str(rows["modality"].iloc[0])
    of_modality = patient.instances[patient.instances["modality"] == modality]
    weights = patient.weights[modality]["mixed"][of_modality.index.get_indexer(rows.index)]
    _save(plot_prototype_maps(rows, weights)[0], folder, "slides", f"{name}_each_prototype")


def find_image(folder: Path, slide: str) -> Path | None:
    """The image of a slide: the file in the folder that has its name.

    Parameters
    ----------
    folder : Path
    slide : str
        Name of the slide, as that of its feature file without ending.
    """
    candidates = [folder / f"{slide}{ending}" for ending in IMAGE_ENDINGS]
    return next((path for path in candidates if path.is_file()), None)


def _thumbnail(folder: ExplanationFolder, slide: object) -> Thumbnail | None:
    path = None if folder.images is None else find_image(Path(folder.images), str(slide))
    return None if path is None else read_thumbnail(path)


def _save(axes: Axes, folder: ExplanationFolder, *place: str) -> None:
    figure = cast(Figure, axes.figure)
    path = Path(folder.path).joinpath("figures", *place)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_name(f"{path.name}.svg"), as_svg(figure))
    write_atomically(path.with_name(f"{path.name}.png"), as_png(figure))
