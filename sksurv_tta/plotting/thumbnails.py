"""Small images of whole slides, to draw maps on."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike, fspath
from typing import Any

import numpy as np

from sksurv_tta.exceptions import SlideImageError

__all__ = ["HOW_TO_READ", "Thumbnail", "can_read_slides", "read_thumbnail"]

HOW_TO_READ = 'Images of slides need OpenSlide or tifffile: pip install "sksurv-tta[slides]"'
#: Pixels that tifffile may decode for a thumbnail, in a file without smaller copies of the image.
MOST_PIXELS = 100_000_000


@dataclass(frozen=True)
class Thumbnail:
    """A small image of a slide, and how large the slide is.

    Attributes
    ----------
    image : ndarray of shape (height, width, 3), uint8
    level0_width, level0_height : int
        Of the slide, in pixels of full resolution, which coordinates of patches are given in.
    """

    image: np.ndarray
    level0_width: int
    level0_height: int


def can_read_slides() -> bool:
    """Whether OpenSlide or tifffile is installed."""
    return any(find_spec(name) is not None for name in ("openslide", "tifffile"))


def read_thumbnail(path: str | PathLike[str], *, size: int = 1200) -> Thumbnail:
    """Read a slide's image at low resolution.

    Parameters
    ----------
    path : path
        Whatever OpenSlide reads; without OpenSlide TIFF files (also .svs) through tifffile.
    size : int
        Of the longer side of the image, at most, in pixels.

    Returns
    -------
    thumbnail : Thumbnail

    Raises
    ------
    ImportError
        If neither OpenSlide nor tifffile is installed.
    SlideImageError
        If the file is no image of a slide.
    OSError
        If the file cannot be opened.
    """
    with open(path, "rb"):  # says what is wrong with a path better than the libraries do
        pass
    if find_spec("openslide") is not None:
        return _with_openslide(fspath(path), size)
    if find_spec("tifffile") is not None:
        return _with_tifffile(fspath(path), size)
    raise ImportError(HOW_TO_READ)


def _with_openslide(path: str, size: int) -> Thumbnail:
    import openslide

    try:
        with closing(openslide.OpenSlide(path)) as slide:
            width, height = slide.dimensions
            image = np.asarray(slide.get_thumbnail((size, size)).convert("RGB"))
    except openslide.OpenSlideError as error:
        raise SlideImageError(f"{path}: OpenSlide cannot read this image: {error}.") from error
    return Thumbnail(image, int(width), int(height))


def _with_tifffile(path: str, size: int) -> Thumbnail:
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            levels = file.series[0].levels
            height, width = levels[0].shape[:2]
            large_enough = [level for level in levels if max(level.shape[:2]) >= size]
            image = _decoded((large_enough or levels)[-1], path)
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError) as error:
        if isinstance(error, SlideImageError):
            raise
        raise SlideImageError(f"{path}: tifffile cannot read this image: {error}.") from error
    step = -(-max(image.shape[:2]) // size)
    return Thumbnail(np.ascontiguousarray(image[::step, ::step]), int(width), int(height))


def _decoded(level: Any, path: str) -> np.ndarray:
    """Pixels (height, width, 3) of one level."""
    shape = level.shape
    if shape[0] * shape[1] > MOST_PIXELS:
        raise SlideImageError(
            f"{path}: the smallest copy of the image in this file has {shape[1]} x {shape[0]} pixels, too "
            "many to decode at once. Install OpenSlide."
        )
    image = np.asarray(level.asarray())
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise SlideImageError(f"{path}: an image of 8-bit colours was expected, got {image.dtype} {shape}.")
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    return image[:, :, :3]
