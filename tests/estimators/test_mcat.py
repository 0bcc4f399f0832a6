import torch

from sksurv_tta.estimators.mcat import MCATNetwork

#: Sizes of the authors' six functional families.
FAMILIES = [range(size) for size in (82, 328, 513, 452, 1536, 452)]


def test_it_has_the_published_number_of_parameters():
    with torch.device("meta"):
        network = MCATNetwork(1024, FAMILIES, n_outputs=4)
    assert sum(p.numel() for p in network.parameters()) == 4_484_614
