import pytest
import torch

from sksurv_tta.networks import drawing_from
from sksurv_tta.networks.bottleneck import PrototypicalBottleneck


@pytest.fixture
def bottleneck():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PrototypicalBottleneck(
            3, hidden_dim=5, token_dim=4, n_classes=4, share=0.5, n_draws=6, dropout=0.0
        )


SIMILARITIES = torch.tensor(
    [[0.9, 0.8, 0.1, -0.4], [0.2, 0.7, 0.3, -0.3], [0.0, 0.1, 0.2, -0.2], [-0.1, 0.0, -0.5, -0.1]]
)


def test_number_of_parameters_is_that_of_its_layers(bottleneck):
    expected = (3 * 5 + 5) + (5 * 5 + 5) + (5 * 4 + 4) + 2 * 4 * 4
    assert sum(p.numel() for p in bottleneck.parameters()) == expected


def test_the_loss_sets_the_most_similar_tokens_against_those_of_other_proxies(bottleneck):
    # Half of four tokens: the means of the two highest of each column.
    highest = [0.55, 0.75, 0.25, -0.15]
    for own in range(4):
        others = sum(value for number, value in enumerate(highest) if number != own) / 3
        got = bottleneck.loss(SIMILARITIES, torch.tensor(own)).item()
        assert got == pytest.approx(others - highest[own], abs=1e-6)


def test_tokens_are_kept_by_their_largest_similarities_and_may_be_kept_twice(bottleneck):
    tokens = torch.arange(16.0).view(4, 4)
    kept, likely = bottleneck.keep(tokens, SIMILARITIES)
    torch.testing.assert_close(kept, tokens[[0, 0]])  # 0.9 and 0.8
    assert likely.item() == 0  # as often as proxy 1: the first of them
    bottleneck.share = 0.75
    kept, likely = bottleneck.keep(tokens, SIMILARITIES)
    torch.testing.assert_close(kept, tokens[[0, 0, 1]])
    assert likely.item() == 1


def test_at_least_one_token_is_kept(bottleneck):
    assert [bottleneck.n_kept(n) for n in (1, 2, 3, 4, 10)] == [1, 1, 1, 2, 5]


def test_proxies_are_drawn_while_training_only(bottleneck):
    def represent(seed):
        with drawing_from(torch.Generator().manual_seed(seed)):
            return bottleneck.represent_proxies()

    assert torch.equal(bottleneck.eval().represent_proxies(), bottleneck.proxy_means)
    bottleneck.train()
    assert torch.equal(represent(0), represent(0))
    assert not torch.equal(represent(0), represent(1))


def test_tokens_and_proxies_are_compared_by_their_angle(bottleneck):
    proxies = bottleneck.proxy_means.detach()
    torch.testing.assert_close(bottleneck.compare(3 * proxies, proxies).diagonal(), torch.ones(4))
