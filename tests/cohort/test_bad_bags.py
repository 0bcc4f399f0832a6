"""Bags that cannot be used become missing cells when asked for, and each is told with its reason."""

import h5py
import numpy as np
import pandas as pd
import pytest

from sksurv_tta.bags import Bag, BagArray, inspection, write_checksums, write_store
from sksurv_tta.bags.inspection import inspect_bags
from sksurv_tta.exceptions import CohortError, CohortWarning

from .conftest import PATIENTS, write_slide

DROP = {"missing": "allow", "on_bad_bag": "drop"}


def write_features(path, features, encoder=None):
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("features", data=features)
        if encoder is not None:
            dataset.attrs["encoder"] = encoder


def spoil(study, patient, value=np.nan):
    """Plant one value in the bag of a patient."""
    with h5py.File(study.bags / f"{patient}.h5", "r+") as file:
        file["features"][1, 2] = value


def cut(study, patient):
    path = study.bags / f"{patient}.h5"
    path.write_bytes(path.read_bytes()[:900])


def assert_only_changed(cohort, whole, dropped):
    """Everything is as in the sound cohort but for the missing bags."""
    assert cohort.X["wsi"].isna().tolist() == [patient in dropped for patient in PATIENTS]
    pd.testing.assert_frame_equal(cohort.X.drop(columns="wsi"), whole.X.drop(columns="wsi"))
    pd.testing.assert_frame_equal(cohort.table, whole.table)
    np.testing.assert_array_equal(cohort.y, whole.y)
    np.testing.assert_array_equal(cohort.site, whole.site)
    for patient, bag in cohort.X["wsi"].items():
        if patient not in dropped:
            np.testing.assert_array_equal(bag.features, whole.X.loc[patient, "wsi"].features)


def test_bags_of_every_kind_of_fault_are_dropped_with_one_warning(study):
    whole = study.read(site="hospital")
    spoil(study, "A-01")
    spoil(study, "B-01", np.inf)
    cut(study, "C-02")
    write_slide(study.bags, "B-02", n_features=5)
    with pytest.warns(CohortWarning) as caught:
        cohort = study.read(site="hospital", **DROP)
    (message,) = [str(warning.message) for warning in caught]
    first, *lines = message.split("\n")
    assert first == "4 of 6 bags cannot be used and are set to missing:"
    assert [line.split(":")[0].strip() for line in lines] == ["A-01", "B-01", "B-02", "C-02"]
    for line, reason in zip(
        lines,
        ["1 values in 1", "1 values in 1", "5 features per instance, but 4 of 5", "damaged"],
        strict=True,
    ):
        assert f"{line.split(':')[0].strip()}.h5" in line
        assert reason in line
    assert_only_changed(cohort, whole, {"A-01", "B-01", "B-02", "C-02"})
    assert cohort.summary()["bags that cannot be used"] == 4


def test_missing_decides_on_the_patients(study):
    spoil(study, "A-02")
    with pytest.warns(CohortWarning) as caught:
        cohort = study.read(missing="drop", on_bad_bag="drop")
    assert cohort.ids.tolist() == ["A-01", *PATIENTS[2:]]
    assert ["set to missing" in str(caught[0].message), "left out" in str(caught[1].message)] == [True, True]
    with pytest.raises(CohortError, match=r"(?s)1 of 6 bags .*A-02: .*A-02\.h5.*1 of 6 patients have no sl"):
        study.read(on_bad_bag="drop")
    with pytest.warns(CohortWarning) as caught:
        assert len(study.read(expression=None, **DROP)) == 5
    assert "left out (without slides): A-02" in str(caught[1].message)


def test_without_a_bad_bag_nothing_is_said_and_nothing_changes(study):
    cohort, whole = study.read(on_bad_bag="drop"), study.read()
    pd.testing.assert_frame_equal(cohort.X, whole.X)
    assert cohort.left_aside == whole.left_aside


def test_by_default_damaged_files_are_refused_and_values_left_to_the_fit(study):
    spoil(study, "A-01")
    assert not study.read().X["wsi"].isna().any()
    cut(study, "B-01")
    with pytest.raises(CohortError, match=r"B-01\.h5"):
        study.read(missing="allow")
    with pytest.raises(CohortError, match=r"on_bad_bag must be one of 'raise', 'drop', got 'keep'"):
        study.read(on_bad_bag="keep")


