import pytest
import torch

from sksurv_tta.networks.mutual_information import InformationBound


@pytest.fixture
def bound():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return InformationBound(3, 2, 5)


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(4, 3, generator=generator).requires_grad_(),
        torch.randn(4, 2, generator=generator).requires_grad_(),
    )


def test_it_compares_the_likelihood_of_pairs_with_that_of_all_combinations(bound, pairs):
    x, y = pairs
    value, misfit = bound(x, y)
    log_q = [[-0.5 * ((own - bound.guess(row)) ** 2).sum().item() for own in y] for row in x]
    of_pairs = sum(log_q[i][i] for i in range(4)) / 4
    of_all = sum(map(sum, log_q)) / 16
    assert value.item() == pytest.approx(of_pairs - of_all, rel=1e-5)
    assert misfit.item() == pytest.approx(-of_pairs, rel=1e-5)


def test_the_bound_teaches_the_vectors_and_the_misfit_the_guess(bound, pairs):
    value, misfit = bound(*pairs)
    value.backward()
    assert all(values.grad.any() for values in pairs)
    assert all(p.grad is None for p in bound.parameters())
    before = [values.grad.clone() for values in pairs]
    misfit.backward()
    assert all(p.grad.any() for p in bound.parameters())
    assert all(torch.equal(values.grad, old) for values, old in zip(pairs, before, strict=True))


def test_a_single_pair_shares_nothing_that_could_be_seen(bound, pairs):
    x, y = pairs
    assert bound(x[:1], y[:1])[0].item() == 0
