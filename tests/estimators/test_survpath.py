import torch

from sksurv_tta.estimators.survpath import SurvPathNetwork

#: As many genes as the 50 Hallmark sets list, 7,110; how they are divided does not matter here.
HALLMARK = [range(142)] * 49 + [range(152)]


def test_it_has_the_published_number_of_parameters():
    with torch.device("meta"):
        network = SurvPathNetwork(1024, HALLMARK, n_outputs=4)
    assert sum(p.numel() for p in network.parameters()) == 5_534_020
