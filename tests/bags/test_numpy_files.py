import zipfile

import numpy as np
import pytest

from sksurv_tta.bags.numpy_files import npz_members, stored_npy, stored_npz_member
from sksurv_tta.exceptions import BagFileError


def is_mapped(array):
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = array.base if isinstance(array, np.ndarray) else None
    return False


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_files_are_mapped_after_their_header_is_known(tmp_path, rng, order):
    values = np.asarray(rng.normal(size=(6, 3)), order=order)
    np.save(tmp_path / "a.npy", values)
    stored = stored_npy(str(tmp_path / "a.npy"))
    assert (stored.shape, stored.dtype) == ((6, 3), np.float64)
    assert is_mapped(stored.read())
    np.testing.assert_array_equal(stored.read(), values)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("save", "mapped"), [(np.savez, True), (np.savez_compressed, False)])
def test_members_are_mapped_where_they_are_not_compressed(tmp_path, rng, save, mapped, order):
    path = str(tmp_path / "a.npz")
    arrays = {
        "odd": np.array(["a", "bcd"]),
        "x": np.asarray(rng.normal(size=(6, 3)), order=order),
        "n": np.arange(3),
    }
    save(path, **arrays)
    members = npz_members(path)
    assert members.keys() == arrays.keys()
    for name, expected in arrays.items():
        stored = stored_npz_member(path, members[name])
        assert (stored.shape, stored.dtype) == (expected.shape, expected.dtype)
        assert is_mapped(stored.read()) == mapped
        np.testing.assert_array_equal(stored.read(), expected)


def test_arrays_without_values_are_read(tmp_path):
    np.save(tmp_path / "a.npy", np.empty((0, 3)))
    assert stored_npy(str(tmp_path / "a.npy")).read().shape == (0, 3)


def test_arrays_with_named_fields_of_the_third_version_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    with pytest.warns(UserWarning, match="format 3.0"):
        np.save(path, np.zeros(2, [("é😀", "f4")]))
    with pytest.raises(BagFileError, match=r"version .3, 0."):
        stored_npy(str(path))


def test_a_zip_directory_that_does_not_fit_the_content_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(5.0))
    member = npz_members(str(path))["x"]
    stored = stored_npz_member(str(path), member)
    content = bytearray(path.read_bytes())
    content[:4] = b"none"
    path.write_bytes(content)
    with pytest.raises(BagFileError, match="zip directory does not fit"):
        stored.read()


def test_an_encrypted_member_is_refused(tmp_path):
    member = zipfile.ZipInfo("x.npy")
    member.flag_bits = 1
    with pytest.raises(BagFileError, match=r"'x.npy' is encrypted"):
        stored_npz_member(str(tmp_path), member)
