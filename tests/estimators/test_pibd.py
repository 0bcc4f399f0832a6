import numpy as np
import pytest
import torch

from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import PIBDSurvivalEstimator
from sksurv_tta.estimators.pibd import PIBDNetwork
from sksurv_tta.networks import PatientGroup, Ragged, drawing_from

PRESENT = torch.ones(3, 2, dtype=torch.bool)


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = PIBDNetwork(
            4, [(0, 1), (2,), (0, 2)], n_outputs=2, n_time_bins=2, token_dim=8, hidden_dim=6, n_heads=2
        )
        network.edges.fill_(5.0)
        return network


def group(network, outcome=None):
    generator = torch.Generator().manual_seed(1)
    lengths = (6, 4, 2)
    tokens, n_tokens = network.encode_profiles(torch.randn(3, 3, generator=generator))
    bags = (Ragged(torch.randn(12, 4, generator=generator), lengths),)
    return PatientGroup(bags, Ragged(tokens, (n_tokens,) * 3), None, outcome)


def known(time, event):
    return torch.tensor(time, dtype=torch.float64), torch.tensor(event)


def test_number_of_parameters_is_that_of_its_layers():
    with torch.device("meta"):
        network = PIBDNetwork(768, [range(100)] * 50, n_outputs=4)
    tokenizer = 50 * (100 * 256 + 256 + 256 * 256 + 256)
    after_first = (512 * 512 + 512) + (512 * 256 + 256) + 2 * 8 * 256
    bottlenecks = (768 * 512 + 512) + (256 * 512 + 512) + 2 * after_first
    layer = 2 * 512 + (256 * 768 + 768) + 3 * (256 * 256 + 256)
    heads = (768 * 256 + 256) + (256 * 4 + 4) + 2 * (256 * 4 + 4)
    bounds = (256 * 512 + 512) + (512 * 512 + 512) + 2 * (512 * 256 + 256)
    expected = tokenizer + bottlenecks + 2 + layer + heads + bounds
    assert sum(p.numel() for p in network.parameters()) == expected


def test_classes_are_time_bins_of_events_after_those_of_censored_patients(network):
    outcome = known([1.0, 5.0, 7.0], [False, False, True])
    assert network.train()._classes(group(network, outcome)).tolist() == [0, 1, 3]
    assert network._classes(group(network)) is None
    assert network.eval()._classes(group(network, outcome)) is None


def test_the_own_class_decides_in_training_and_the_likely_one_afterwards(network):
    def proxies(outcome):
        with drawing_from(torch.Generator().manual_seed(3)):
            return network.embed(group(network, outcome)).tokens[:, 3:]

    network.train()
    early, late = (proxies(known([time] * 3, [True] * 3)) for time in (1.0, 9.0))
    assert torch.equal(early[0], early[1])  # one draw for a class, whoever is in it
    assert (early != late).all()
    embedding = network.eval().embed(group(network, known([1.0] * 3, [True] * 3)))
    assert not embedding.losses
    means = network.patch_bottleneck.proxy_means
    assert all((means == row).all(dim=1).any() for row in embedding.tokens[:, 3])


def test_the_shared_token_is_between_the_proxies_it_is_made_of(network):
    network.eval()
    with torch.no_grad():
        network.expert_logits.copy_(torch.tensor([0.75, 0.25]).log())
    classes = [torch.tensor(1), torch.tensor(2)]
    # All proxies start with one scale, so that the product is a weighted mean.
    first, second = network.patch_bottleneck.proxy_means[1], network.pathway_bottleneck.proxy_means[2]
    torch.testing.assert_close(network._share(classes)[0], 0.75 * first + 0.25 * second)


def test_outside_training_there_is_the_prediction_alone(network):
    outcome = known([1.0, 5.0, 7.0], [False, False, True])
    output = network.train()(network.embed(group(network, outcome)).tokens, PRESENT)
    assert output.prediction.shape == (3, 3, 2)
    assert set(output.losses) | {"proxy"} == set(network.loss_weights)
    output = network.eval()(network.embed(group(network)).tokens, PRESENT)
    assert output.prediction.shape == (3, 2)
    assert not output.losses


def test_weights_of_the_losses_are_those_asked_for():
    network = PIBDNetwork(2, [(0,)], proxy_weight=2.0, divergence_weight=3.0, information_weight=4.0)
    assert network.loss_weights == {"proxy": 2.0, "divergence": 3.0, "information": 4.0, "misfit": 4.0}


@pytest.mark.parametrize("loss", ["cox", "discrete"])
def test_classes_come_from_the_events_of_the_training_patients(loss):
    cohort = make_cohort(
        20, random_state=0, n_pathways=2, genes_per_pathway=3, n_instances=(2, 4), n_features=3, two_slides=0
    )
    model = PIBDSurvivalEstimator(
        pathways=cohort.pathways, token_dim=8, hidden_dim=8, max_epochs=1, loss=loss, random_state=0
    ).fit(cohort.X, cohort.y)
    times = cohort.y["time"][cohort.y["event"]]
    np.testing.assert_allclose(model.net_.module_.edges, np.quantile(times, [0.25, 0.5, 0.75]))
    assert {"train_proxy", "train_divergence", "train_information", "train_misfit"} <= set(model.history_)


def test_tied_events_leave_classes_empty():
    cohort = make_cohort(
        12, random_state=0, n_pathways=2, genes_per_pathway=3, n_instances=(2, 4), n_features=3, two_slides=0
    )
    cohort.y["time"][cohort.y["event"]] = 7.0
    model = PIBDSurvivalEstimator(
        pathways=cohort.pathways, token_dim=8, hidden_dim=8, max_epochs=1, random_state=0
    ).fit(cohort.X, cohort.y)
    assert model.net_.module_.edges.tolist() == [0.0, 0.0, 7.0]
    assert np.isfinite(model.predict(cohort.X)).all()
