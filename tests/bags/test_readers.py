import ast
import random
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from sksurv_tta import bags
from sksurv_tta.bags import Bag, read_bag, read_header
from sksurv_tta.bags.readers import read_coordinates
from sksurv_tta.exceptions import BagFileError

save_tensor = torch.save  # noqa: TID251 - makes the files that others have

TRIDENT = {"patch_size": 512, "patch_size_level0": 1024, "target_magnification": "20", "level0_width": "None"}


# TRIDENT and CLAM


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_trident_files_are_read_with_their_attributes(write_hdf5, features, grid, dtype):
    path = write_hdf5(
        "a.h5", features.astype(dtype), grid, attributes={"encoder": "uni_v1"}, coords_attributes=TRIDENT
    )
    header = read_header(path)
    assert (header.n_instances, header.n_features, header.encoder) == (12, 4, "uni_v1")
    assert (header.patch_size_level0, header.magnification, header.has_coordinates) == (1024.0, 20.0, True)
    bag = read_bag(path)
    assert bag.patch_size_level0 == (1024.0,)
    assert bag.stored_dtype == np.dtype(dtype)
    assert bag.read().dtype == np.float32
    np.testing.assert_array_equal(bag.read(), features)
    np.testing.assert_array_equal(bag.coordinates, grid)
    assert bag.coordinates.dtype == np.int64


def test_a_leading_one_is_dropped_from_features_and_coordinates(write_hdf5, features, grid):
    bag = read_bag(write_hdf5("a.h5", features[None], grid[None]))
    assert bag.shape == (12, 4)
    np.testing.assert_array_equal(bag.read(), features)
    np.testing.assert_array_equal(bag.coordinates, grid)


def test_one_leading_one_means_one_instance_of_a_two_dimensional_file(write_hdf5, features):
    assert read_bag(write_hdf5("a.h5", features[:1])).shape == (1, 4)


def test_the_text_none_in_an_attribute_is_unknown(write_hdf5, features, grid):
    nothing = {"patch_size_level0": "None", "target_magnification": "None"}
    path = write_hdf5("a.h5", features, grid, attributes={"encoder": "None"}, coords_attributes=nothing)
    header = read_header(path)
    assert (header.encoder, header.patch_size_level0, header.magnification) == (None, None, None)
    assert read_bag(path).patch_size_level0 == (512.0,)  # the step of the grid


def test_attributes_that_are_no_numbers_are_unknown(write_hdf5, features, grid):
    odd = {"patch_size_level0": [1.0, 2.0], "target_magnification": "fast"}
    header = read_header(write_hdf5("a.h5", features, grid, attributes={"encoder": 7}, coords_attributes=odd))
    assert (header.encoder, header.patch_size_level0, header.magnification) == (None, None, None)


@pytest.mark.parametrize("shape", [(0, 4), (0,), (1, 0, 4), (3, 0)])
def test_a_slide_without_tissue_is_refused_with_the_way_out(write_hdf5, shape):
    path = write_hdf5("a.h5", np.empty(shape, "f4"), np.empty((0, 2), int))
    with pytest.raises(BagFileError, match=r"no instances .* Set the cell to missing"):
        read_bag(path)


def test_a_slide_embedding_is_one_instance_without_coordinates(write_hdf5, features, grid):
    for name, coords in {"a.h5": None, "b.h5": grid}.items():
        bag = read_bag(write_hdf5(name, features[0], coords))
        assert bag.shape == (1, 4)
        assert bag.coordinates is None
        np.testing.assert_array_equal(bag.read(), features[:1])


def test_one_feature_of_many_instances_is_not_taken_for_an_embedding(write_hdf5, features, grid):
    with pytest.raises(BagFileError, match=r"features of shape \(12,\); expected \(N, D\)"):
        read_bag(write_hdf5("a.h5", features[:, 0], grid))


def test_flat_arrays_of_other_formats_need_a_folder_of_slide_embeddings(tmp_path, features):
    np.save(tmp_path / "a.npy", features[0])
    with pytest.raises(BagFileError, match=r"expected .N, D."):
        read_bag(tmp_path / "a.npy")
    folder = tmp_path / "slide_features_titan"
    folder.mkdir()
    np.save(folder / "a.npy", features[0])
    assert read_bag(folder / "a.npy").shape == (1, 4)


def test_coordinates_must_fit_the_instances(write_hdf5, features, grid):
    with pytest.raises(BagFileError, match=r"12 instances but coordinates of shape \(11, 2\)"):
        read_bag(write_hdf5("a.h5", features, grid[:11]))


def test_coordinates_that_are_not_finite_are_refused(write_hdf5, features, grid):
    bag = read_bag(write_hdf5("a.h5", features, np.where(grid == 512, np.nan, grid)))
    with pytest.raises(BagFileError, match="coordinates that are not finite"):
        _ = bag.coordinates


