import numpy as np
import pytest

from sksurv_tta.evaluation import prototypes_in_plane, tokens_in_plane


@pytest.fixture(scope="module")
def clusters():
    """Two bundles of directions in 6 dimensions, 8 vectors each."""
    random = np.random.default_rng(0)
    centres = np.repeat(np.eye(6)[:2] * 5, 8, axis=0)
    return centres + random.normal(size=(16, 6)) * 0.2


def test_prototypes_of_one_direction_lie_together(clusters):
    table = prototypes_in_plane(clusters[None] * np.arange(1, 17)[None, :, None])
    assert table[["bank", "prototype"]].to_numpy().tolist() == [[0, k] for k in range(16)]
    points = table[["x", "y"]].to_numpy()
    within = np.linalg.norm(points[:8] - points[:8].mean(axis=0), axis=1).max()
    assert np.linalg.norm(points[:8].mean(axis=0) - points[8:].mean(axis=0)) > 2 * within


def test_the_same_vectors_have_the_same_plane(clusters):
    first, second = (prototypes_in_plane(clusters[None]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("n_prototypes", [1, 2, 3, 5])
def test_few_prototypes_have_a_place_too(clusters, n_prototypes):
    table = prototypes_in_plane(clusters[None, :n_prototypes])
    assert np.isfinite(table[["x", "y"]]).all(axis=None)
    assert len(table.drop_duplicates(["x", "y"])) == n_prototypes


def test_equal_vectors_do_no_harm():
    assert np.isfinite(prototypes_in_plane(np.ones((1, 6, 4)))).all(axis=None)


def test_tokens_of_both_stages_are_the_same_and_gaps_are_left_out(clusters):
    before = clusters.reshape(4, 2, 2, 6).copy()
    before[1, 0] = np.nan
    after = before * -1
    table = tokens_in_plane(before, after, ["wsi", "genes"])
    stages = [
        rows.drop(columns=["stage", "x", "y"]).to_numpy().tolist() for _, rows in table.groupby("stage")
    ]
    assert stages[0] == stages[1]
    assert len(stages[0]) == 14
    assert [1, "wsi", 0] not in stages[0]
    assert len(tokens_in_plane(before, after, ["wsi", "genes"], max_tokens=5)) == 10
