import numpy as np
import pandas as pd
import pytest

from sksurv_tta.plotting import plot_calibration


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "predicted": [0.8, 0.2, 0.5],
            "observed": [0.7, 0.3, np.nan],
            "lower": [0.6, np.nan, np.nan],
            "upper": [0.8, np.nan, np.nan],
        }
    )


def test_known_groups_lie_where_predicted_and_observed_say(table):
    ax = plot_calibration(table)
    diagonal, points = ax.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert list(points.get_xdata()) == [0.2, 0.8]
    assert list(points.get_ydata()) == [0.3, 0.7]
    (interval,) = ax.collections[0].get_segments()
    np.testing.assert_array_equal(interval, [[0.8, 0.6], [0.8, 0.8]])
    assert ax.get_legend() is None
    assert ax.get_aspect() == 1


def test_named_tables_differ_in_colour_and_shape_and_have_a_legend(table):
    ax = plot_calibration({"at 365": table, "at $x$": table})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["at 365", r"at \$x\$"]
    looks = {(line.get_color(), line.get_marker()) for line in ax.lines[1:]}
    assert len(looks) == 2


def test_the_unit_of_the_times_stands_above_their_names(table):
    legend = plot_calibration({"at 12": table}, time_label="Time (months)").get_legend()
    assert legend.get_title().get_text() == "Time (months)"
