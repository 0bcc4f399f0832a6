import pytest
import torch
from ot.unbalanced import sinkhorn_unbalanced

from sksurv_tta.estimators.mcat import MCATNetwork
from sksurv_tta.estimators.motcat import MOTCatSurvivalEstimator, TransportAttention
from sksurv_tta.networks import Ragged

FAMILIES = [range(size) for size in (82, 328, 513, 452, 1536, 452)]


def test_it_is_mcat_without_the_weights_of_co_attention():
    with torch.device("meta"):
        network = MCATNetwork(
            1024,
            FAMILIES,
            n_outputs=4,
            coattention=TransportAttention(kl_weight=0.5, epsilon=0.1, reference="entropy"),
        )
    assert sum(p.numel() for p in network.parameters()) == 4_484_614 - 4 * (256 * 256 + 256)


def test_histology_tokens_are_patches_summed_by_the_plan_of_shifted_features():
    generator = torch.Generator().manual_seed(0)
    genes, patches = torch.rand(3, 5, generator=generator), torch.rand(7, 5, generator=generator)
    attention = TransportAttention(kl_weight=0.5, epsilon=0.1, reference="product")
    # A second patient beside the one that is looked at.
    both = Ragged(torch.cat([genes, genes + 1]), (3, 3)), Ragged(torch.cat([patches, patches[:4]]), (7, 4))
    got, _ = attention(*both)
    cost = torch.zeros(7, 3, dtype=torch.float64)
    for i, patch in enumerate(patches.double()):
        for k, gene in enumerate(genes.double()):
            cost[i, k] = ((patch - patch.min()) - (gene - gene.min())).square().sum()
    cost /= cost.max()
    plan = sinkhorn_unbalanced(
        torch.full((7,), 1 / 7).double(), torch.full((3,), 1 / 3).double(), cost, 0.1, 0.5, reg_type="kl",
        stopThr=1e-12,
    )  # fmt: skip
    torch.testing.assert_close(got.double(), plan.T @ patches.double(), rtol=1e-4, atol=1e-5)


def test_parameters_of_the_transport_reach_it():
    estimator = MOTCatSurvivalEstimator(epsilon=0.05, kl_weight=0.7, reference="product")
    given = {"epsilon": 0.05, "kl_weight": 0.7, "reference": "product"}
    assert estimator._options(TransportAttention) == given
    with pytest.raises(ValueError, match="'reference' parameter"):
        MOTCatSurvivalEstimator(reference="none")._validate_params()
