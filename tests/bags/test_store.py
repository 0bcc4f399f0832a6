import json
import os
import pickle  # noqa: TID251 - what joblib does
import resource

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.bags import Bag, BagArray, is_store, open_store, write_store
from sksurv_tta.bags.packed import index_digest
from sksurv_tta.exceptions import BagFileError


@pytest.fixture
def cohort(rng, slides, features, grid):
    """A patient of three slides, one missing, one in memory, one with fractional coordinates."""
    bags = BagArray(
        [
            Bag.from_files(slides[0]),
            None,
            Bag(features, grid, patch_size_level0=512.0),
            Bag(features[:5], rng.normal(size=(5, 2))),
        ]
    )
    return ["P1", "P2", "P3", "P4"], bags


@pytest.fixture
def store(tmp_path, cohort):
    write_store(tmp_path / "store", *cohort)
    return tmp_path / "store"


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_written_is_read(tmp_path, cohort, dtype):
    write_store(tmp_path / "x" / "store", *cohort, dtype=dtype)
    ids, bags = open_store(tmp_path / "x" / "store", verify="sha256")
    assert is_store(tmp_path / "x" / "store")
    assert ids == cohort[0]
    assert bags.isna().tolist() == [False, True, False, False]
    for new, old in zip(bags[[0, 2, 3]], cohort[1][[0, 2, 3]], strict=True):
        assert new.stored_dtype == np.dtype(dtype)
        np.testing.assert_array_equal(new.read(), old.read())
        np.testing.assert_array_equal(new.slide_index, old.slide_index)
        np.testing.assert_array_equal(new.coordinates, old.coordinates)
        assert new.slide_names == old.slide_names
        assert new.patch_size_level0 == old.patch_size_level0
    assert bags[2].coordinates.dtype == np.int64
    assert bags[3].coordinates.dtype == np.float64
    assert np.isnan(bags[0].coordinates[3:7]).all()


def test_writing_twice_gives_the_same_bytes(tmp_path, store, cohort):
    write_store(tmp_path / "again", *cohort)
    assert sorted(os.listdir(store)) == ["coordinates.npy", "features.npy", "store.json"]
    for name in os.listdir(store):
        assert (store / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_store_of_a_store_is_the_same_store(tmp_path, store):
    write_store(tmp_path / "again", *open_store(store))
    assert (tmp_path / "again" / "features.npy").read_bytes() == (store / "features.npy").read_bytes()


def test_bags_are_views_of_one_memory_map_opened_once(store):
    _, bags = open_store(store)
    maps = {id(bag._source.packed.features) for bag in bags if bag is not None}
    maps |= {id(bag._source.packed.features) for bag in open_store(store)[1] if bag is not None}
    assert len(maps) == 1
    raw = bags[2].read_raw(slice(2, 6))
    assert raw.dtype == np.float16
    assert raw.base is not None
    assert not raw.flags.writeable
    np.testing.assert_array_equal(raw, bags[2].read()[2:6])


def test_random_rows_are_read_in_any_order(store, cohort, rng):
    bag, old = open_store(store)[1][0], cohort[1][0]
    rows = rng.integers(0, 12, 40)
    np.testing.assert_array_equal(bag.read(rows), old.read(rows))


def test_bags_travel_as_path_and_range(store):
    bags = open_store(store)[1]
    payload = pickle.dumps(pd.DataFrame({"wsi": bags}))
    assert len(payload) < 2000
    again = pickle.loads(payload)["wsi"].array  # noqa: S301
    np.testing.assert_array_equal(again[0].read(), bags[0].read())
    assert again[0] == bags[0]
    assert again[0] != bags[2]


def test_a_copy_of_a_store_is_the_same_data(tmp_path, store):
    import shutil

    shutil.copytree(store, tmp_path / "copy")
    assert open_store(tmp_path / "copy")[1][0] == open_store(store)[1][0]


def test_progress_is_reported(tmp_path, cohort):
    calls = []
    write_store(tmp_path / "s", *cohort, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


# Refusals of the writer


def test_values_beyond_float16_are_refused_naming_the_patient(tmp_path, features):
    features[3, 1] = 70_000
    bags = BagArray.from_arrays([features[:2], features])
    with pytest.raises(
        BagFileError, match=r"patient B: 1 values in 1 rows .*\(largest 7e\+04.*rows 3.*float32"
    ) as e:
        write_store(tmp_path / "s", ["A", "B"], bags)
    assert e.value.patient_ids == ("B",)
    assert os.listdir(tmp_path) == []  # nothing half-written is left
    write_store(tmp_path / "s", ["A", "B"], bags, dtype="float32")


def test_values_that_are_not_finite_are_refused(tmp_path, features):
    features[3, 1] = np.nan
    with pytest.raises(BagFileError, match=r"row 0: 1 values in 1 of the 12 rows read are not finite"):
        write_store(tmp_path / "s", ["A"], BagArray.from_arrays([features]))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("ids", "match"),
    [(["a", "b"], "2 ids were given for 4 bags"), (["a", "b", "a", "b"], "these repeat: a, b")],
)
def test_ids_must_fit_and_be_distinct(tmp_path, cohort, ids, match):
    with pytest.raises(BagFileError, match=match):
        write_store(tmp_path / "s", ids, cohort[1])


def test_a_store_of_nothing_is_refused(tmp_path):
    with pytest.raises(BagFileError, match="all bags are missing"):
        write_store(tmp_path / "s", ["a"], [None])


def test_an_existing_folder_is_never_overwritten(store, cohort):
    before = (store / "features.npy").read_bytes()
    with pytest.raises(BagFileError, match="exists already; delete it or choose another name"):
        write_store(store, *cohort)
    assert (store / "features.npy").read_bytes() == before


def test_an_unknown_type_or_check_is_refused(tmp_path, cohort, store):
    with pytest.raises(ValueError, match='dtype must be "float16" or "float32"'):
        write_store(tmp_path / "s", *cohort, dtype="int8")
    with pytest.raises(ValueError, match='verify must be "size" or "sha256"'):
        open_store(store, verify="maybe")


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, rng):
    import signal

    bags = BagArray.from_arrays([rng.normal(size=(2000, 64)).astype("f4")])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_store(tmp_path / "s", ["a"], bags)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(tmp_path) == []


