from sksurv_tta.estimators.snn import SNNNetwork


def test_it_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in SNNNetwork(4168).parameters()) == 1_133_313
