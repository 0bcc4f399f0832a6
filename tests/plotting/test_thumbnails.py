"""Images of slides, written here as tiled TIFF files; skipped without the libraries that read them."""

from types import SimpleNamespace

import numpy as np
import pytest

from sksurv_tta.exceptions import SlideImageError
from sksurv_tta.plotting import can_read_slides, read_thumbnail, thumbnails


@pytest.fixture
def image():
    """600 x 400 pixels, red on the left and blue on the right."""
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[:, :300, 0] = pixels[:, 300:, 2] = 250
    return pixels


@pytest.fixture
def slide(image, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, image, tile=(128, 128), photometric="rgb")
    return path


@pytest.fixture
def without(monkeypatch):
    """Return a function that hides libraries."""

    def hide(*names):
        real = thumbnails.find_spec
        monkeypatch.setattr(thumbnails, "find_spec", lambda name: None if name in names else real(name))

    return hide


@pytest.mark.parametrize("library", ["openslide", "tifffile"])
def test_a_thumbnail_is_small_and_knows_the_slide(slide, without, library):
    pytest.importorskip(library)
    if library == "tifffile":
        without("openslide")
    small = read_thumbnail(slide, size=150)
    assert (small.level0_width, small.level0_height) == (600, 400)
    assert small.image.shape == (100, 150, 3)
    assert small.image.dtype == np.uint8
    assert small.image[50, 20].argmax() == 0
    assert small.image[50, 130].argmax() == 2


def test_the_smallest_copy_that_is_large_enough_is_decoded(image, tmp_path, without):
    tifffile = pytest.importorskip("tifffile")
    without("openslide")
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(image, tile=(128, 128), photometric="rgb", subifds=2)
        for step in (2, 4):
            marked = image[::step, ::step].copy()
            marked[..., 1] = 10 * step
            file.write(marked, tile=(128, 128), photometric="rgb", subfiletype=1)
    assert read_thumbnail(path, size=200).image[0, 0, 1] == 20
    assert read_thumbnail(path, size=100).image[0, 0, 1] == 40


def test_grey_images_have_colours_too(tmp_path, without):
    tifffile = pytest.importorskip("tifffile")
    without("openslide")
    path = tmp_path / "grey.tif"
    tifffile.imwrite(path, np.full((20, 30), 7, np.uint8))
    assert read_thumbnail(path).image.shape == (20, 30, 3)


def test_without_a_library_it_is_said_how_to_get_one(slide, without):
    without("openslide", "tifffile")
    assert not can_read_slides()
    with pytest.raises(ImportError, match=r"sksurv-tta\[slides\]"):
        read_thumbnail(slide)


@pytest.mark.parametrize("library", ["openslide", "tifffile"])
def test_what_is_no_image_is_refused_by_name(tmp_path, without, library):
    pytest.importorskip(library)
    if library == "tifffile":
        without("openslide")
    path = tmp_path / "slide.svs"
    path.write_text("no image")
    with pytest.raises(SlideImageError, match=r"slide\.svs"):
        read_thumbnail(path)
    with pytest.raises(FileNotFoundError):
        read_thumbnail(tmp_path / "none.svs")


def test_an_image_too_large_to_decode_is_refused():
    level = SimpleNamespace(shape=(200_000, 100_000, 3))
    with pytest.raises(SlideImageError, match=r"100000 x 200000 pixels, too many .* Install OpenSlide"):
        thumbnails._decoded(level, "x.tif")
