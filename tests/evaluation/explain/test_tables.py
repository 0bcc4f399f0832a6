import numpy as np
import pandas as pd
import pytest
import torch

from sksurv_tta.bags import Bag
from sksurv_tta.evaluation.explain import tables

MIXED = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.1]], dtype=np.float32)
WEIGHTS = {"softmax": MIXED, "mixed": MIXED, "transported": MIXED / 2}


def test_an_instance_has_its_place_and_its_first_prototype():
    bag = Bag(np.zeros((2, 4), np.float32), np.array([[0, 512], [512, 512]]), patch_size_level0=512)
    table = tables.instance_table("P", "wsi", bag, WEIGHTS, np.array([0.5, -0.5]))
    assert tuple(table.columns) == tables.INSTANCE_COLUMNS
    assert table[["x", "y", "patch_size"]].to_numpy().tolist() == [[0, 512, 512], [512, 512, 512]]
    assert table["prototype"].tolist() == [1, 0]
    np.testing.assert_allclose(table["confidence"], [0.6, 0.5])
    np.testing.assert_allclose(table["transported"], [0.5, 0.4])
    assert table["contribution"].tolist() == [0.5, -0.5]


def test_what_is_not_known_is_missing():
    bag = Bag(np.zeros((2, 4), np.float32))
    without = {kind: values for kind, values in WEIGHTS.items() if kind != "transported"}
    table = tables.instance_table("P", "wsi", bag, without, None)
    assert table[["x", "y", "patch_size", "transported", "contribution"]].isna().all(axis=None)


def test_pairs_are_ranked_by_their_mixed_weight():
    table = tables.assignment_table("P", "genes", ["A", "B"], WEIGHTS)
    assert tuple(table.columns) == tables.ASSIGNMENT_COLUMNS
    assert table["token"].tolist() == ["A"] * 3 + ["B"] * 3
    assert table["rank"].tolist() == [3, 1, 2, 1, 2, 3]
    np.testing.assert_array_equal(table["mixed"], MIXED.ravel())


def test_usage_counts_first_prototypes_and_means():
    usage = tables.usage_table("P", {"genes": WEIGHTS})
    assert usage["share"].tolist() == [0.5, 0.5, 0.0]
    np.testing.assert_allclose(usage["mixed"], [0.3, 0.4, 0.2])
    np.testing.assert_allclose(usage["transported"], [0.15, 0.2, 0.1])


def test_a_cohort_uses_prototypes_as_its_patients_on_average():
    usage = pd.concat([tables.usage_table(p, {"genes": WEIGHTS}) for p in "PQ"])
    usage.loc[usage["patient"] == "Q", "share"] = [1.0, 0.0, 0.0]
    mean = tables.cohort_usage(usage)
    assert mean["n_patients"].tolist() == [2, 2, 2]
    np.testing.assert_allclose(mean["share"], [0.75, 0.25, 0.0])
    np.testing.assert_allclose(mean["share_sd"], [np.sqrt(0.125), np.sqrt(0.125), 0.0])


def test_distances_are_angles_to_every_anchor():
    anchors = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    before = torch.tensor([[[1.0, 0.0]], [[torch.nan, torch.nan]]])
    after = torch.tensor([[[0.0, -5.0]], [[torch.nan, torch.nan]]])
    table = tables.anchor_table("P", ["wsi", "genes"], anchors, before, after)
    assert table[["modality", "anchor"]].to_numpy().tolist() == [["wsi", "wsi"], ["wsi", "genes"]]
    assert table["before"].tolist() == pytest.approx([0, 1])
    assert table["after"].tolist() == pytest.approx([1, 2])
    assert not len(tables.anchor_table("P", ["wsi", "genes"], None, before, after))
