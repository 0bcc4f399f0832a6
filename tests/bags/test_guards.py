import os
import zipfile

import h5py
import numpy as np
import pytest

from sksurv_tta.bags import guards, read_bag
from sksurv_tta.exceptions import BagFileError


def refused(path, match):
    with pytest.raises(BagFileError, match=match) as caught:
        read_bag(path).read()
    assert str(path) in str(caught.value)


# Paths


def test_a_missing_file_is_refused_with_the_way_out(tmp_path):
    refused(tmp_path / "no.h5", "no such file. Set the cell to missing")


def test_a_folder_is_refused(tmp_path):
    refused(tmp_path, "is a folder")


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    path.touch()
    refused(path, "is empty")


def test_a_named_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "a.h5")
    refused(tmp_path / "a.h5", "not an ordinary file")


def test_a_null_byte_is_refused():
    with pytest.raises(BagFileError, match="null byte"):
        guards.check_path("a\0.h5")


def test_a_link_to_an_ordinary_file_is_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert guards.check_path(tmp_path / "b") == 4


def test_inside_accepts_a_file_below_the_folder(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.h5").write_bytes(b"1")
    assert guards.inside(tmp_path, "x/a.h5") == (tmp_path / "x" / "a.h5").resolve()


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "link", "x/../../secret"])
def test_inside_refuses_what_leads_out_of_the_folder(tmp_path, name):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_bytes(b"1")
    (root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(BagFileError, match="leads out of the folder"):
        guards.inside(root, name)


def test_inside_refuses_missing_files_and_null_bytes(tmp_path):
    with pytest.raises(BagFileError, match="no such file"):
        guards.inside(tmp_path, "a")
    with pytest.raises(BagFileError, match="null byte"):
        guards.inside(tmp_path, "a\0")


# HDF5: each trick reads without an error in h5py alone


def test_external_storage_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(b"x" * 64)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("features", (4, 4), "f4", external=[(str(tmp_path / "secret"), 0, 64)])
    refused(tmp_path / "a.h5", "takes its bytes from another file")


def test_an_external_link_is_refused_without_opening_its_target(tmp_path, write_hdf5):
    write_hdf5("target.h5", np.ones((3, 2), "f4"))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"] = h5py.ExternalLink("target.h5", "features")
    refused(tmp_path / "a.h5", "is a link to elsewhere .ExternalLink")


def test_a_soft_link_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["real"] = np.ones((3, 2), "f4")
        file["features"] = h5py.SoftLink("/real")
    refused(tmp_path / "a.h5", "SoftLink")


def test_a_link_in_the_middle_of_a_key_is_refused(tmp_path, write_hdf5):
    write_hdf5("target.h5", np.ones((3, 2), "f4"), key="inner/features")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group"] = h5py.ExternalLink("target.h5", "inner")
    with pytest.raises(BagFileError, match="ExternalLink"):
        read_bag(tmp_path / "a.h5", "group/features")


def test_a_virtual_data_set_is_refused(tmp_path, write_hdf5):
    write_hdf5("target.h5", np.ones((3, 2), "f4"))
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource("target.h5", "features", (3, 2))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("features", layout)
    refused(tmp_path / "a.h5", "is virtual")


def test_a_tiny_file_that_declares_gigabytes_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("features", (2_000_000, 1024), "f4", chunks=(1000, 1024))
    assert (tmp_path / "a.h5").stat().st_size < 5000
    refused(tmp_path / "a.h5", r"declares an array of shape \(2000000, 1024\), 8.2 GB")


def test_zeros_that_compress_a_thousandfold_are_refused(write_hdf5):
    path = write_hdf5("a.h5", np.zeros((4000, 256), "f4"), compression="gzip", chunks=(1000, 256))
    refused(path, "more than 200 times")


def test_ordinary_compression_is_read(write_hdf5, features):
    for name, storage in {"g": {"compression": "gzip", "shuffle": True}, "l": {"compression": "lzf"}}.items():
        path = write_hdf5(f"{name}.h5", features, fletcher32=True, **storage)
        np.testing.assert_array_equal(read_bag(path).read(), features)


def test_a_declared_but_unwritten_data_set_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("features", (10, 4), "f4")
    refused(tmp_path / "a.h5", "never written")


def test_a_half_written_chunked_data_set_is_refused(tmp_path, rng):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("features", (400, 4), "f4", chunks=(100, 4))
        dataset[:200] = rng.normal(size=(200, 4))
    refused(tmp_path / "a.h5", "only 2 of 4 chunks")


@pytest.mark.parametrize("storage", [{"compression": "gzip", "fletcher32": True}, {"compression": "lzf"}, {}])
def test_a_hole_in_the_index_of_chunks_is_refused_before_the_library_follows_it(write_hdf5, rng, storage):
    features = rng.normal(size=(24, 8)).astype("f4")
    path = write_hdf5("a.h5", features, chunks=(8, 4), maxshape=(None, 8), **storage)
    content = path.read_bytes()
    start = content.index(b"TREE\x01")
    n_refused = 0
    for place in range(start + 24, start + 24 + 6 * 40, 8):  # keys and children of the six chunks
        path.write_bytes(content[:place] + bytes(16) + content[place + 16 :])
        try:
            bag = read_bag(path)  # reads no value
        except BagFileError as error:
            n_refused += "chunks of" in str(error)
            continue
        np.testing.assert_array_equal(bag.read(), features)  # there were zeros before
    assert n_refused > 15


def test_a_half_written_contiguous_data_set_is_refused_when_read(tmp_path, rng):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("features", (400, 4), "f4")
        dataset[:150] = rng.normal(size=(150, 4))
    refused(tmp_path / "a.h5", "250 of 400 rows are all zero")


def test_some_zero_rows_are_read(write_hdf5):
    values = np.ones((10, 3), "f4")
    values[:5] = 0
    np.testing.assert_array_equal(read_bag(write_hdf5("a.h5", values)).read(), values)


@pytest.mark.parametrize(
    "values",
    [
        np.ones((3, 2), "i4"),
        np.ones((3, 2), bool),
        np.ones((3, 2), "c8"),
        np.array([[b"a", b"b"]], "S1"),
        np.ones((3, 2), [("a", "f4"), ("b", "f4")]),
    ],
    ids=["integer", "bool", "complex", "text", "compound"],
)
def test_other_types_than_floats_are_refused(write_hdf5, values):
    refused(write_hdf5("a.h5", values), "float16, float32 or float64 are read")


def test_python_objects_in_hdf5_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("features", (2, 2), h5py.string_dtype())
    refused(tmp_path / "a.h5", "of type object")


def test_a_foreign_filter_is_refused_before_its_plug_in_is_looked_for(tmp_path):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((2, 2))
    properties.set_filter(40_000, h5py.h5z.FLAG_OPTIONAL, ())  # nobody's filter
    with h5py.File(tmp_path / "a.h5", "w") as file:
        space = h5py.h5s.create_simple((2, 2))
        h5py.h5d.create(file.id, b"features", h5py.h5t.IEEE_F32LE, space, properties)
    refused(tmp_path / "a.h5", "needs the HDF5 filter 40000")


@pytest.mark.parametrize("shape", [(), (2, 3, 4), (1, 1, 3, 4)])
def test_wrong_ranks_are_refused(write_hdf5, shape):
    refused(write_hdf5("a.h5", np.ones(shape, "f4")), "shape")


def test_a_group_in_place_of_the_features_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features/inner"] = np.ones((3, 2), "f4")
    refused(tmp_path / "a.h5", "is a group, not a dataset; pass key= with one of: inner")


def test_rows_of_absurd_width_are_refused(write_hdf5):
    refused(write_hdf5("a.h5", np.ones((1, 70_000), "f2")), "rows of 70,000 values")


# NumPy


def test_a_zip_that_inflates_without_measure_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((4000, 256), "f4"))
    refused(tmp_path / "a.npz", "inflates from .* more than 200 times")


