"""From patches of a slide to a picture: which pixels of the picture each patch covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from sksurv_tta.plotting.thumbnails import Thumbnail

__all__ = ["SlideCanvas", "of_one_slide"]

#: Pixels of the longer side of a map.
SIDE = 1000
SEEN_THROUGH = 0.75  # opacity of a map over an image


@dataclass(frozen=True)
class SlideCanvas:
    """Pixels of a picture of one slide and the patches on them.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the picture in pixels.
    extent : tuple of float
        Width and height of the slide, in pixels of level 0.
    pixel, patch : ndarray of shape (n_covered,)
        Pairs: number of a pixel, row by row, and the row of a patch that covers it.
    """

    shape: tuple[int, int]
    extent: tuple[float, float]
    pixel: np.ndarray
    patch: np.ndarray

    @classmethod
    def of(cls, instances: pd.DataFrame, thumbnail: Thumbnail | None = None) -> SlideCanvas:
        """Lay the patches of one slide out.

        With s the pixels of the picture for one of level 0, a patch at (x, y) covers ceil(size s) pixels
        from (floor(x s), floor(y s)) on.

        Parameters
        ----------
        instances : DataFrame
            With columns x, y and patch_size, in pixels of level 0.
        thumbnail : Thumbnail, optional
            Says how large the slide is; without it the canvas ends with the last patch.
        """
        corners = instances[["x", "y"]].to_numpy(dtype=np.float64)
        sizes = instances["patch_size"].to_numpy(dtype=np.float64)
        width, height = (corners + sizes[:, None]).max(axis=0)
        if thumbnail is not None:
            width, height = thumbnail.level0_width, thumbnail.level0_height
        scale = SIDE / max(width, height)
        shape = max(1, round(height * scale)), max(1, round(width * scale))
        pixels, patches = [], []
        for size in np.unique(sizes):
            rows = np.flatnonzero(sizes == size)
            steps = np.arange(int(np.ceil(size * scale)))
            across = np.floor(corners[rows, 0] * scale).astype(int)[:, None, None] + steps[None, None, :]
            down = np.floor(corners[rows, 1] * scale).astype(int)[:, None, None] + steps[None, :, None]
            inside = (across >= 0) & (across < shape[1]) & (down >= 0) & (down < shape[0])
            pixels.append((down * shape[1] + across)[inside])
            patches.append(np.broadcast_to(rows[:, None, None], inside.shape)[inside])
        return cls(shape, (float(width), float(height)), np.concatenate(pixels), np.concatenate(patches))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Picture (height, width) of the mean value of the patches on each pixel; NaN where there is none.

        Parameters
        ----------
        values : ndarray of shape (n_patches,)
        """
        n_pixels = self.shape[0] * self.shape[1]
        count = np.bincount(self.pixel, minlength=n_pixels)
        total = np.bincount(self.pixel, weights=values[self.patch], minlength=n_pixels)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(self.shape)

    def top(self, values: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """Picture of the value of the patch with the highest rank on each pixel; NaN where there is none.

        Parameters
        ----------
        values, rank : ndarray of shape (n_patches,)
        """
        picture = np.full(self.shape[0] * self.shape[1], np.nan)
        order = np.argsort(rank[self.patch], kind="stable")
        picture[self.pixel[order]] = values[self.patch[order]]
        return picture.reshape(self.shape)

    def draw(self, ax: Axes, picture: np.ndarray, thumbnail: Thumbnail | None, **options: Any) -> AxesImage:
        """Draw a picture in the coordinates of the slide, the thumbnail under it.

        Parameters
        ----------
        ax : Axes
        picture : ndarray of shape (height, width) or (height, width, 4)
        thumbnail : Thumbnail or None
        **options
            Of ``imshow``.
        """
        width, height = self.extent
        place = (0, width, height, 0)
        if thumbnail is not None:
            ax.imshow(thumbnail.image, extent=place, interpolation="antialiased", aspect="equal")
            options = {"alpha": SEEN_THROUGH} | options
        drawn = ax.imshow(picture, extent=place, interpolation="nearest", aspect="equal", **options)
        ax.set_anchor("N")  # so that what hangs below a wide slide stays within the figure
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(True)
            spine.set_linewidth(0.4)
        return drawn


def of_one_slide(instances: pd.DataFrame) -> pd.DataFrame:
    """The instances, if they can be drawn on one slide.

    Parameters
    ----------
    instances : DataFrame
        Columns x, y and patch_size, and where there are several slides patient, modality and slide.

    Raises
    ------
    ValueError
        If there is none, they are of several slides, or lack coordinates or the size of a patch.
    """
    keys = [name for name in ("patient", "modality", "slide") if name in instances]
    if not len(instances):
        raise ValueError("there are no instances to draw")
    if keys and len(instances[keys].drop_duplicates()) > 1:
        raise ValueError("a map shows one slide: choose the rows of one patient and one slide")
    if instances[["x", "y", "patch_size"]].isna().any(axis=None):
        raise ValueError("instances without coordinates or without a patch_size have no place on a map")
    return instances