def test_an_interrupted_write_leaves_nothing_under_the_name(tmp_path, cohort):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "s", *cohort, progress=interrupt)
    assert not (tmp_path / "s").exists()


# Refusals of the reader


def edit(store, **changes):
    file = store / "store.json"
    index = json.loads(file.read_text())
    index.update(changes)
    index["digest"] = index_digest(index)
    file.write_text(json.dumps(index))


@pytest.mark.parametrize("name", ["features.npy", "coordinates.npy"])
def test_files_of_another_size_are_refused(store, name):
    content = (store / name).read_bytes()
    (store / name).write_bytes(content[:-1])
    with pytest.raises(BagFileError, match=f"{name} has .* bytes instead of"):
        open_store(store)
    (store / name).unlink()
    with pytest.raises(BagFileError, match=f"{name}: no such file"):
        open_store(store)


def test_a_store_that_is_cut_short_while_in_use_is_refused_and_does_not_end_the_process(store):
    _, bags = open_store(store)
    bags[0].read()
    content = (store / "features.npy").read_bytes()
    with open(store / "features.npy", "r+b") as file:
        file.truncate(128)
    with pytest.raises(BagFileError, match=r"patient P1: .*features\.npy: was cut short while"):
        bags[0].read()
    (store / "features.npy").write_bytes(content)
    bags[0].read_raw()
    (store / "features.npy").unlink()
    with pytest.raises(BagFileError, match=r"features\.npy: no such file"):
        bags[0].read_raw()


def test_a_flipped_bit_is_found_by_the_checksum(store):
    content = bytearray((store / "features.npy").read_bytes())
    content[-3] ^= 1
    (store / "features.npy").write_bytes(content)
    open_store(store)
    with pytest.raises(BagFileError, match=r"features.npy: has changed since it was written"):
        open_store(store, verify="sha256")


def test_an_edited_index_is_refused(store):
    file = store / "store.json"
    file.write_text(file.read_text().replace("P1", "P9"))
    with pytest.raises(BagFileError, match="is damaged or was edited"):
        open_store(store)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": "other"}, "is not the index of a packed store"),
        ({"version": 2}, "is of version 2; this package reads version 1"),
        ({"more": 1}, "is damaged or was edited"),
        (
            {"files": {"../secret": {"bytes": 1, "sha256": ""}}},
            "names files that a store does not have: ../secret",
        ),
        ({"offsets": [0, 12, 12, 24, 30]}, "offsets does not fit"),
        ({"offsets": [0, 12, 6, 24, 29]}, "offsets does not fit"),
        ({"ids": ["a"]}, "offsets does not fit"),
        ({"ids": 3}, "cannot be read"),
        ({"slide_offsets": [0, 29]}, "slide_offsets does not fit"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(store, changes, match):
    edit(store, **changes)
    with pytest.raises(BagFileError, match=match):
        open_store(store)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"version": NaN}', "[" * 100_000])
def test_an_index_that_is_no_index_is_refused(store, text):
    (store / "store.json").write_text(text)
    with pytest.raises(BagFileError, match=r"store.json|cannot be read"):
        open_store(store)


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    with pytest.raises(
        BagFileError, match=r"is not a packed store .it has no store.json.; make one with write_store"
    ):
        open_store(tmp_path)
    with pytest.raises(BagFileError, match="no such file"):
        BagArray.from_store(tmp_path)
