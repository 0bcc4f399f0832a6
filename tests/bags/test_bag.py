import copy
import math
import pickle  # noqa: TID251 - what joblib does

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler

from sksurv_tta.bags import Bag, BagArray, infer_patch_size, read_bag
from sksurv_tta.exceptions import BagFileError

# In memory


def test_a_bag_in_memory_knows_its_shape_and_keeps_its_values(features, grid):
    bag = Bag(features, grid, patch_size_level0=512.0)
    assert (bag.n_instances, bag.n_features, bag.shape) == (12, 4, (12, 4))
    assert (bag.slide_names, bag.slide_sizes, bag.paths) == (("slide",), (12,), ())
    assert bag.patch_size_level0 == (512.0,)
    np.testing.assert_array_equal(bag.features, features)
    np.testing.assert_array_equal(bag.coordinates, grid)
    np.testing.assert_array_equal(bag.slide_index, np.zeros(12))


@pytest.mark.parametrize(
    ("features", "match"),
    [
        ([[1.0, 2.0]], "takes a NumPy array .* not list"),
        (np.ones((2, 3, 4)), r"not \(2, 3, 4\); for several bags .* BagArray.from_arrays"),
        (np.ones(3), r"not \(3,\)"),
        (np.ones((0, 3)), "at least one instance.*set the cell to missing"),
        (np.ones((3, 0)), "at least one instance"),
        (np.ones((2, 2), int), "use float16, float32 or float64"),
        (np.ones((2, 2), object), "use float16, float32 or float64"),
    ],
)
def test_what_is_no_bag_is_refused(features, match):
    with pytest.raises(BagFileError, match=match):
        Bag(features)


@pytest.mark.parametrize("coordinates", [np.ones((11, 2)), np.ones((12, 3)), np.full((12, 2), "a")])
def test_coordinates_that_do_not_fit_are_refused(features, coordinates):
    with pytest.raises(BagFileError, match=r"numbers of shape \(12, 2\), one pair for each instance"):
        Bag(features, coordinates)


def test_what_is_read_belongs_to_the_reader(features, grid):
    bag = Bag(features, grid)
    before = features.copy()
    bag.read()[:] = 0
    bag.read(slice(0, 3))[:] = 0
    bag.coordinates[:] = -1
    np.testing.assert_array_equal(features, before)
    assert grid.min() == 0


# Rows


@pytest.fixture(params=["memory", "npy", "hdf5", "slides"])
def any_bag(request, tmp_path, write_hdf5, features, slides):
    """The same kind of bag from each source, with its features."""
    if request.param == "memory":
        return Bag(features), features
    if request.param == "npy":
        np.save(tmp_path / "a.npy", features.astype(np.float16))
        return read_bag(tmp_path / "a.npy"), features
    if request.param == "hdf5":
        return read_bag(write_hdf5("a.h5", features)), features
    return Bag.from_files(slides[0]), slides[1]


