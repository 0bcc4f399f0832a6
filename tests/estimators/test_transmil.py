import torch

from sksurv_tta.estimators.transmil import TransMILNetwork


def test_it_has_the_published_number_of_parameters():
    with torch.device("meta"):
        network = TransMILNetwork(1024)
    assert sum(p.numel() for p in network.parameters()) == 2_671_633
