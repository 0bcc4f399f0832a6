import numpy as np
import pytest
import torch

from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import LDCVAESurvivalEstimator
from sksurv_tta.estimators.ld_cvae import LDCVAENetwork
from sksurv_tta.estimators.mcat import MCATNetwork
from sksurv_tta.networks import PatientGroup, Ragged, drawing_from
from sksurv_tta.networks.gaussians import Gaussian

FAMILIES = [range(size) for size in (82, 328, 513, 452, 1536, 452)]
TINY = {"token_dim": 8, "hidden_dim": 8, "n_heads": 2, "n_landmarks": 4, "dropout": 0.0}


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LDCVAENetwork(4, [(0, 1), (2,), (0, 2)], n_outputs=2, **TINY)


def group(network, *, missing=()):
    generator = torch.Generator().manual_seed(1)
    profiles = torch.randn(3, 3, generator=generator)
    bags = (Ragged(torch.randn(12, 4, generator=generator), (6, 4, 2)),)
    kept = [patient for patient in range(3) if patient not in missing]
    tokens, n_tokens = network.encode_profiles(profiles[kept])
    lengths = tuple(0 if patient in missing else n_tokens for patient in range(3))
    return PatientGroup(bags, Ragged(tokens, lengths))


def drawn(network, patients, seed=0):
    with drawing_from(torch.Generator().manual_seed(seed)):
        return network.embed(patients)


def test_number_of_parameters_is_that_of_its_layers():
    with torch.device("meta"):
        network = LDCVAENetwork(1024, FAMILIES, n_outputs=4)
    convolutions = sum(1024 * size**2 + 1024 for size in (7, 5, 3))
    attention = 1024 * 3072 + (1024 * 1024 + 1024) + 8 * 33
    slide = 2 * 1024 + 3 * 2048 + 2 * attention + convolutions
    to_code = 2 * (1024 * 256 + 256) + (256 * 4 + 4)
    layer = (256 * 768 + 768) + (256 * 256 + 256) + (256 * 1024 + 1024) + (1024 * 256 + 256) + 2 * 512
    decoder = 6 * ((256 * 512 + 512) + (512 * 512 + 512) + (512 * 256 + 256))
    mcat = 4_484_614  # as published
    assert sum(p.numel() for p in network.parameters()) == mcat + slide + to_code + 2 * 256 + layer + decoder
    assert isinstance(network.backbone, MCATNetwork)


def test_without_genes_the_slide_has_the_say_alone(network):
    network.eval()
    whole, gappy = network.embed(group(network)), network.embed(group(network, missing=(1,)))
    torch.testing.assert_close(gappy.tokens[[0, 2]], whole.tokens[[0, 2]])
    assert (gappy.tokens[1] != whole.tokens[1]).any()
    of_slides = network._encode_slides(group(network).bags[0])
    joint = network._join(of_slides, Gaussian(torch.empty(0, 8), torch.empty(0, 8)), torch.tensor([]).long())
    precision = 1 + (-of_slides.log_variance).exp()
    torch.testing.assert_close(joint.log_variance, -precision.log())
    torch.testing.assert_close(joint.mean, of_slides.mean * (-of_slides.log_variance).exp() / precision)


def test_in_its_first_epochs_mcat_sees_real_genes_and_later_generated_ones(network):
    network.train()
    patients = group(network, missing=(1,))
    real, _ = network._real_tokens(patients)

    def seen():
        return drawn(network, patients).tokens[:, :-8].view(3, 2, 3, 8)[:, 1]

    torch.testing.assert_close(seen()[[0, 2]], real)
    of_missing = seen()[1]
    network.epochs_done.fill_(network.n_real_epochs)
    assert (seen()[[0, 2]] != real).any(dim=-1).all()
    torch.testing.assert_close(seen()[1], of_missing)


def test_genes_get_a_gradient_in_the_first_epochs_only(network):
    network.train()
    for epochs, learns in ((0, True), (5, False)):
        network.epochs_done.fill_(epochs)
        network.zero_grad()
        drawn(network, group(network)).tokens.square().sum().backward()
        assert (network.backbone.tokenize.weight.grad is not None) == learns
        assert network.slide_mean.weight.grad.any()


def test_losses_of_genes_are_zero_where_there_are_none(network):
    network.train()
    network.epochs_done.fill_(10)
    losses = drawn(network, group(network, missing=(1,))).losses
    assert set(losses) == set(network.loss_weights)
    for name in ("reconstruction", "distance"):
        assert (losses[name] != 0).tolist() == [True, False, True]
    assert (losses["divergence"] > 0).all()
    nobody = drawn(network, group(network, missing=(0, 1, 2)))
    assert not nobody.losses["reconstruction"].any()
    sum(loss.sum() for loss in nobody.losses.values()).backward()
    assert network.slide_log_variance.weight.grad.isfinite().all()


def test_the_divergence_gains_its_weight_along_a_cosine(network):
    weights = []
    for _ in range(22):
        weights.append(network._annealed())
        network.end_epoch()
    assert weights[0] == 0
    assert weights[10] == pytest.approx(0.5)
    assert weights[20] == weights[21] == 1
    assert np.all(np.diff(weights) >= 0)


def test_outside_training_there_is_the_prediction_alone(network):
    present = torch.ones(3, 2, dtype=torch.bool)
    network.train()
    both = network(drawn(network, group(network)).tokens, present).prediction
    assert both.shape == (3, 2, 2)
    network.eval()
    tokens = network.embed(group(network)).tokens
    prediction = network(tokens, present).prediction
    assert prediction.shape == (3, 2)
    torch.testing.assert_close(
        prediction, network.backbone(tokens[:, :-8].view(3, 2, 3, 8), present).prediction
    )


def test_a_state_that_no_training_leaves_behind_is_named(network):
    state = network.state_dict()
    assert network.check_state(state) == []
    assert network.check_state(state | {"epochs_done": torch.tensor(-1)}) == [
        "buffer 'epochs_done' holds impossible values"
    ]


def test_a_network_without_tokens_of_genes_says_what_it_needs(network):
    patients = PatientGroup(group(network).bags, None)
    with pytest.raises(ValueError, match="needs the profile tokens"):
        network.embed(patients)


@pytest.mark.parametrize("low_memory", [False, True])
def test_patients_without_expression_are_learned_from_and_predicted(low_memory):
    cohort = make_cohort(
        20, random_state=0, n_pathways=2, genes_per_pathway=3, n_instances=(2, 9), n_features=3, two_slides=0
    )
    X = cohort.X.copy()
    X.loc[X.index[::2], X.columns.drop("wsi")] = np.nan
    model = LDCVAESurvivalEstimator(
        **TINY,
        pathways=cohort.pathways,
        max_epochs=3,
        batch_size=4,
        n_real_epochs=1,
        low_memory=low_memory,
        random_state=0,
    ).fit(X, cohort.y)
    risk = model.predict(X)
    assert len(np.unique(risk)) > 15
    np.testing.assert_array_equal(model.predict(X), risk)
    assert model.net_.module_.epochs_done == 3
    # Expression that was missing is looked at once it is there.
    assert (model.predict(cohort.X)[::2] != risk[::2]).all()
    np.testing.assert_array_equal(model.predict(cohort.X)[1::2], risk[1::2])
