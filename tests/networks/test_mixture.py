"""One step of the mixture, instance by instance."""

import pytest
import torch

from sksurv_tta.networks.mixture import mixture_step


@pytest.mark.parametrize("strength", [1.0, 7.5])
def test_step_is_that_of_loops(strength):
    generator = torch.Generator().manual_seed(0)
    points, centres = (torch.randn(n, 2, dtype=torch.float64, generator=generator) for n in (6, 3))
    weights, means, variances = mixture_step(points, centres, strength)
    q = torch.zeros(6, 3, dtype=torch.float64)
    for n, point in enumerate(points):
        density = torch.stack([torch.exp(-(point - m).square().sum() / 2) for m in centres])
        q[n] = density / density.sum()
    for k, centre in enumerate(centres):
        s = q[:, k].sum()
        mean = (sum(q[n, k] * points[n] for n in range(6)) + strength * centre) / (s + strength)
        square = sum(q[n, k] * points[n] ** 2 for n in range(6)) + strength * (1 + centre**2)
        assert weights[k].item() == pytest.approx(((s + strength) / (6 + 3 * strength)).item())
        torch.testing.assert_close(means[k], mean)
        torch.testing.assert_close(variances[k], square / (s + strength) - mean**2)


def test_a_bag_far_from_zero_keeps_positive_variances():
    points = 1000 + torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    weights, _, variances = mixture_step(points, points[:2], 1.0)
    assert (variances > 0).all()
    assert weights.sum().item() == pytest.approx(1)
    assert weights.dtype == torch.float32