def test_widths_without_a_majority_are_refused(study):
    for patient in PATIENTS[:3]:
        write_slide(study.bags, patient, n_features=5)
    with pytest.raises(CohortError, match="3 with 5 features, 3 with 3 f"):
        study.read(**DROP)


def test_a_bag_by_another_encoder_than_most_is_dropped(study):
    for number, patient in enumerate(PATIENTS):
        features = np.random.default_rng(number).normal(size=(3, 3)).astype("f4")
        write_features(study.bags / f"{patient}.h5", features, "conch" if patient == "C-01" else "uni")
    with pytest.warns(CohortWarning, match=r"C-01\.h5: was made by conch, but 5 of 6 bags by uni"):
        cohort = study.read(**DROP)
    assert cohort.X.index[cohort.X["wsi"].isna()].tolist() == ["C-01"]
    for patient in PATIENTS[:2]:
        write_features(study.bags / f"{patient}.h5", np.full((3, 3), len(patient), "f4"), "conch")
    (study.bags / "A-01.h5").unlink()
    write_features(study.bags / "A-01.h5", np.eye(3, dtype="f4"), "conch")
    with pytest.raises(CohortError, match="different encoders made them"):
        study.read(**DROP)


def test_one_bad_slide_of_several_is_enough(study):
    write_slide(study.bags, "A-01b")
    spoil(study, "A-01b", -np.inf)
    study.clinical["slide_ids"] = ["A-01;A-01b", *PATIENTS[1:]]
    with pytest.warns(CohortWarning, match=r"A-01: .*A-01b\.h5 \(rows 1\)"):
        assert study.read(**DROP).X["wsi"].isna().tolist() == [True] + [False] * 5


def test_what_leaks_or_leads_out_is_refused_all_the_same(study):
    (study.bags / "B-02.h5").write_bytes((study.bags / "A-01.h5").read_bytes())
    with pytest.raises(CohortError, match="same content"):
        study.read(**DROP)


def test_bags_of_a_store_and_of_a_packed_file(study):
    bags = study.read().X["wsi"].array
    write_store(study.folder / "store", PATIENTS, bags, dtype="float32")
    features = np.concatenate([bag.features for bag in bags])
    features[3, 1] = np.nan  # the second row of the second patient
    np.save(study.folder / "store" / "features.npy", features)
    sizes = np.cumsum([0, *bags.n_instances])
    labels = [f"scan-{number}" for number in range(6)]
    np.savez(study.folder / "bags.npz", X=features, case_id=labels, case_ptr=sizes)
    study.clinical["slide_id"] = labels
    for name in ("store", "bags.npz"):
        with pytest.warns(CohortWarning, match=r"A-02: .*1 values in 1 of the 3 rows"):
            assert study.read(bags=study.folder / name, **DROP).X["wsi"].isna().sum() == 1
    with pytest.raises(CohortError, match="has changed since it was written"):  # nobody knows whose rows
        study.read(bags=study.folder / "store", verify="sha256", **DROP)


def test_a_file_that_is_not_the_one_of_the_checksum_is_dropped(study):
    write_checksums(study.bags)
    spoil(study, "B-02", 7.0)
    with pytest.warns(CohortWarning, match=r"B-02: .*B-02\.h5: is not the file whose checksum"):
        assert study.read(verify="sha256", **DROP).X["wsi"].isna().sum() == 1


def test_a_fit_does_not_read_again_what_was_read_here(study, monkeypatch):
    reads = []
    read = Bag.read_raw
    monkeypatch.setattr(Bag, "read_raw", lambda bag: (reads.append(bag), read(bag))[1])
    monkeypatch.setattr(inspection, "_inspected", set())
    spoil(study, "A-01")
    with pytest.warns(CohortWarning, match="A-01"):
        cohort = study.read(**DROP)
    assert len(reads) == 6
    inspect_bags([cohort.X["wsi"].array], cohort.ids)
    inspect_bags([BagArray(cohort.X["wsi"])], cohort.ids)
    assert len(reads) == 6


def test_one_value_in_a_large_array(study):
    large = np.random.default_rng(0).normal(size=(4000, 256)).astype("f4")
    for number, patient in enumerate(PATIENTS):
        write_features(study.bags / f"{patient}.h5", large[number : 400 + number])
    large[3210, 99] = np.nan
    write_features(study.bags / "B-01.h5", large)
    with pytest.warns(CohortWarning, match=r"B-01: .*1 values in 1 of the 4000 rows .* \(rows 3210\)"):
        assert study.read(**DROP).X["wsi"].isna().tolist() == [patient == "B-01" for patient in PATIENTS]
