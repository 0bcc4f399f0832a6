"""All bags are looked at before training, and every patient with an unusable one is named."""

import shutil

import numpy as np
import pytest

from sksurv_tta.bags import Bag, BagArray, inspection
from sksurv_tta.bags.inspection import find_copies, inspect_bags
from sksurv_tta.exceptions import BagFileError, CohortWarning

NAMES = ["P1", "P2", "P3", "P4"]


def with_nan(features):
    spoilt = features.copy()
    spoilt[3, 1] = np.nan
    return spoilt


def test_all_patients_with_unusable_bags_are_named_at_once(features):
    good, bad = Bag(features), Bag(with_nan(features))
    with pytest.raises(BagFileError, match=r"2 of 4 patients[\s\S]*P2: 1 values in 1 of[\s\S]*P4") as caught:
        inspect_bags([[good, bad, None, bad]], NAMES)
    assert caught.value.patient_ids == ("P2", "P4")
    with pytest.raises(BagFileError, match=r"patient P1: 1 values.*\(rows 3\)"):
        inspect_bags([[good, good, None, good], [bad, None, None, None]], NAMES)


def test_files_that_vanished_since_are_named(write_hdf5, features):
    paths = [write_hdf5(f"{name}.h5", features + number) for number, name in enumerate(NAMES)]
    bags = BagArray.from_files(paths, ids=NAMES)
    for path in paths[1:3]:
        path.unlink()
    with pytest.raises(BagFileError, match=r"P2: .*no such file[\s\S]*P3: .*no such file"):
        inspect_bags([bags], NAMES)


def test_values_too_large_for_training_are_named(features):
    huge = features.astype(np.float64)
    huge[2, 0] = 1e39
    with pytest.raises(BagFileError, match=r"patient P2: 1 values.*too large for float32.*rows 2"):
        inspect_bags([[Bag(features), Bag(huge)]], ["P1", "P2"])


def test_bags_without_names_are_called_by_their_rows(features):
    column = BagArray([Bag(features), None, Bag(with_nan(features))])
    with pytest.raises(BagFileError, match="patient row 2: 1 values"):
        column.check_finite()


def test_constant_bags_are_named_and_kept(features):
    same, zero, one = np.ones((5, 4), "f4"), np.zeros((2, 4), "f4"), features[:1]
    nearly = same.copy()
    nearly[3, 2] = 2
    with pytest.warns(CohortWarning, match=r"2 of 4 patients hold .* all equal: P1, P2\."):
        inspect_bags([[Bag(same), Bag(zero), Bag(one), Bag(nearly)]], NAMES)


def test_files_are_read_once_and_again_when_they_change(write_hdf5, features, monkeypatch):
    path = write_hdf5("a.h5", features)
    reads = []
    read = Bag.read_raw
    monkeypatch.setattr(Bag, "read_raw", lambda bag: (reads.append(bag), read(bag))[1])
    monkeypatch.setattr(inspection, "_inspected", set())
    for _ in range(3):
        inspect_bags([BagArray.from_files([path], ids=["P1"])], ["P1"])
    assert len(reads) == 1
    write_hdf5("a.h5", with_nan(features))
    with pytest.raises(BagFileError, match="P1"):
        inspect_bags([BagArray.from_files([path], ids=["P1"])], ["P1"])
    for _ in range(2):
        inspect_bags([[Bag(features)]], ["P1"])  # in memory: may have changed, and costs little
    assert len(reads) == 4


def test_copies_under_other_names_are_found(write_hdf5, features):
    paths = [str(write_hdf5(f"{number}.h5", features + number)) for number in range(4)]
    owners = dict(zip(paths, NAMES, strict=True))
    assert find_copies(owners) == []  # of one size, but different
    shutil.copy(paths[0], paths[2])
    assert find_copies(owners) == [[paths[0], paths[2]]]
    assert find_copies(owners | {paths[2]: "P1"}) == []  # two slides of one patient


def test_files_that_differ_in_one_byte_are_no_copies(tmp_path):
    content = bytearray(np.random.default_rng(0).bytes(50_000))
    for name in "ab":
        (tmp_path / name).write_bytes(content)
        content[777] ^= 1
    assert find_copies({str(tmp_path / "a"): "P1", str(tmp_path / "b"): "P2"}) == []
