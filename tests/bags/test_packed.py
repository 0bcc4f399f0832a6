import os
import pickle  # noqa: TID251 - what joblib does

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.bags import BagArray, is_packed, packed, read_packed
from sksurv_tta.exceptions import BagFileError


@pytest.fixture
def content(rng):
    """Three cases of 3, 0 and 4 rows; the last has two slides."""
    return {
        "X": (rng.normal(size=(7, 5)) + 3).astype(np.float16),
        "case_id": np.array(["A", "B", "C"]),
        "case_ptr": np.array([0, 3, 3, 7], np.int32),
        "slide_id": np.array(["A1", "B1", "C1", "C2"]),
        "slide_ptr": np.array([0, 3, 3, 4, 7], np.int32),
        "coords": np.arange(14).reshape(7, 2),
    }


@pytest.fixture
def write(tmp_path, content):
    def save(name="cohort.npz", saver=np.savez, **changes):
        arrays = {key: value for key, value in {**content, **changes}.items() if value is not None}
        saver(tmp_path / name, **arrays)
        return tmp_path / name

    return save


@pytest.mark.parametrize("saver", [np.savez, np.savez_compressed])
def test_a_packed_file_is_read_case_by_case(write, content, saver):
    path = write(saver=saver)
    assert is_packed(path)
    ids, bags = read_packed(path)
    assert ids == ["A", "B", "C"]
    assert bags.n_instances.tolist() == [3, 0, 4]
    assert bags.isna().tolist() == [False, True, False]
    np.testing.assert_array_equal(bags[2].read(), content["X"][3:].astype("f4"))
    assert bags[2].slide_names == ("C1", "C2")
    assert bags[2].slide_index.tolist() == [0, 1, 1, 1]
    np.testing.assert_array_equal(bags[2].coordinates, content["coords"][3:])
    assert bags[0].slide_names == ("A1",)
    assert bags[0].patient == "A"
    bags.check_finite()


def test_a_case_is_its_own_slide_where_slides_are_not_named(write):
    _, bags = read_packed(write(slide_id=None, slide_ptr=None, coords=None))
    assert bags[2].slide_names == ("C",)
    assert bags[2].coordinates is None
    assert bags[2].patch_size_level0 == (None,)


@pytest.mark.parametrize("saver", [np.savez, np.savez_compressed])
def test_bags_of_a_packed_file_share_one_array(write, saver):
    _, bags = read_packed(write(saver=saver))
    first, last = bags[0]._source.packed, bags[2]._source.packed
    assert first is last
    raw = bags[2].read_raw(slice(1, 3))
    assert raw.dtype == np.float16
    assert not raw.flags.writeable
    assert raw.flags.aligned


def test_bags_travel_as_path_and_range(write):
    _, bags = read_packed(write())
    payload = pickle.dumps(pd.DataFrame({"wsi": bags}))
    assert len(payload) < 2000
    again = pickle.loads(payload)["wsi"].array  # noqa: S301
    assert (again == bags).tolist() == [True, False, True]
    np.testing.assert_array_equal(again[2].read(), bags[2].read())


def test_bags_know_when_another_file_took_the_place_of_theirs(write, content):
    _, bags = read_packed(write())
    payload = pickle.dumps(bags)
    before = bags[0].read()
    path = write(X=content["X"] * 2, saver=np.savez_compressed)
    os.utime(path, ns=(1, 1))
    again = pickle.loads(payload)  # noqa: S301
    with pytest.raises(BagFileError, match=r"patient A: .*is another store than these bags were taken from"):
        again[0].read()
    np.testing.assert_array_equal(read_packed(path)[1][0].read(), before * 2)


def test_only_a_few_files_stay_open(write):
    paths = [write(f"c{i}.npz") for i in range(packed._KEPT_OPEN + 3)]
    columns = [read_packed(path)[1] for path in paths]
    assert len(packed._open) <= packed._KEPT_OPEN
    assert all(column[0].read().shape == (3, 5) for column in columns)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"case_ptr": np.array([0, 3, 7])},
            "case_ptr does not fit: it must rise from 0 to 7 rows and have 4 entries",
        ),
        ({"case_ptr": np.array([0, 5, 3, 7])}, "case_ptr does not fit"),
        ({"case_ptr": np.array([0, 3, 3, 9])}, "case_ptr does not fit"),
        ({"slide_ptr": np.array([0, 1, 2, 4, 7])}, "a slide of slide_ptr spans two cases"),
        ({"case_ptr": np.array([0.0, 3, 3, 7])}, "case_id must be a list of texts and case_ptr integers"),
        ({"case_id": np.array([1, 2, 3])}, "case_id must be a list of texts"),
        ({"X": np.ones((7, 5), int)}, "X is int64 of shape .7, 5.; expected floats"),
        ({"X": np.ones((7, 5, 1))}, "expected floats .rows, D."),
        ({"coords": np.ones((6, 2))}, "coordinates have shape .6, 2.; expected .7, 2."),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(write, changes, match):
    with pytest.raises(BagFileError, match=match):
        read_packed(write(**changes))


def test_a_file_that_is_not_packed_is_refused(write, tmp_path):
    path = write(case_ptr=None)
    assert not is_packed(path)
    assert not is_packed(tmp_path / "a.h5")
    with pytest.raises(
        BagFileError, match=r"is not a packed .npz file with the arrays X, case_id and case_ptr"
    ):
        read_packed(path)
    with pytest.raises(BagFileError, match="has no array case_ptr; it has: X, case_id"):
        BagArray.from_store(path)


def test_a_bad_value_names_case_slide_and_row(write, content):
    content["X"][5, 1] = np.nan
    _, bags = read_packed(write(X=content["X"]))
    with pytest.raises(BagFileError, match=r"patient C: 1 values .*cohort.npz, slide C2 \(rows 1\)"):
        bags[2].read()
