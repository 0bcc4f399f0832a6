import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from sksurv_tta.evaluation import prototype_colour
from sksurv_tta.plotting import (
    COLOURS,
    as_svg,
    plot_anchor_distances,
    plot_prototype_plane,
    plot_prototype_usage,
    plot_token_planes,
)


def test_prototypes_are_numbered_points_in_their_colours():
    points = pd.DataFrame({"bank": [0, 0, 1], "prototype": [0, 1, 0], "x": [0.0, 1, 2], "y": [3.0, 4, 5]})
    ax = plot_prototype_plane(points)
    shared, own = ax.collections
    np.testing.assert_array_equal(shared.get_offsets(), [[0, 3], [1, 4]])
    np.testing.assert_allclose(shared.get_facecolors(), [to_rgba(prototype_colour(k)) for k in (0, 1)])
    np.testing.assert_array_equal(own.get_offsets(), [[2, 5]])
    assert [text.get_text() for text in ax.texts] == ["0", "1", "0"]
    assert not len(ax.get_xticks())
    assert as_svg(ax.figure)


def test_tokens_of_each_stage_have_the_colours_of_their_modalities():
    points = pd.DataFrame(
        {
            "stage": ["before", "before", "after", "after"],
            "modality": ["wsi", "genes"] * 2,
            "x": [1.0, 2, 3, 4],
            "y": [5.0, 6, 7, 8],
        }
    )
    axes = plot_token_planes(points)
    assert [ax.get_title(loc="left") for ax in axes] == ["Before APART", "After APART"]
    seen = [[(line.get_xdata()[0], line.get_color()) for line in ax.lines] for ax in axes]
    assert seen == [[(1, COLOURS[0]), (2, COLOURS[1])], [(3, COLOURS[0]), (4, COLOURS[1])]]
    (legend,) = axes[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["wsi", "genes"]


def test_use_of_prototypes_is_a_bar_each_with_a_line_at_equal_use():
    usage = pd.DataFrame(
        {"modality": ["wsi"] * 3 + ["genes"] * 3, "prototype": [0, 1, 2] * 2, "mixed": [0.2, 0.3, 0.4] * 2}
    )
    axes = plot_prototype_usage(usage)
    assert [ax.get_title(loc="left") for ax in axes] == ["wsi", "genes"]
    for ax in axes:
        assert [bar.get_height() for bar in ax.patches] == [0.2, 0.3, 0.4]
        assert ax.patches[1].get_facecolor() == to_rgba(prototype_colour(1))
        assert ax.lines[0].get_ydata()[0] == pytest.approx(0.3)


def test_distances_are_medians_over_patients_whole_to_the_own_anchor():
    rows = [
        (patient, "wsi", prototype, anchor, before, 0.5 * before)
        for patient, shift in (("P", 0.0), ("Q", 0.2), ("R", 0.4))
        for prototype in (0, 1)
        for anchor, before in (("wsi", 0.4 + shift), ("genes", 1.0 + shift))
    ]
    table = pd.DataFrame(rows, columns=["patient", "modality", "prototype", "anchor", "before", "after"])
    ax = plot_anchor_distances(table)
    own, other = ax.lines
    np.testing.assert_allclose(own.get_ydata(), [0.6, 0.3])
    np.testing.assert_allclose(other.get_ydata(), [1.2, 0.6])
    assert (own.get_linestyle(), other.get_linestyle()) == ("-", "--")
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["wsi to wsi", "wsi to genes"]
    with pytest.raises(ValueError, match="no anchors"):
        plot_anchor_distances(table[:0])
