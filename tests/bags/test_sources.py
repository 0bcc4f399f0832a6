import numpy as np
import pytest

from sksurv_tta.bags import slide_id
from sksurv_tta.bags.sources import FilesSource, gather


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.h5", "a"),
        ("/x/y/a.svs.h5", "a"),
        ("a.NDPI.pt", "a"),
        ("TCGA-XX-0001-01Z-00-DX1.3CDF534E.h5", "TCGA-XX-0001-01Z-00-DX1.3CDF534E"),
        ("slides.h5", "slides"),  # a strip of characters would eat the end
        ("a.tiff.svs.npy", "a.tiff"),
        (".svs.h5", ".svs"),
    ],
)
def test_only_a_known_suffix_is_taken_off_a_slide_id(name, expected):
    assert slide_id(name) == expected


@pytest.mark.parametrize("rows", [slice(2, 7), np.array([6, 0, 0, 3])], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("source", "target"), [("f2", "f4"), ("f4", "f4"), ("f8", "f4"), ("f2", "f2")])
def test_gather_equals_indexing(rng, rows, order, source, target):
    values = np.asarray(rng.normal(size=(9, 3)).astype(source), order=order)
    expected = values[rows].astype(target)
    out = np.empty(expected.shape, target)
    gather(values, rows, out)
    np.testing.assert_array_equal(out, expected)


def test_gather_fills_a_part_of_a_larger_array(rng):
    values = rng.normal(size=(9, 3)).astype("f4")
    out = np.zeros((4, 6), "f4")
    gather(values, np.array([8, 1, 2, 1]), out[:, 3:])
    np.testing.assert_array_equal(out[:, 3:], values[[8, 1, 2, 1]])
    assert not out[:, :3].any()


def test_every_choice_of_rows_over_slide_borders_is_right(slides, rng):
    paths, values = slides
    source, encoders = FilesSource.from_paths(paths, key=None, patient=None)
    assert encoders == (None, None, None)
    for start in range(13):
        for stop in range(start, 13):
            out = np.empty((stop - start, 4), "f4")
            source.read_into(slice(start, stop), out)
            np.testing.assert_array_equal(out, values[start:stop])
    for n in (1, 5, 30):
        rows = rng.integers(0, 12, n)
        out = np.empty((n, 4), "f4")
        source.read_into(rows, out)
        np.testing.assert_array_equal(out, values[rows])
