"""Checksums beside feature files and inside archives: what was changed is not read."""

import hashlib
import shutil
import subprocess
import zipfile

import numpy as np
import pytest
import torch

from sksurv_tta.bags import BagArray, checksums, read_bag, read_checksums, read_packed, write_checksums
from sksurv_tta.exceptions import BagFileError

SUM = "0" * 64


@pytest.fixture
def folder(tmp_path, write_hdf5, features, grid):
    write_hdf5("slides/a.h5", features, grid)
    write_hdf5("slides/b.h5", features * 2, grid)
    write_checksums(tmp_path / "slides")
    return tmp_path / "slides"


def flip(path, place=-3):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def column(folder, **options):
    return BagArray.from_files([folder / "a.h5", folder / "b.h5"], ids=["P1", "P2"], **options)


def test_the_list_is_that_of_the_usual_tool(folder):
    assert read_checksums(folder) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.h5")
    }
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
        made = subprocess.run(["sha256sum", "-b", "a.h5"], cwd=folder, check=True, capture_output=True)
        (folder / "SHA256SUMS").write_bytes(made.stdout)
        assert set(read_checksums(folder)) == {"a.h5"}


def test_sound_files_are_read(folder, features):
    bags = column(folder, verify="sha256")
    np.testing.assert_array_equal(bags[0].read(), features)


def test_a_flipped_bit_is_silent_without_the_list_and_refused_with_it(folder, features):
    good = (folder / "a.h5").read_bytes()
    place = good.index(features.tobytes()) + 5
    flip(folder / "a.h5", place)
    assert not np.array_equal(column(folder)[0].read(), features)
    with pytest.raises(BagFileError, match=r"patient P1: .*a\.h5: is not the file whose checksum stands"):
        column(folder, verify="sha256")


def test_a_file_that_changes_after_the_bags_were_made_is_refused_when_read(folder, features):
    bags = column(folder, verify="sha256")
    bags[0].read()
    flip(folder / "a.h5", (folder / "a.h5").read_bytes().index(features.tobytes()) + 5)
    for read in (bags[0].read, lambda: bags[0].coordinates):
        with pytest.raises(BagFileError, match=r"patient P1: .*a\.h5: is not the file"):
            read()
    bags[1].read()


def test_a_file_is_read_for_its_checksum_once(folder, monkeypatch):
    seen = []
    original = checksums._sha256
    monkeypatch.setattr(checksums, "_sha256", lambda path: (seen.append(path), original(path))[1])
    bags = column(folder, verify="sha256")
    for _ in range(3):
        bags[0].read()
        assert bags[0].coordinates is not None
    assert len(seen) == 2


def test_all_files_that_are_not_listed_are_named(folder):
    (folder / "SHA256SUMS").write_text("")
    with pytest.raises(BagFileError, match="is empty"):
        column(folder, verify="sha256")
    (folder / "SHA256SUMS").write_text(f"{SUM}  other.h5\n")
    with pytest.raises(
        BagFileError, match=r"2 of 2 patients[\s\S]*P1: .*a\.h5: is not in SHA256SUMS[\s\S]*P2"
    ):
        column(folder, verify="sha256")
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(BagFileError, match=r"Make it once, from files you trust: .*write_checksums"):
        column(folder, verify="sha256")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SUM} a.h5\n", "line 1 is not a SHA-256 checksum"),
        (f"{SUM}  a.h5\n{SUM[1:]}  b.h5\n", "line 2 is not a SHA-256 checksum"),
        (f"{SUM}  ../a.h5\n", "line 1 names a file of another folder"),
        (f"{SUM}  /etc/passwd\n", "line 1 names a file of another folder"),
        (f"\n{SUM}  a.h5\n{SUM}  a.h5\n", "line 3 names 'a.h5' a second time"),
    ],
)
def test_lists_that_cannot_be_used_are_refused_by_line(folder, text, message):
    (folder / "SHA256SUMS").write_text(text)
    with pytest.raises(BagFileError, match=message):
        read_checksums(folder)


def test_a_list_of_bytes_or_of_absurd_size_is_refused(folder, monkeypatch):
    (folder / "SHA256SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(BagFileError, match="SHA256SUMS: cannot be read"):
        read_checksums(folder)
    monkeypatch.setattr(checksums, "MAX_LIST_BYTES", 10)
    (folder / "SHA256SUMS").write_text(f"{SUM}  a.h5\n")
    with pytest.raises(BagFileError, match="larger than 10 bytes"):
        read_checksums(folder)


def test_only_files_of_the_folder_are_listed(folder, tmp_path):
    with pytest.raises(BagFileError, match="give plain names of that folder"):
        write_checksums(tmp_path, [folder / "a.h5"])
    with pytest.raises(BagFileError, match="no such file"):
        write_checksums(folder, [folder / "z.h5"])
    assert len(read_checksums(folder)) == 2


def test_a_failing_write_keeps_the_earlier_list(folder, monkeypatch):
    before = (folder / "SHA256SUMS").read_bytes()
    monkeypatch.setattr(checksums.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        write_checksums(folder)
    assert (folder / "SHA256SUMS").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "a.h5", "b.h5"]


def test_an_unknown_way_to_verify_is_refused(folder):
    with pytest.raises(ValueError, match=r'must be "size" or "sha256", not .md5.'):
        column(folder, verify="md5")


# What archives carry themselves


def npz(path, features):
    np.savez(path, features=features)


def pt(path, features):
    torch.save(torch.from_numpy(features), path)  # noqa: TID251 - users have such files


@pytest.mark.parametrize(("name", "save"), [("a.npz", npz), ("a.pt", pt)])
def test_a_flipped_bit_in_a_mapped_member_is_refused(tmp_path, features, name, save):
    path = tmp_path / name
    save(path, features)
    assert all(info.compress_type == zipfile.ZIP_STORED for info in zipfile.ZipFile(path).infolist())
    np.testing.assert_array_equal(read_bag(path).read(), features)
    flip(path, path.read_bytes().index(features.tobytes()) + 6)
    with pytest.raises(BagFileError, match=rf"{name}: cannot be read \(BadZipFile: Bad CRC-32"):
        read_bag(path).read()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_packed_file_is_compared_when_asked(tmp_path, features, save):
    path = tmp_path / "packed.npz"
    save(path, X=features, case_id=np.array(["A", "B"]), case_ptr=np.array([0, 5, 12]))
    write_checksums(tmp_path)
    ids, bags = read_packed(path, verify="sha256")
    assert ids == ["A", "B"]
    np.testing.assert_array_equal(bags[1].read(), features[5:])
    flip(path, len(path.read_bytes()) // 3)
    with pytest.raises(BagFileError, match="is not the file whose checksum"):
        read_packed(path, verify="sha256")