def test_a_zip_above_the_limit_is_refused(tmp_path, monkeypatch, rng):
    np.savez_compressed(tmp_path / "a.npz", features=rng.normal(size=(100, 4)))
    monkeypatch.setattr(guards, "MAX_SLIDE_BYTES", 1000)
    refused(tmp_path / "a.npz", "inflates to 3,328 bytes; at most 1,000 are read")


def test_a_zip_member_that_is_not_what_its_header_says_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 2)))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("features.npy", (tmp_path / "x.npy").read_bytes()[:-8])
    refused(tmp_path / "a.npz", "its header declares")


def test_other_zip_compression_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 2)))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.write(tmp_path / "x.npy", "features.npy")
    refused(tmp_path / "a.npz", "neither stored nor deflated")


def test_an_npy_file_of_another_size_than_declared_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones((10, 4), "f4"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    refused(path, "its header declares an array of shape .10, 4., 288 bytes, but there are 287")
    path.write_bytes(whole + b"x")
    refused(path, "but there are 289")


# Values


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_large_finite_values_are_finite(dtype):
    values = np.full((3, 4), np.finfo(dtype).max, dtype)
    assert guards.has_only_finite(values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_one_bad_value_among_many_is_found_in_any_block(monkeypatch, bad, dtype):
    monkeypatch.setattr(guards, "_BLOCK_VALUES", 40)
    for row in (0, 57, 99):
        values = np.ones((100, 4), dtype)
        values[row, 3] = bad
        assert not guards.has_only_finite(values)
        n_values, rows = guards.non_finite_rows(values)
        assert (n_values, rows.tolist()) == (1, [row])


def test_want_of_memory_is_not_called_damage():
    with pytest.raises(MemoryError, match="big"), guards.damage_as_error("a.h5"):
        raise MemoryError("big")
