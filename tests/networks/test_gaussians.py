import pytest
import torch
from torch.distributions import Normal, kl_divergence

from sksurv_tta.networks import drawing_from
from sksurv_tta.networks.gaussians import Gaussian, product_of_experts


def made(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    return Gaussian(mean, log_variance)


def density(gaussian):
    return Normal(gaussian.mean, (gaussian.log_variance / 2).exp())


def test_the_product_has_the_density_of_the_product():
    first, second = made(0, 4, 3), made(1, 4, 3)
    weights = torch.tensor([0.3, 1.7], dtype=torch.float64)
    joint = density(product_of_experts([first, second], weights))
    # Log densities differ by a constant of the dimension: compare their differences between points.
    at, origin = torch.linspace(-2, 2, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    expected = sum(
        weight * (density(own).log_prob(at) - density(own).log_prob(origin))
        for weight, own in zip(weights, (first, second), strict=True)
    )
    torch.testing.assert_close(joint.log_prob(at) - joint.log_prob(origin), expected)


def test_without_weights_every_expert_counts_once():
    first, second = made(0, 2, 3), made(1, 2, 3)
    weighted = product_of_experts([first, second], torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(product_of_experts([first, second]), weighted)


def test_a_vague_expert_changes_nothing():
    one = made(0, 5)
    vague = Gaussian(one.mean + 3, torch.full_like(one.mean, 60.0))
    torch.testing.assert_close(product_of_experts([one, vague]), one)


def test_divergence_is_that_of_torch_and_zero_for_the_standard():
    own = made(2, 4, 3)
    standard = Gaussian.standard_like(own.mean)
    torch.testing.assert_close(
        own.divergence_from_standard(), kl_divergence(density(own), density(standard)).sum(dim=1)
    )
    assert not standard.divergence_from_standard().any()


def test_wasserstein_distance_adds_means_and_standard_deviations():
    first = Gaussian(torch.tensor([1.0, 2.0]), torch.tensor([4.0, 9.0]).log())
    second = Gaussian(torch.tensor([4.0, 2.0]), torch.tensor([1.0, 1.0]).log())
    assert first.squared_wasserstein(second).item() == pytest.approx(9 + 1 + 4)
    assert first.squared_wasserstein(first).item() == 0


def test_draws_come_from_the_generator_in_force_with_the_right_moments():
    wide = Gaussian(torch.full((20_000,), 2.0), torch.full((20_000,), 9.0).log())

    def draw(seed, n_draws=1):
        with drawing_from(torch.Generator().manual_seed(seed)):
            return wide.draw(n_draws)

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    assert draw(0).mean().item() == pytest.approx(2, abs=0.1)
    assert draw(0).std().item() == pytest.approx(3, rel=0.03)
    assert draw(0, 25).std().item() == pytest.approx(3 / 5, rel=0.03)
