import numpy as np
import pytest

from sksurv_tta.bags import read_bag_folder
from sksurv_tta.exceptions import BagFileError


@pytest.fixture
def touch(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"1")
        return tmp_path

    return make


def test_feature_files_are_found_by_slide_in_order(touch):
    folder = touch("b.h5", "a.svs.h5", "c.pt", "d.npy", "e.npz", "f.hdf5", "notes.txt", "._a.h5", "sub/g.h5")
    files = read_bag_folder(folder)
    assert list(files) == ["a", "b", "c", "d", "e", "f"]
    assert files["a"] == folder / "a.svs.h5"


def test_a_clam_folder_stands_for_its_hdf5_files(touch):
    folder = touch("h5_files/a.h5", "pt_files/a.pt", "pt_files/b.pt")
    assert read_bag_folder(folder) == {"a": folder / "h5_files" / "a.h5"}
    (folder / "h5_files" / "a.h5").unlink()
    assert list(read_bag_folder(folder)) == ["a", "b"]


def test_two_files_of_one_slide_are_an_error_that_says_so(touch):
    folder = touch("a.h5", "a.pt", "b.h5")
    with pytest.raises(
        BagFileError, match=r"1 slides have more than one file: a \(a.h5, a.pt\)\. Remove one"
    ):
        read_bag_folder(folder)
    assert list(read_bag_folder(folder, pattern="*.h5")) == ["a", "b"]


def test_a_pattern_may_search_subfolders(touch):
    folder = touch("x/a.h5", "y/b.h5", "y/c.txt")
    assert list(read_bag_folder(folder, pattern="**/*")) == ["a", "b"]


def test_a_folder_without_feature_files_is_refused_with_what_is_there(touch, tmp_path):
    with pytest.raises(BagFileError, match=r"holds no feature files .* it holds: nothing"):
        read_bag_folder(tmp_path)
    with pytest.raises(BagFileError, match=r"it holds: a.csv, b.csv\."):
        read_bag_folder(touch("a.csv", "b.csv"))
    with pytest.raises(BagFileError, match="is not a folder"):
        read_bag_folder(tmp_path / "a.csv")


def test_what_is_found_can_be_read(write_hdf5):
    path = write_hdf5("features/a.h5", np.ones((2, 3), "f4"))
    from sksurv_tta.bags import BagArray

    files = read_bag_folder(path.parent)
    assert BagArray.from_files(files.values()).n_instances.tolist() == [2]


def test_a_folder_above_the_features_leads_to_them(tmp_path, write_hdf5):
    for place in ("20x/patches/a_patches.h5", "20x/features_uni/a.h5", "20x/features_uni/b.h5"):
        write_hdf5(f"job/{place}", np.ones((2, 3), "f4"))
    with pytest.raises(BagFileError, match=r"folders below it do: \S+features_uni, \S+patches\. Pass"):
        read_bag_folder(tmp_path / "job")
