import numpy as np
import pytest
from matplotlib.figure import Figure

from sksurv_tta.plotting import plot_concordance, plot_differences, plot_fold_values


def texts(ax):
    return [text.get_text() for text in ax.texts]


def points(ax):
    """Return (x, y, filled) of every point."""
    return [
        (line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor() != "white")
        for line in ax.lines
        if line.get_marker() == "o"
    ]


def intervals(ax):
    return [
        (*line.get_xdata(), line.get_ydata()[0])
        for line in ax.lines
        if line.get_marker() == "None" and len(set(line.get_ydata())) == 1 and len(set(line.get_xdata())) == 2
    ]


def test_every_model_has_a_row_with_its_point_interval_and_numbers(summary):
    ax = plot_concordance(summary)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first model is on top
    assert points(ax) == [(0.70, 0, True), (0.55, 1, True)]
    assert intervals(ax) == [(0.60, 0.78, 0)]
    assert texts(ax) == ["0.700 (0.600–0.780)", "0.550", "missing"]
    assert ax.get_xlabel() == "Concordance index (Harrell)"


def test_the_band_is_what_random_scores_reach(summary, noise):
    ax = plot_concordance(summary, noise=noise)
    (band,) = ax.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.41, 0.59))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["95 % of random scores"]


def test_only_what_has_a_chance_level_shows_it(summary):
    vertical = [line for line in plot_concordance(summary).lines if list(line.get_xdata()) == [0.5, 0.5]]
    assert len(vertical) == 1
    brier = plot_concordance(summary, metric="brier_integrated")
    assert not any(list(line.get_xdata()) == [0.5, 0.5] for line in brier.lines)


def test_a_metric_that_is_not_there_is_refused(summary, paired, fold_values):
    with pytest.raises(ValueError, match="no metric 'auc_mean'; there are"):
        plot_concordance(summary, metric="auc_mean")
    with pytest.raises(ValueError, match="no difference of 'auc_mean': at least two models"):
        plot_differences(paired, metric="auc_mean")
    with pytest.raises(ValueError, match="no metric 'auc_mean' in the values of the folds"):
        plot_fold_values(fold_values, metric="auc_mean")


def test_differences_are_filled_only_where_the_interval_leaves_zero_out(paired):
    ax = plot_differences(paired)
    assert points(ax) == [(-0.15, 0, True), (0.01, 1, False)]
    assert texts(ax) == ["−0.150 (−0.250 to −0.050)", "+0.010 (−0.020 to +0.030)"]
    assert any(list(line.get_xdata()) == [0, 0] for line in ax.lines)
    assert ax.get_xlabel() == "Difference to a: concordance index (Harrell)"


def test_folds_keep_their_look_in_every_row_and_the_mean_is_a_line(fold_values):
    ax = plot_fold_values(fold_values)
    by_fold = [line for line in ax.lines if line.get_linestyle() == "None"]
    np.testing.assert_array_equal([line.get_xdata() for line in by_fold], [[0.6, 0.5], [0.8, np.nan]])
    assert len({(line.get_color(), line.get_marker()) for line in by_fold}) == 2
    means = [segment[0, 0] for segment in ax.collections[0].get_segments()]
    assert means == pytest.approx([0.7, 0.5])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Fold 0", "1"]


def test_many_folds_are_drawn_alike_and_without_a_legend(fold_values):
    many = fold_values.iloc[:, [0] * 10].set_axis(range(10), axis=1)
    ax = plot_fold_values(many)
    assert ax.get_legend() is None
    assert len({line.get_color() for line in ax.lines if line.get_linestyle() == "None"}) == 1


def test_given_axes_are_drawn_on_and_returned(summary, paired, fold_values):
    for draw, table in [
        (plot_concordance, summary),
        (plot_differences, paired),
        (plot_fold_values, fold_values),
    ]:
        ax = Figure().subplots()
        assert draw(table, ax=ax) is ax
