"""Texts of HDF5 attributes: what the library reads is read here too, and damage ends in an error."""

import h5py
import numpy as np
import pytest

from sksurv_tta.bags import read_header
from sksurv_tta.bags.hdf5_attributes import read_text
from sksurv_tta.exceptions import BagFileError

TEXTS = {"encoder": "some encoder ü", "empty": "", "long": "x" * 5000, "last": "end"}


@pytest.fixture(params=[{}, {"libver": "latest"}, {"userblock_size": 512}, {"track_order": True}], ids=str)
def path(request, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", **request.param) as file:
        dataset = file.create_dataset("features", data=np.ones((3, 4)))
        dataset.attrs["number"] = 5
        dataset.attrs.update(TEXTS)
    return tmp_path / "a.h5"


def texts(path):
    with h5py.File(path) as file, open(path, "rb") as content:
        address = h5py.h5o.get_info(file["features"].id).addr
        return {
            name: read_text(content, address, name, base=file.userblock_size) for name in (*TEXTS, "none")
        }


def test_texts_are_those_that_the_library_reads(path):
    with h5py.File(path) as file:
        expected = dict(file["features"].attrs)
    found = texts(path)
    assert found.pop("none") is None
    assert found == {name: expected[name] for name in TEXTS}
    assert read_header(path).encoder == TEXTS["encoder"]


@pytest.mark.parametrize("hole", [16, 4096])
def test_a_heap_of_zeros_is_refused_and_not_walked_for_ever(path, hole):
    content = bytearray(path.read_bytes())
    start = content.index(b"GCOL") + (16 if hole == 16 else 0)
    content[start : start + hole] = bytes(hole)
    path.write_bytes(content)
    with pytest.raises(BagFileError, match=r"a\.h5: cannot be read .*heap of its texts is damaged"):
        read_header(path)


def test_headers_that_lead_out_of_the_file_are_refused(path):
    for address, message in ((10**12, "outside the file"), (0, "unknown version")):
        with open(path, "rb") as content, pytest.raises(ValueError, match=message):
            read_text(content, address, "encoder")