@pytest.mark.parametrize(
    "rows",
    [
        None,
        slice(2, 9),
        slice(4, 5),
        slice(None, None, 3),
        slice(None, None, -1),
        slice(5, 2),
        np.array([0, 3, 6, 11]),
        np.array([11, 0, 5, 5, 4, 7]),
        np.array([5, 4], dtype=np.uint8),
        np.array([], dtype=int),
        [1, 10],
    ],
    ids=str,
)
def test_any_rows_are_read_in_the_order_asked_for(any_bag, rows):
    bag, expected = any_bag
    expected = expected[slice(None) if rows is None else rows]
    result = bag.read(rows)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)
    raw = bag.read_raw(rows)
    assert raw.dtype == bag.stored_dtype
    np.testing.assert_array_equal(raw, expected)
    out = np.full(expected.shape, np.nan, np.float32)
    assert bag.read(rows, out=out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("rows", [np.array([0, 12]), np.array([-1]), [99]])
def test_rows_that_do_not_exist_are_refused(any_bag, rows):
    with pytest.raises(IndexError, match="are not in a bag of 12 instances"):
        any_bag[0].read(rows)


@pytest.mark.parametrize("rows", [np.ones(12, bool), np.ones((2, 2), int), np.array([0.5])])
def test_rows_that_are_no_indices_are_refused(any_bag, rows):
    with pytest.raises(TypeError, match="1-D array of integers"):
        any_bag[0].read(rows)


@pytest.mark.parametrize(
    "out", [np.empty((11, 4), np.float32), np.empty((12, 4)), np.empty((4, 12), np.float32).T]
)
def test_an_output_that_does_not_fit_is_refused(features, out):
    with pytest.raises(ValueError, match=r"C-contiguous float32 array of shape \(12, 4\)"):
        Bag(features).read(out=out)


def test_a_range_of_a_mapped_file_is_a_read_only_view(tmp_path, features):
    np.save(tmp_path / "a.npy", features)
    raw = read_bag(tmp_path / "a.npy").read_raw(slice(2, 5))
    assert not raw.flags.owndata
    assert not raw.flags.writeable


def test_rows_are_gathered_in_blocks_without_a_seam(tmp_path, rng, monkeypatch):
    from sksurv_tta.bags import sources

    monkeypatch.setattr(sources, "_BLOCK_BYTES", 64)
    values = rng.normal(size=(50, 4)).astype(np.float16)
    np.save(tmp_path / "a.npy", values)
    rows = rng.integers(0, 50, 33)
    np.testing.assert_array_equal(read_bag(tmp_path / "a.npy").read(rows), values[rows].astype(np.float32))


# Finite values


def test_values_that_are_not_finite_are_refused_naming_patient_file_and_rows(slides, write_hdf5, features):
    features[[2, 7], 1] = np.nan
    features[7, 3] = np.inf
    bad = write_hdf5("bad.h5", features)
    bag = Bag.from_files([slides[0][0], bad], patient="P-7")
    with pytest.raises(
        BagFileError, match=r"patient P-7: 3 values in 2 of the 15 rows .*bad.h5 \(rows 2, 7\)"
    ) as caught:
        bag.read()
    assert caught.value.patient_ids == ("P-7",)
    with pytest.raises(BagFileError, match=r"1 values in 1 of the 2 rows .*bad.h5 \(rows 2\)"):
        bag.read(np.array([5, 0]))
    with pytest.raises(BagFileError, match="3 values in 2 of the 15 rows"):
        bag.read_raw()
    np.testing.assert_array_equal(bag.read(slice(3, 5)), features[:2])


def test_float64_values_beyond_float32_are_refused():
    with pytest.raises(BagFileError, match="too large for float32"):
        Bag(np.full((2, 2), 1e300)).read()


# Slides


def test_slides_are_concatenated_in_the_order_given(slides):
    paths, values = slides
    bag = Bag.from_files(paths[::-1], patient="p")
    np.testing.assert_array_equal(bag.read(), np.concatenate([values[7:], values[3:7], values[:3]]))
    assert bag.slide_names == ("s3", "s2", "s1")
    assert bag.slide_sizes == (5, 4, 3)
    assert bag.slide_index.tolist() == [0] * 5 + [1] * 4 + [2] * 3
    assert bag.paths == tuple(str(path) for path in paths[::-1])
    assert repr(bag) == "Bag(3 slides, 12 x 4)"


def test_a_slide_without_coordinates_has_nan_where_the_others_have_some(slides):
    coordinates = Bag.from_files(slides[0]).coordinates
    assert np.isnan(coordinates[3:7]).all()
    assert np.isfinite(coordinates[:3]).all()
    assert np.isfinite(coordinates[7:]).all()
    assert Bag.from_files(slides[0][1]).coordinates is None


def test_slides_of_different_widths_are_refused(write_hdf5):
    paths = [write_hdf5("a.h5", np.ones((2, 3), "f4")), write_hdf5("b.h5", np.ones((2, 5), "f4"))]
    with pytest.raises(
        BagFileError, match=r"patient p: its slides have different .*a.h5 \(3\), .*b.h5 \(5\)"
    ):
        Bag.from_files(paths, patient="p")


def test_no_slide_or_the_same_slide_twice_is_refused(slides):
    with pytest.raises(BagFileError, match="no slide file is given; set the cell to missing"):
        Bag.from_files([])
    with pytest.raises(BagFileError, match="the same file is given twice"):
        Bag.from_files([slides[0][0], slides[0][0]])


def test_only_the_slides_that_hold_the_rows_are_opened(slides):
    paths, values = slides
    bag = Bag.from_files(paths)
    paths[1].unlink()
    np.testing.assert_array_equal(bag.read(np.array([8, 0, 11])), values[[8, 0, 11]])
    with pytest.raises(BagFileError, match=r"s2.h5: no such file"):
        bag.read(np.array([8, 3]))


def test_a_file_that_changed_since_is_refused(write_hdf5, features):
    path = write_hdf5("a.h5", features)
    bag = Bag.from_files(path, patient="p")
    write_hdf5("a.h5", features[:5])
    with pytest.raises(BagFileError, match=r"patient p: .*a.h5: has (changed|another shape)"):
        bag.read()


def test_opening_reads_no_features(write_hdf5, features, monkeypatch):
    import h5py

    path = write_hdf5("a.h5", features)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *_: pytest.fail("features were read"))
    assert read_bag(path).shape == (12, 4)


