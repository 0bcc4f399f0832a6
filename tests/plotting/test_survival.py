import numpy as np
import pandas as pd
import pytest

from sksurv_tta.evaluation.risk_groups import Inference
from sksurv_tta.plotting import plot_survival_curves
from sksurv_tta.plotting.survival import number_at_risk, p_text

RATIO = Inference(value=2.5, lower=1.5, upper=4.25, p_value=0.002)


def test_steps_follow_the_curves_and_ticks_the_censored(curves):
    ax = plot_survival_curves(curves)
    steps = [line for line in ax.lines if line.get_drawstyle() == "steps-post"]
    for group, line in enumerate(steps):
        own = curves[curves["group"] == group]
        np.testing.assert_array_equal(line.get_xdata(), own["time"])
        np.testing.assert_array_equal(line.get_ydata(), own["survival"])
    ticks = [line for line in ax.lines if line.get_marker() == "|"]
    assert [list(line.get_xdata()) for line in ticks] == [[4.0], [5.0]]
    assert len(ax.collections) == 2  # the intervals
    assert ax.get_ylim() == (0, 1.03)
    assert ax.get_xlim()[0] == 0


def test_the_legend_names_groups_and_their_sizes(curves):
    named = [text.get_text() for text in plot_survival_curves(curves).get_legend().get_texts()]
    assert named == ["Low risk (3 patients, 2 events)", "High risk (3 patients, 2 events)"]
    named = plot_survival_curves(curves, labels=["x", "y$"]).get_legend().get_texts()
    assert [text.get_text() for text in named] == ["x (3 patients, 2 events)", r"y\$ (3 patients, 2 events)"]


def test_a_single_group_keeps_the_name_that_its_number_has(curves):
    high = curves[curves["group"] == 1]
    (text,) = plot_survival_curves(high, labels=["Low risk", "High risk"]).get_legend().get_texts()
    assert text.get_text().startswith("High risk")


def test_numbers_at_risk_are_those_of_the_patients(curves, patients):
    _, time, group = patients
    ax = plot_survival_curves(curves)
    expected = [str(int((time[group == g] >= tick).sum())) for g in (1, 0) for tick in ax.get_xticks()]
    numbers = [text.get_text() for text in ax.texts if text.get_text().isdigit()]
    assert numbers == expected
    assert not [t for t in plot_survival_curves(curves, at_risk=False).texts if t.get_text().isdigit()]


def test_number_at_risk_counts_up_to_the_end(curves):
    own = curves[curves["group"] == 0]
    assert [number_at_risk(own, t) for t in (0, 2, 2.5, 6, 6.1)] == [3, 3, 2, 1, 0]


def test_hazard_ratio_and_test_are_written_or_said_to_be_missing(curves):
    ax = plot_survival_curves(curves, hazard_ratio=RATIO, log_rank=Inference(value=9.5, p_value=0.0021))
    assert ax.texts[0].get_text() == "Hazard ratio 2.50 (95 % interval 1.50 to 4.25)\nLog-rank p = 0.002"
    gone = Inference(reason="only one group")
    ax = plot_survival_curves(curves, hazard_ratio=gone, log_rank=gone)
    assert ax.texts[0].get_text() == "Hazard ratio not available\nLog-rank not available"


@pytest.mark.parametrize("names", [None, ["One", "Two"]])
def test_the_test_lies_above_the_names_and_both_above_the_curves(curves, names):
    ax = plot_survival_curves(
        curves, labels=names, hazard_ratio=RATIO, log_rank=Inference(value=9.5, p_value=0.0021)
    )
    ax.figure.draw_without_rendering()
    tests, legend = ax.texts[0].get_window_extent(), ax.get_legend().get_window_extent()
    assert tests.y0 >= legend.y1 - 2 * ax.figure.dpi / 72  # a legend keeps some points around its text
    assert legend.y0 >= ax.transAxes.transform((0, 1))[1]
    assert tests.y1 <= ax.figure.bbox.y1


@pytest.mark.parametrize(
    ("p", "text"), [(0.0001, "p < 0.001"), (0.012, "p = 0.012"), (0.5, "p = 0.50"), (1.0, "p = 1.00")]
)
def test_p_values_are_written_as_in_papers(p, text):
    assert p_text(p) == text


def test_four_groups_differ_in_colour_and_line(curves):
    four = curves.assign(group=curves["group"] + 2)
    steps = [
        line
        for line in plot_survival_curves(pd.concat([curves, four])).lines
        if line.get_drawstyle() == "steps-post"
    ]
    assert len({(line.get_color(), line.get_linestyle()) for line in steps}) == 4
