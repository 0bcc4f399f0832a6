import os

import numpy as np
import pytest

from sksurv_tta.bags import Bag, slide_files, slide_id
from sksurv_tta.bags.slide_files import FilesSource


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


def test_reading_part_by_part_opens_each_file_once_and_lets_it_go(slides, monkeypatch):
    opened = []
    real = slide_files.read_features
    monkeypatch.setattr(
        slide_files, "read_features", lambda path, key: opened.append(path) or real(path, key)
    )
    paths, values = slides
    bag = Bag.from_files(paths)
    parts = [bag.read(slice(start, start + 2)) for start in range(0, 12, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), values)
    assert opened == [str(path) for path in paths]
    assert slide_files._kept.values is None
    bag.read(slice(0, 1))
    bag.read(np.array([0]))
    assert slide_files._kept.values is None


def test_a_kept_slide_is_read_again_when_its_file_changes(write_hdf5, features):
    path = write_hdf5("a.h5", features)
    bag = Bag.from_files(path)
    bag.read(slice(0, 2))
    write_hdf5("a.h5", features * 2)
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(bag.read(slice(2, 4)), features[2:4] * 2)
