import pytest
import torch

from sksurv_tta.networks.clusters import far_apart, k_means


def blobs(n_each=20, seed=0):
    """Three heaps of points, 10 apart."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    truth = torch.arange(3).repeat_interleave(n_each)
    return centres, truth, centres[truth] + torch.randn(3 * n_each, 2, generator=generator)


def test_heaps_are_found():
    centres, truth, points = blobs()
    found, labels = k_means(points, far_apart(points, 3))
    assert torch.cdist(found, centres).amin(dim=1).max() < 1
    assert len({(a, b) for a, b in zip(truth.tolist(), labels.tolist(), strict=True)}) == 3


def test_centres_are_the_means_of_their_points_once_nothing_changes():
    _, _, points = blobs()
    centres, labels = k_means(points, far_apart(points, 4), n_iterations=100)
    for cluster in labels.unique():
        torch.testing.assert_close(centres[cluster], points[labels == cluster].mean(dim=0))
    torch.testing.assert_close(torch.cdist(points, centres).argmin(dim=1), labels)


def test_the_order_of_points_does_not_matter():
    _, _, points = blobs()
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(1))
    first, labels = k_means(points, far_apart(points, 5))
    second, shuffled = k_means(points[order], far_apart(points[order], 5))
    torch.testing.assert_close(first, second)
    assert torch.equal(labels[order], shuffled)


@pytest.mark.parametrize(("n_points", "n_wanted"), [(1, 5), (3, 5), (5, 1)])
def test_fewer_points_than_clusters(n_points, n_wanted):
    points = blobs()[2][:n_points]
    start = far_apart(points, n_wanted)
    assert len(start) == min(n_points, n_wanted)
    centres, labels = k_means(points, start)
    assert centres.isfinite().all()
    assert labels.max() < len(start)


def test_a_cluster_without_points_stays_where_it_was():
    points = torch.zeros(4, 2)
    centres, labels = k_means(points, torch.tensor([[0.0, 0.0], [5.0, 5.0]]))
    assert centres[1].tolist() == [5.0, 5.0]
    assert not labels.any()