# Patch size


def test_the_patch_size_is_the_most_common_step_to_a_neighbour(rng):
    cells = rng.permutation(400)[:150]
    grid = np.stack([cells % 20, cells // 20], axis=1) * 448 + 17
    assert infer_patch_size(grid) == 448
    assert infer_patch_size(grid[:1]) is None
    assert infer_patch_size(np.array([[0, 0], [5, 7]])) is None


def test_patch_sizes_are_known_for_each_slide(write_hdf5, features, grid):
    stated = write_hdf5("a.h5", features, grid, coords_attributes={"patch_size_level0": 1024})
    silent = write_hdf5("b.h5", features, grid)
    nothing = write_hdf5("c.h5", features)
    assert Bag.from_files([stated, silent, nothing]).patch_size_level0 == (1024.0, 512.0, None)
    assert Bag.from_files([nothing]).patch_size_level0 == (None,)
    assert Bag.from_files([stated]).patch_size_level0 == (1024.0,)


# As a value


def test_a_bag_is_no_sequence_and_no_number(features):
    bag = Bag(features)
    for method in ("__len__", "__iter__", "__getitem__", "__array__"):
        assert not hasattr(bag, method)
    with pytest.raises(TypeError, match=r"ColumnTransformer.*set_output"):
        float(bag)


@pytest.mark.parametrize("step", ["scaler", "transformer"])
def test_the_two_usual_mistakes_are_explained(features, step):
    table = pd.DataFrame({"wsi": BagArray.from_arrays([features, features[:3]]), "gene": [1.0, 2.0]})
    scaler = StandardScaler()
    if step == "transformer":  # without pandas output the bags come out as objects in a NumPy array
        columns = ColumnTransformer([("genes", scaler, ["gene"])], remainder="passthrough")
        table, scaler = columns.fit_transform(table), StandardScaler()
    with pytest.raises(TypeError, match="numeric columns only and keep pandas output"):
        scaler.fit(table)


def test_bags_of_the_same_source_are_equal(slides, write_hdf5, features):
    paths = slides[0]
    assert Bag.from_files(paths) == Bag.from_files(paths)
    assert hash(Bag.from_files(paths)) == hash(Bag.from_files(paths))
    assert Bag.from_files(paths) != Bag.from_files(paths[::-1])
    assert Bag(features) == Bag(features.copy())
    assert hash(Bag(features)) == hash(Bag(features.copy()))
    assert Bag(features) != Bag(features[:5])
    assert Bag(features) != Bag(features[::-1])
    assert Bag(features) != Bag(features, np.zeros((12, 2)))
    assert Bag(features) != read_bag(write_hdf5("a.h5", features))
    assert Bag(features) != 1
    changed = features.copy()
    changed[5, 2] += 1
    assert Bag(changed) != Bag(features)
    missing = features.copy()
    missing[0, 0] = math.nan
    assert Bag(missing) == Bag(missing.copy())


def test_pickled_bags_are_equal_and_files_travel_as_paths(slides, features, grid):
    for bag in (Bag.from_files(slides[0], patient="p"), Bag(features, grid, patch_size_level0=512)):
        again = pickle.loads(pickle.dumps(bag))  # noqa: S301
        assert again == bag
        assert again.patient == bag.patient
        assert again.patch_size_level0 == bag.patch_size_level0
        np.testing.assert_array_equal(again.read(), bag.read())
        assert copy.deepcopy(bag) is bag
        assert copy.copy(bag) is bag
    assert len(pickle.dumps(Bag.from_files(slides[0]))) < 1000


def test_a_handle_made_from_a_relative_path_works_in_another_folder(slides, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    payload = pickle.dumps(Bag.from_files(["s1.h5"]))
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(pickle.loads(payload).read(), slides[1][:3])  # noqa: S301
