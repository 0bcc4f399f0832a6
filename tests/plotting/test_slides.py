import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from sksurv_tta.evaluation import prototype_colour
from sksurv_tta.plotting import (
    Thumbnail,
    as_png,
    as_svg,
    plot_prototype_map,
    plot_prototype_maps,
    plot_slide_values,
)
from sksurv_tta.plotting.style import WIDTH


@pytest.fixture
def slide():
    """Three patches in a corner of 4 x 3 places of 100 pixels; the first two overlap by half."""
    return pd.DataFrame(
        {
            "patient": "P", "modality": "wsi", "slide": "S", "x": [0, 50, 300], "y": [0, 0, 200],
            "patch_size": 100.0, "prototype": [4, 7, 4], "confidence": [0.5, 0.7, 0.2],
            "contribution": [1.0, -3.0, 0.5],
        }
    )  # fmt: skip


@pytest.fixture
def thumbnail():
    """Of a slide of 800 x 600 pixels."""
    return Thumbnail(np.full((60, 80, 3), 200, np.uint8), 800, 600)


def colour_at(ax, x, y):
    """What the map shows at a place of the slide."""
    image = ax.images[-1]
    left, right, bottom, top = image.get_extent()
    picture = image.get_array()
    row = int((y - top) / (bottom - top) * picture.shape[0])
    return picture[row, int((x - left) / (right - left) * picture.shape[1])]


def test_each_patch_has_the_colour_of_its_prototype_and_the_rest_has_none(slide):
    ax = plot_prototype_map(slide)
    np.testing.assert_allclose(colour_at(ax, 20, 50), to_rgba(prototype_colour(4)))
    np.testing.assert_allclose(colour_at(ax, 350, 250), to_rgba(prototype_colour(4)))
    np.testing.assert_allclose(colour_at(ax, 75, 50), to_rgba(prototype_colour(7)))  # more confident
    assert colour_at(ax, 200, 150)[3] == 0
    assert ax.images[-1].get_extent() == [0, 400, 300, 0]


def test_the_legend_numbers_prototypes_with_the_most_frequent_first(slide):
    ax = plot_prototype_map(slide)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["4", "7"]
    assert ax.get_legend().get_title().get_text() == "Prototype"
    colours = [patch.get_facecolor() for patch in ax.get_legend().get_patches()]
    assert colours == [to_rgba(prototype_colour(4)), to_rgba(prototype_colour(7))]


def test_a_long_legend_is_read_row_by_row(slide):
    ax = plot_prototype_map(pd.concat([slide.assign(prototype=k) for k in range(10)]))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["0", "8", "1", "9", "2", "3", "4", "5", "6", "7"]  # filled column by column


def test_an_image_lies_under_the_map_and_says_how_large_the_slide_is(slide, thumbnail):
    for ax in (plot_prototype_map(slide, thumbnail=thumbnail), plot_slide_values(slide, thumbnail=thumbnail)):
        under, over = ax.images
        assert under.get_extent() == over.get_extent() == [0, 800, 600, 0]
        assert over.get_alpha() < 1
        np.testing.assert_array_equal(under.get_array(), thumbnail.image)


def test_values_are_those_of_the_patches_and_their_mean_where_they_overlap(slide):
    ax = plot_slide_values(slide, "confidence")
    assert colour_at(ax, 20, 50) == pytest.approx(0.5)
    assert colour_at(ax, 75, 50) == pytest.approx(0.6)
    assert colour_at(ax, 120, 50) == pytest.approx(0.7)
    assert np.ma.is_masked(colour_at(ax, 200, 150)) or np.isnan(colour_at(ax, 200, 150))
    assert ax.images[0].get_clim() == pytest.approx((0.2, 0.7))


def test_contributions_have_zero_in_the_middle_and_ranks_go_from_0_to_1(slide):
    ax = plot_slide_values(slide, "contribution")
    assert ax.images[0].get_clim() == (-3, 3)
    assert ax.images[0].get_cmap().name == "PuOr_r"
    nothing = to_rgba("#F7F7F7")  # what a patch without any contribution is drawn in
    assert np.abs(np.subtract(ax.get_facecolor(), nothing)).max() > 0.09
    ranked = plot_slide_values(slide, "contribution", ranked=True)
    assert colour_at(ranked, 120, 50) == 0
    assert colour_at(ranked, 20, 50) == 1
    assert colour_at(ranked, 350, 250) == 0.5


def test_every_prototype_has_a_map(slide):
    weights = np.arange(3 * 9).reshape(3, 9).astype(np.float32)
    axes = plot_prototype_maps(slide, weights)
    assert [ax.get_title(loc="left") for ax in axes] == [str(k) for k in range(9)]
    assert colour_at(axes[3], 350, 250) == 1
    *maps, scale = axes[0].figure.axes
    assert maps == axes
    assert scale.get_xlabel() == "Weight in the prototype of this number, rank within the slide"
    assert [label.get_text() for label in scale.get_xticklabels()] == ["lowest", "highest"]
    raw = plot_prototype_maps(slide, weights, prototypes=[2, 5], ranked=False, figure=Figure())
    assert colour_at(raw[1], 350, 250) == weights[2, 5]
    assert raw[0].images[0].get_clim() == raw[1].images[0].get_clim() == (0, 26)


def test_maps_fit_the_column_and_can_be_saved(slide, thumbnail):
    for ax in (plot_prototype_map(slide, thumbnail=thumbnail), plot_slide_values(slide)):
        assert ax.figure.get_figwidth() == pytest.approx(WIDTH)
        assert as_png(ax.figure, dpi=50)
        assert as_svg(ax.figure)


@pytest.mark.parametrize("n_prototypes", [4, 32])
def test_nothing_reaches_over_the_edge_of_a_map(slide, n_prototypes):
    table = pd.concat([slide.assign(prototype=k, x=slide["x"] + 200 * k) for k in range(n_prototypes)])
    tall = table.assign(x=table["y"], y=table["x"])
    weights = np.random.default_rng(0).random((3, n_prototypes))
    for ax in (
        plot_prototype_map(table),
        plot_prototype_map(tall),
        plot_slide_values(tall, "contribution"),
        plot_prototype_maps(slide, weights)[0],
    ):
        ax.figure.draw_without_rendering()  # lays out
        edge, figure = ax.figure.bbox, ax.figure.get_tightbbox().transformed(ax.figure.dpi_scale_trans)
        assert figure.x0 >= edge.x0 - 1
        assert figure.y0 >= edge.y0 - 1
        assert figure.x1 <= edge.x1 + 1
        assert figure.y1 <= edge.y1 + 1


def test_what_cannot_be_on_one_map_is_refused(slide):
    with pytest.raises(ValueError, match="a map shows one slide"):
        plot_prototype_map(pd.concat([slide, slide.assign(slide="T")]))
    with pytest.raises(ValueError, match="without coordinates or without a patch_size"):
        plot_slide_values(slide.assign(x=np.nan))
    with pytest.raises(ValueError, match="no instances"):
        plot_slide_values(slide[:0])
    with pytest.raises(ValueError, match="'contribution' has no number"):
        plot_slide_values(slide.assign(contribution=np.nan), "contribution")
    with pytest.raises(ValueError, match="weights of 2 patches, but 3 patches"):
        plot_prototype_maps(slide, np.zeros((2, 4)))
