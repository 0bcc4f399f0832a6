import numpy as np
import pytest
import torch

from sksurv_tta.evaluation.explain import trace as module
from sksurv_tta.evaluation.explain.opened import open_model
from sksurv_tta.evaluation.explain.trace import trace_patient


@pytest.fixture(scope="module")
def model(fitted, patients):
    return open_model(fitted, patients.X)


@pytest.mark.parametrize("who", ["both", "no_slide", "no_genes"])
def test_the_way_ends_at_the_prediction(model, fitted, patients, rows, who):
    trace = trace_patient(model.network, model.patients, rows[who])
    with torch.no_grad():
        risk = model.network(trace.prototype_tokens, trace.present).prediction.item()
    assert risk == pytest.approx(fitted.predict(patients.X.iloc[[rows[who]]])[0], rel=1e-6)


def test_weights_are_mixed_from_similarity_and_transport(model, rows):
    trace = trace_patient(model.network, model.patients, rows["both"])
    n_tokens = sum(len(tokens) for tokens in trace.tokens)
    moved = sum(float(own.sum()) for own in trace.transported)
    mass = model.network.mass.item()
    assert 0.1 < mass < 1  # the curriculum has not ended, so that the sink has its part
    assert moved / n_tokens == pytest.approx(mass, rel=1e-3)
    for similar, transported, mixed in zip(trace.similar, trace.transported, trace.mixed, strict=True):
        torch.testing.assert_close(similar.sum(dim=1), torch.ones(len(similar)))
        torch.testing.assert_close(mixed, (similar + transported) / 2)
        assert transported.sum(dim=1).max() <= 1 + 1e-5


def test_tokens_are_compared_with_anchors_in_one_space(model, rows):
    trace = trace_patient(model.network, model.patients, rows["both"])
    torch.testing.assert_close(trace.before.norm(dim=-1), torch.ones(2, 4))
    refined = model.network.apart(trace.prototype_tokens).detach()[0]
    torch.testing.assert_close(trace.after, refined)


def test_a_modality_that_is_not_there_is_not_made_up(model, rows):
    for who, lacking in (("no_slide", 0), ("no_genes", 1)):
        trace = trace_patient(model.network, model.patients, rows[who])
        assert [len(own) > 0 for own in trace.mixed] == [place != lacking for place in range(2)]
        assert torch.isnan(trace.after[lacking]).all()
        assert torch.isfinite(trace.after[1 - lacking]).all()


def test_blocks_change_nothing(model, rows, monkeypatch):
    whole = trace_patient(model.network, model.patients, rows["both"])
    monkeypatch.setattr(module, "BLOCK_INSTANCES", 2)
    in_blocks = trace_patient(model.network, model.patients, rows["both"])
    torch.testing.assert_close(in_blocks.mixed[0], whole.mixed[0])
    torch.testing.assert_close(in_blocks.prototype_tokens, whole.prototype_tokens)


def test_without_transport_similarity_is_all(fit, patients, rows):
    model = open_model(fit(together=False), patients.X)
    trace = trace_patient(model.network, model.patients, rows["both"])
    assert trace.transported is None
    np.testing.assert_array_equal(trace.mixed[0], trace.similar[0])
