"""Figures: tables in, matplotlib Axes out; nothing is fitted or predicted here.

Every function draws on the Axes it is given, or on a new figure as wide as a column of a journal
(85 mm), which ``axes.figure`` is. ``pyplot`` is not used, so no figure stays in memory.
"""

from sksurv_tta.plotting.calibration import plot_calibration
from sksurv_tta.plotting.comparison import plot_concordance, plot_differences, plot_fold_values
from sksurv_tta.plotting.folds import plot_folds
from sksurv_tta.plotting.learning import plot_learning_curves
from sksurv_tta.plotting.modalities import plot_modality_changes
from sksurv_tta.plotting.pathways import (
    plot_pathway_contributions,
    plot_pathway_counts,
    plot_pathway_prototypes,
)
from sksurv_tta.plotting.prototypes import (
    plot_anchor_distances,
    plot_prototype_plane,
    plot_prototype_usage,
    plot_token_planes,
)
from sksurv_tta.plotting.slides import plot_prototype_map, plot_prototype_maps, plot_slide_values
from sksurv_tta.plotting.style import COLOURS, as_png, as_svg
from sksurv_tta.plotting.survival import plot_survival_curves
from sksurv_tta.plotting.thumbnails import HOW_TO_READ, Thumbnail, can_read_slides, read_thumbnail

__all__ = [
    "COLOURS",
    "HOW_TO_READ",
    "Thumbnail",
    "as_png",
    "as_svg",
    "can_read_slides",
    "plot_anchor_distances",
    "plot_calibration",
    "plot_concordance",
    "plot_differences",
    "plot_fold_values",
    "plot_folds",
    "plot_learning_curves",
    "plot_modality_changes",
    "plot_pathway_contributions",
    "plot_pathway_counts",
    "plot_pathway_prototypes",
    "plot_prototype_map",
    "plot_prototype_maps",
    "plot_prototype_plane",
    "plot_prototype_usage",
    "plot_slide_values",
    "plot_survival_curves",
    "plot_token_planes",
    "read_thumbnail",
]