def test_clam_files_are_read_in_both_forms(write_hdf5, tmp_path, features, grid):
    path = write_hdf5("clam.h5", features, grid, chunks=(1, 4), maxshape=(None, 4))
    save_tensor(torch.from_numpy(features), tmp_path / "clam.pt")
    np.testing.assert_array_equal(read_bag(path).read(), read_bag(tmp_path / "clam.pt").read())
    assert read_bag(tmp_path / "clam.pt").coordinates is None


# Names


@pytest.mark.parametrize("key", ["features", "feats", "embeddings", "feat"])
def test_usual_names_are_found(write_hdf5, features, key):
    np.testing.assert_array_equal(read_bag(write_hdf5("a.h5", features, key=key)).read(), features)


def test_the_only_array_needs_no_name(write_hdf5, features, grid):
    assert read_bag(write_hdf5("a.h5", features, grid, key="resnet")).shape == (12, 4)


def test_a_key_picks_one_of_several_arrays(tmp_path, features):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/uni"] = features
        file["other"] = features
    assert read_bag(tmp_path / "a.h5", "group/uni").shape == (12, 4)
    with pytest.raises(BagFileError, match="has no dataset 'wrong'; it has: group, other"):
        read_bag(tmp_path / "a.h5", "wrong")


def test_unknown_names_are_listed(tmp_path, features):
    np.savez(tmp_path / "a.npz", one=features, two=features)
    with pytest.raises(BagFileError, match=r"none of its arrays \(one, two\) is called features; pass key="):
        read_bag(tmp_path / "a.npz")
    with pytest.raises(BagFileError, match="has no array 'three'; it has: one, two"):
        read_bag(tmp_path / "a.npz", "three")
    assert read_bag(tmp_path / "a.npz", "two").shape == (12, 4)


def test_an_unknown_suffix_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    with pytest.raises(BagFileError, match=r"is not a known kind of feature file; known are .h5"):
        read_bag(tmp_path / "a.csv")


# NumPy


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
def test_npy_files_are_read_in_any_order_and_float(tmp_path, features, dtype, order):
    np.save(tmp_path / "a.npy", np.asarray(features, dtype, order=order))
    bag = read_bag(tmp_path / "a.npy", key="features")  # a name that such files do not have is ignored
    np.testing.assert_array_equal(bag.read(), features)
    np.testing.assert_array_equal(bag.read(np.array([3, 1, 3])), features[[3, 1, 3]])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_files_are_read_with_coordinates(tmp_path, features, grid, save):
    save(tmp_path / "a.npz", feats=features, coordinates=grid)
    bag = read_bag(tmp_path / "a.npz")
    np.testing.assert_array_equal(bag.read(), features)
    np.testing.assert_array_equal(bag.coordinates, grid)


def test_python_objects_are_never_unpickled(tmp_path):
    values = np.empty((2, 2), object)
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    np.savez(tmp_path / "a.npz", features=values)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(BagFileError, match="Python objects, which are never read"):
            read_bag(tmp_path / name)


def test_a_packed_file_is_not_taken_for_one_slide(tmp_path, features):
    np.savez(tmp_path / "a.npz", X=features, case_id=np.array(["p"]), case_ptr=np.array([0, 12]))
    with pytest.raises(BagFileError, match=r"holds many patients .* read_packed"):
        read_bag(tmp_path / "a.npz")


