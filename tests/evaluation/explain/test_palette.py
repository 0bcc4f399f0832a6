"""Distances in CIE Lab; dichromats as simulated by Machado, Oliveira and Fernandes (2009), severity 1."""

import numpy as np
import pytest

from sksurv_tta.evaluation import PROTOTYPE_COLOURS, prototype_colour

TO_XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
SIGHT = {
    "normal": np.eye(3),
    "no red cones": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "no green cones": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "no blue cones": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}


def lab(sight):
    colours = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in PROTOTYPE_COLOURS])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1) @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    x, y, z = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize(("sight", "apart"), [("normal", 25), ("no red cones", 13), ("no green cones", 13),
                                              ("no blue cones", 16)])  # fmt: skip
def test_32_colours_are_told_apart(sight, apart):
    places = lab(sight)
    distances = np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(32, 1)]
    assert len(set(PROTOTYPE_COLOURS)) == 32
    assert distances.min() > apart  # a difference of about 2 is just seen


def test_few_prototypes_have_colours_farther_apart():
    places = lab("normal")[:8]
    assert np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(8, 1)].min() > 40


def test_colours_begin_again_after_the_last():
    assert prototype_colour(33) == prototype_colour(1) == PROTOTYPE_COLOURS[1]
