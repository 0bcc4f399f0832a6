"""What is done to the input before any weight."""

import pytest
import torch

from sksurv_tta.networks import InputPreparation


@pytest.fixture
def profiles():
    torch.manual_seed(0)
    return torch.randn(30, 4) @ torch.randn(4, 12) + 3 + 0.01 * torch.randn(30, 12)


def test_profiles_keep_their_leading_components(profiles):
    preparation = InputPreparation([], 12, profile_rank=4, standardise=False)
    preparation.learn_profiles(profiles)
    kept = preparation.profiles(profiles)
    assert torch.linalg.matrix_rank(kept - kept.mean(dim=0), atol=1e-3).item() == 4
    assert (kept - profiles).abs().max() < 0.1
    torch.testing.assert_close(preparation.profiles(kept), kept, atol=1e-4, rtol=1e-4)


def test_few_patients_leave_components_empty(profiles):
    preparation = InputPreparation([], 12, profile_rank=10, standardise=False)
    preparation.learn_profiles(profiles[:3])
    assert (preparation.gene_basis.norm(dim=0) > 0).sum() == 2
    torch.testing.assert_close(preparation.profiles(profiles[:3]), profiles[:3], atol=1e-4, rtol=1e-4)


def test_rank_zero_and_no_genes_change_nothing(profiles):
    for n_genes in (12, 0):
        preparation = InputPreparation([], n_genes, profile_rank=0 if n_genes else 5, standardise=False)
        preparation.learn_profiles(profiles)
        assert preparation.profiles(profiles) is profiles
        assert not preparation.state_dict()


def test_instances_are_standardised_modality_by_modality():
    preparation = InputPreparation([2, 3], 0, profile_rank=0, standardise=True)
    preparation.learn_instances(1, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 0.0, 4.0]))
    values = torch.tensor([[3.0, 5.0, 3.0]])
    assert preparation.instances(1, values).tolist() == [[1.0, 3.0, 0.0]]
    assert preparation.instances(0, values[:, :2]).tolist() == [[3.0, 5.0]]
    plain = InputPreparation([2, 3], 0, profile_rank=0, standardise=False)
    plain.learn_instances(1, torch.zeros(3), torch.ones(3))
    assert plain.instances(1, values) is values


def test_without_a_patient_nothing_is_learned(profiles):
    preparation = InputPreparation([], 12, profile_rank=10, standardise=False)
    preparation.learn_profiles(profiles[:0])
    assert preparation.profiles(profiles).isfinite().all()
    assert not preparation.gene_basis.any()
