import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sksurv_tta.plotting import plot_learning_curves


def titles(axes):
    return [ax.get_title(loc="left") for ax in axes]


def test_every_part_of_the_loss_has_a_panel(history):
    axes = plot_learning_curves(history)
    assert titles(axes) == [
        "Whole loss",
        "Survival loss",
        "Contrast loss",
        "Transported mass",
        "Learning rate",
    ]
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), history["train_loss"])
    survival = [line.get_ydata() for line in axes[1].lines]
    np.testing.assert_array_equal(survival, history[["train_survival", "valid_loss"]].to_numpy().T)
    (legend,) = axes[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["training part", "validation part"]


def test_several_trainings_have_a_mean(history):
    both = pd.concat([history.assign(fold=0), history.assign(fold=1, train_loss=history["train_loss"] + 1)])
    lines = plot_learning_curves(both)[0].lines
    assert len(lines) == 3
    np.testing.assert_allclose(lines[-1].get_ydata(), history["train_loss"] + 0.5)


def test_what_was_not_recorded_is_not_drawn(history):
    axes = plot_learning_curves(history.assign(valid_loss=np.nan).drop(columns=["lr", "train_contrast"]))
    assert titles(axes) == ["Whole loss", "Survival loss", "Transported mass"]
    assert not axes[0].figure.legends
    assert len(axes[0].figure.axes) == 3


def test_one_epoch_is_a_point(history):
    assert any(line.get_marker() == "." for line in plot_learning_curves(history[:1])[0].lines)


def test_a_given_figure_is_drawn_on(history):
    figure = Figure()
    assert all(ax.figure is figure for ax in plot_learning_curves(history, figure=figure))


def test_a_table_that_is_no_history_is_refused():
    with pytest.raises(ValueError, match="a history has a column epoch"):
        plot_learning_curves(pd.DataFrame({"epoch": [1], "dur": [0.1]}))


def test_numbers_beside_a_panel_have_equally_many_decimals(history):
    for ax in plot_learning_curves(history):
        ax.figure.draw_without_rendering()
        labels = [label.get_text() for label in ax.get_yticklabels() if label.get_text()]
        assert len({len(label.partition(".")[2]) for label in labels}) == 1
        assert not ax.yaxis.get_offset_text().get_text()
