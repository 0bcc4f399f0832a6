import numpy as np
import pytest
import torch

from sksurv_tta.evaluation.explain import attribution as module
from sksurv_tta.evaluation.explain.attribution import _risk, attribute_tokens, baseline_tokens
from sksurv_tta.evaluation.explain.opened import open_model
from sksurv_tta.evaluation.explain.trace import trace_patient


@pytest.fixture(scope="module", params=["cox", "discrete"])
def way(request, fitted, discrete, patients, rows):
    """Network, trace of a patient with both modalities, and the average baseline."""
    model = open_model(fitted if request.param == "cox" else discrete, patients.X)
    trace = trace_patient(model.network, model.patients, rows["both"])
    return model, trace, baseline_tokens(model.network, trace, model.modalities, "average")


def test_integrated_gradients_add_up_to_the_difference_of_risks(way, patients, rows):
    model, trace, baseline = way
    found = attribute_tokens(model.network, trace, baseline, n_steps=16)
    total = sum(values.sum() for values in found.values)
    size = sum(np.abs(values).sum() for values in found.values)
    assert size > 1e-3
    assert total == pytest.approx(found.risk - found.baseline_risk, abs=1e-4 * size)
    assert found.gap == pytest.approx(total - (found.risk - found.baseline_risk), abs=1e-12)
    assert found.risk == pytest.approx(model.risk_of(model.patients)[rows["both"]], rel=1e-6)
    assert [len(values) for values in found.values] == [len(tokens) for tokens in trace.tokens]


def test_too_few_points_are_seen_in_the_gap(way):
    model, trace, baseline = way
    one, many = (attribute_tokens(model.network, trace, baseline, n_steps=n) for n in (1, 16))
    assert abs(one.gap) > 10 * abs(many.gap)


def test_a_gradient_is_the_slope_of_the_risk(way):
    model, trace, baseline = way
    found = attribute_tokens(model.network, trace, baseline, method="gradient")
    step = 1e-2
    for modality, place in ((0, 1), (1, 2)):
        risks = []
        for sign in (1, -1):
            moved = [tokens.clone() for tokens in trace.tokens]
            towards = (
                trace.tokens[modality][place] - baseline[modality].expand_as(trace.tokens[modality])[place]
            )
            moved[modality][place] += sign * step * towards
            risks.append(_risk(model.network, trace, tuple(moved))[0].item())
        slope = (risks[0] - risks[1]) / (2 * step)
        assert found.values[modality][place] == pytest.approx(slope, rel=0.02, abs=2e-5)


def test_blocks_change_nothing(way, monkeypatch):
    model, trace, baseline = way
    whole = attribute_tokens(model.network, trace, baseline)
    monkeypatch.setattr(module, "BLOCK_INSTANCES", 2)
    in_blocks = attribute_tokens(model.network, trace, baseline)
    for a, b in zip(whole.values, in_blocks.values, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_network_is_as_it_was(way):
    model, trace, baseline = way
    model.network.zero_grad(set_to_none=True)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    attribute_tokens(model.network, trace, baseline)
    assert all(weight.grad is None for weight in model.network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())


def test_tokens_like_their_baseline_contribute_nothing(way):
    model, trace, baseline = way
    same = (trace.tokens[0], baseline[1])
    found = attribute_tokens(model.network, trace, same)
    np.testing.assert_array_equal(found.values[0], 0)
    assert np.abs(found.values[1]).max() > 0


@pytest.mark.parametrize("who", ["no_slide", "no_genes"])
def test_what_a_patient_lacks_has_no_contributions(fitted, patients, rows, who):
    model = open_model(fitted, patients.X)
    trace = trace_patient(model.network, model.patients, rows[who])
    for start in ("average", "zero"):
        baseline = baseline_tokens(model.network, trace, model.modalities, start)
        found = attribute_tokens(model.network, trace, baseline)
        sizes = [len(values) for values in found.values]
        assert (sizes[0] == 0) == (who == "no_slide")
        assert (sizes[1] == 0) == (who == "no_genes")
        assert abs(found.gap) < 1e-4


def test_baselines_are_what_they_are_called(fitted, patients, rows):
    model = open_model(fitted, patients.X)
    network, names = model.network, model.modalities
    trace = trace_patient(network, model.patients, rows["both"])
    average, zero = (baseline_tokens(network, trace, names, start) for start in ("average", "zero"))
    torch.testing.assert_close(average[0], trace.tokens[0].mean(dim=0, keepdim=True))
    assert not torch.equal(zero[0], average[0])
    torch.testing.assert_close(zero[1], average[1])
    own = patients.X["wsi"].iloc[rows["both"]].features
    given = baseline_tokens(network, trace, names, {"wsi": own[2]})
    torch.testing.assert_close(given[0][0], trace.tokens[0][2])
    torch.testing.assert_close(given[1], average[1])
    profile = model.patients.profiles[rows["both"]].numpy()
    of_genes = baseline_tokens(network, trace, names, {"genes": profile})
    torch.testing.assert_close(of_genes[1], trace.tokens[1])
    with pytest.raises(ValueError, match="a baseline must have 5 finite features, got an array of 3"):
        baseline_tokens(network, trace, names, {"wsi": np.zeros(3)})