# PyTorch


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_read(tmp_path, features, dtype, zipped):
    tensor = torch.from_numpy(features).to(dtype)
    save_tensor(tensor, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    np.testing.assert_array_equal(read_bag(tmp_path / "a.pt").read(), tensor.float().numpy())


def test_tensors_with_gradients_and_a_leading_one_are_read(tmp_path, features):
    save_tensor(torch.from_numpy(features)[None].requires_grad_(), tmp_path / "a.pt")
    np.testing.assert_array_equal(read_bag(tmp_path / "a.pt").read(), features)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_pickled_numpy_arrays_are_read_without_running_code(tmp_path, features, dtype):
    save_tensor(features.astype(dtype), tmp_path / "a.pt")
    bag = read_bag(tmp_path / "a.pt")
    assert bag.stored_dtype == np.dtype(dtype)
    np.testing.assert_array_equal(bag.read(), features)


def test_dictionaries_are_read_with_coordinates(tmp_path, features, grid):
    content = {"feats": torch.from_numpy(features), "coords": torch.from_numpy(grid), "name": "slide"}
    save_tensor(content, tmp_path / "a.pt")
    bag = read_bag(tmp_path / "a.pt")
    np.testing.assert_array_equal(bag.read(), features)
    np.testing.assert_array_equal(bag.coordinates, grid)
    with pytest.raises(BagFileError, match="has no entry 'x'; it has: feats, coords, name"):
        read_bag(tmp_path / "a.pt", "x")
    with pytest.raises(BagFileError, match="holds str, not a plain tensor"):
        read_bag(tmp_path / "a.pt", "name")


def test_a_planted_command_in_a_tensor_file_is_refused_and_not_run(tmp_path, features):
    flag = tmp_path / "ran"

    class Planted:
        def __reduce__(self):
            return exec, (f"open({str(flag)!r}, 'w')",)

    inside_array = np.empty((2, 2), object)
    inside_array[0, 0] = Planted()
    for content in (Planted(), {"features": torch.from_numpy(features), "x": Planted()}, inside_array):
        save_tensor(content, tmp_path / "a.pt")
        with pytest.raises(BagFileError, match="cannot be read"):
            read_bag(tmp_path / "a.pt")
    assert not flag.exists()


def test_object_arrays_in_a_tensor_file_are_refused(tmp_path):
    save_tensor(np.array([[None, None]], object), tmp_path / "a.pt")
    with pytest.raises(BagFileError, match=r"cannot be read|of type object"):
        read_bag(tmp_path / "a.pt")


def test_a_small_tensor_file_that_claims_terabytes_is_refused(tmp_path):
    save_tensor(torch.ones(1).expand(10**9, 1024), tmp_path / "a.pt")
    assert (tmp_path / "a.pt").stat().st_size < 3000
    with pytest.raises(BagFileError, match=r"declares an array of shape \(1000000000, 1024\)"):
        read_bag(tmp_path / "a.pt")
    save_tensor(torch.ones(1, 4).expand(1000, 4), tmp_path / "a.pt")
    with pytest.raises(BagFileError, match="over a storage of 16 bytes"):
        read_bag(tmp_path / "a.pt")


def test_a_length_of_gigabytes_in_an_old_tensor_file_allocates_nothing(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(b"\x80\x02X" + (2**31 - 1).to_bytes(4, "little") + b"a text that is shorter.")
    tracemalloc.start()
    try:
        with pytest.raises(BagFileError, match="cannot be read"):
            read_bag(path)
        assert tracemalloc.get_traced_memory()[1] < 1e8
    finally:
        tracemalloc.stop()


def test_a_tensor_file_with_compressed_members_is_refused(tmp_path, features):
    import zipfile

    save_tensor(torch.from_numpy(features), tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as source,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            target.writestr(info.filename, source.read(info))
    with pytest.raises(BagFileError, match="has compressed members"):
        read_bag(tmp_path / "b.pt")


@pytest.mark.parametrize("tensor", [torch.ones(3, 2, dtype=torch.int64), torch.ones(3, 2, dtype=torch.bool)])
def test_tensors_that_are_not_floats_are_refused(tmp_path, tensor):
    save_tensor(tensor, tmp_path / "a.pt")
    with pytest.raises(BagFileError, match=r"of type (int64|bool)"):
        read_bag(tmp_path / "a.pt")


def test_torch_is_imported_only_when_a_tensor_file_is_read():
    for path in Path(bags.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = (
                {alias.name for alias in node.names}
                if isinstance(node, ast.Import | ast.ImportFrom)
                else set()
            )
            assert "torch" not in names | {getattr(node, "module", None)}


# Damage


def make_files(tmp_path, write_hdf5, features, grid):
    write_hdf5("a.h5", features, grid, compression="gzip", chunks=(4, 4), fletcher32=True)
    write_hdf5("b.h5", features, grid)
    save_tensor(torch.from_numpy(features), tmp_path / "c.pt")
    np.save(tmp_path / "d.npy", features)
    np.savez_compressed(tmp_path / "e.npz", features=features, coords=grid)
    return [tmp_path / name for name in ("a.h5", "b.h5", "c.pt", "d.npy", "e.npz")]


def test_truncated_files_are_refused_by_our_own_error(tmp_path, write_hdf5, features, grid):
    for path in make_files(tmp_path, write_hdf5, features, grid):
        whole = path.read_bytes()
        for share in np.linspace(0.02, 0.98, 13):
            path.write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(BagFileError, match=path.name):
                read_bag(path).read()


@pytest.mark.filterwarnings("ignore")  # a damaged header may also warn; what counts is the outcome
def test_damaged_files_are_refused_by_our_own_error_or_read_as_a_bag(tmp_path, write_hdf5, features, grid):
    draw = random.Random(0)  # noqa: S311 - seeded on purpose
    outcomes = {"refused": 0, "read": 0}
    for path in make_files(tmp_path, write_hdf5, features, grid):
        whole = path.read_bytes()
        for _ in range(80):
            damaged = bytearray(whole)
            for _ in range(4):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            path.write_bytes(damaged)
            try:
                bag = read_bag(path)
                assert isinstance(bag, Bag)
                assert np.isfinite(bag.read()).all()
                read_coordinates(path)
                outcomes["read"] += 1
            except BagFileError as error:
                assert path.name in str(error)  # noqa: PT017 - either outcome is right
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 20
