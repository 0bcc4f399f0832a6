"""Every pathway has a network of its own, whatever the sizes."""

import pytest
import torch
from torch.nn import functional
from toy_patients import N_GENES, PATHWAYS

from sksurv_tta.networks.pathway_tokens import PathwayTokenizer


@pytest.fixture
def tokenizer():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PathwayTokenizer(PATHWAYS, 4, 0.25, hidden_dim=7).eval()


def test_tokens_are_those_of_separate_networks(tokenizer):
    profiles = torch.randn(3, N_GENES, generator=torch.Generator().manual_seed(1))
    tokens = tokenizer(profiles).view(3, len(PATHWAYS), 4)
    start = 0
    for pathway, genes in enumerate(PATHWAYS):
        own = tokenizer.gene_weight[start : start + len(genes)]
        start += len(genes)
        hidden = functional.elu(profiles[:, list(genes)] @ own + tokenizer.gene_bias[pathway])
        expected = functional.elu(hidden @ tokenizer.weight[pathway] + tokenizer.bias[pathway])
        torch.testing.assert_close(tokens[:, pathway], expected)


def test_there_are_no_parameters_for_padding(tokenizer):
    n_slots = sum(len(genes) for genes in PATHWAYS)
    expected = n_slots * 7 + 3 * 7 + 3 * (7 * 4 + 4)
    assert sum(p.numel() for p in tokenizer.parameters()) == expected


def test_initial_weights_are_as_wide_as_those_of_linear_layers():
    sizes = (400, 25)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = PathwayTokenizer([range(400), range(25)], 100, 0.0)
    parts = tokenizer.gene_weight.split(list(sizes))
    for own, size in zip(parts, sizes, strict=True):
        assert own.abs().max().item() == pytest.approx(size**-0.5, rel=0.01)
    assert tokenizer.weight.abs().max().item() == pytest.approx(0.1, rel=0.01)


def test_fifty_hallmark_sets_have_the_published_number_of_parameters():
    """7,110 genes in 50 sets of 31 to 199 genes, as in peers of this field: 5,122,560 parameters."""
    sizes = [31, 199, *[143] * 47]
    sizes.append(7110 - sum(sizes))
    with torch.device("meta"):
        tokenizer = PathwayTokenizer([range(size) for size in sizes], 256, 0.25)
    assert sum(p.numel() for p in tokenizer.parameters()) == 5_122_560


def test_pathways_that_cannot_be_padded_are_refused():
    """One huge pathway among many small ones: a crafted model file must not take all memory."""
    with pytest.raises(ValueError, match="30001 pathways of up to 1000 genes are too many"):
        PathwayTokenizer([range(1000), *[(0,)] * 30_000], 4, 0.0)
