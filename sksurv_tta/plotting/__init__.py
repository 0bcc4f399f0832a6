"""Figures: tables in, matplotlib Axes out; nothing is fitted or predicted here.

Every function draws on the Axes it is given, or on a new figure as wide as a column of a journal
(85 mm), which ``axes.figure`` is. ``pyplot`` is not used, so no figure stays in memory.
"""

from sksurv_tta.plotting.calibration import plot_calibration
from sksurv_tta.plotting.comparison import plot_concordance, plot_differences, plot_fold_values
from sksurv_tta.plotting.folds import plot_folds
from sksurv_tta.plotting.learning import plot_learning_curves
from sksurv_tta.plotting.style import COLOURS, as_png, as_svg
from sksurv_tta.plotting.survival import plot_survival_curves

__all__ = [
    "COLOURS",
    "as_png",
    "as_svg",
    "plot_calibration",
    "plot_concordance",
    "plot_differences",
    "plot_fold_values",
    "plot_folds",
    "plot_learning_curves",
    "plot_survival_curves",
]
