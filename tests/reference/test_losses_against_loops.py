"""Losses against sums written out one by one, and against scikit-survival."""

import os

import hypothesis.strategies as st
import naive_losses
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from sksurv.linear_model.coxph import CoxPHOptimizer

from sksurv_tta.losses import (
    agreement_loss,
    anchor_contrast_loss,
    cox_loss,
    discrete_hazard_loss,
    soft_cross_entropy,
)

MORE = int(os.environ.get("SKSURV_TTA_EXAMPLES", "1"))


@st.composite
def patients(draw):
    size = draw(st.integers(1, 15))

    def several(values):
        return draw(st.lists(values, min_size=size, max_size=size))

    return several(st.floats(-300, 300)), several(st.integers(0, 6)), several(st.booleans())


@settings(max_examples=200 * MORE, deadline=None)
@given(patients())
def test_cox_loss_equals_a_double_loop_with_ties_and_risks_up_to_300(drawn):
    risk, time, event = drawn
    loss = cox_loss(torch.tensor(risk, dtype=torch.float64), torch.tensor(time), torch.tensor(event))
    assert loss.item() == pytest.approx(naive_losses.cox(risk, time, event), rel=1e-9, abs=1e-9)


@settings(max_examples=200 * MORE, deadline=None)
@given(patients())
def test_efrons_cox_loss_equals_a_double_loop_with_ties_and_risks_up_to_300(drawn):
    risk, time, event = drawn
    tensors = torch.tensor(risk, dtype=torch.float64), torch.tensor(time), torch.tensor(event)
    loss = cox_loss(*tensors, ties="efron")
    assert loss.item() == pytest.approx(naive_losses.cox_efron(risk, time, event), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
@settings(max_examples=100 * MORE, deadline=None)
@given(drawn=patients(), data=st.data())
def test_stratified_cox_loss_equals_a_double_loop(ties, drawn, data):
    risk, time, event = drawn
    strata = data.draw(st.lists(st.integers(0, 3), min_size=len(risk), max_size=len(risk)))
    tensors = torch.tensor(risk, dtype=torch.float64), torch.tensor(time), torch.tensor(event)
    loss = cox_loss(*tensors, ties=ties, strata=torch.tensor(strata))
    naive = naive_losses.cox_efron if ties == "efron" else naive_losses.cox
    assert loss.item() == pytest.approx(naive(risk, time, event, strata), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cox_loss_equals_the_likelihood_of_scikit_survival(seed, ties):
    rng = np.random.default_rng(seed)
    risk, time = rng.normal(size=40), rng.integers(1, 12, 40).astype(float)
    event = rng.random(40) < 0.6
    optimizer = CoxPHOptimizer(risk[:, None], event, time, alpha=np.zeros(1), ties=ties)
    # scikit-survival divides by the number of patients, Eq. (56) by the number of events.
    expected = optimizer.nlog_likelihood(np.ones(1)) * 40 / event.sum()
    loss = cox_loss(torch.from_numpy(risk), torch.from_numpy(time), torch.from_numpy(event), ties=ties)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


@settings(max_examples=100 * MORE, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(-8, 8), min_size=4, max_size=4), st.integers(0, 3), st.booleans()
        ),
        min_size=1,
        max_size=8,
    )
)  # fmt: skip
def test_discrete_hazard_loss_equals_the_product_of_probabilities(drawn):
    logits, bins, event = map(list, zip(*drawn, strict=True))
    loss = discrete_hazard_loss(
        torch.tensor(logits, dtype=torch.float64), torch.tensor(bins), torch.tensor(event)
    )
    assert loss.item() == pytest.approx(naive_losses.discrete_hazard(logits, bins, event), rel=1e-9, abs=1e-9)


def random_vectors(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_contrast_of_two_modalities_is_the_printed_equation(temperature):
    features, anchors = random_vectors(5, 2, 4), random_vectors(2, 4, seed=1)
    expected = np.mean(
        [naive_losses.two_modality_contrast(*patient, *anchors, temperature) for patient in features]
    )
    loss = anchor_contrast_loss(torch.from_numpy(features), torch.from_numpy(anchors), temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_contrast_of_three_modalities_is_info_nce_over_the_anchors():
    features, anchors = random_vectors(5, 3, 4), random_vectors(3, 4, seed=1)
    expected = np.mean([naive_losses.info_nce(patient, anchors, 0.1) for patient in features])
    loss = anchor_contrast_loss(torch.from_numpy(features), torch.from_numpy(anchors), 0.1)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_soft_cross_entropy_equals_its_sum_for_each_token():
    weights, logits = np.abs(random_vectors(6, 3)), 5 * random_vectors(6, 3, seed=1)
    losses = soft_cross_entropy(torch.from_numpy(weights), torch.from_numpy(logits))
    for loss, weight, logit in zip(losses.tolist(), weights, logits, strict=True):
        assert loss == pytest.approx(naive_losses.soft_cross_entropy(weight, logit), rel=1e-12)


def test_agreement_equals_its_sum_for_each_pair_of_views_and_head():
    masses = np.abs(random_vectors(2, 3, 4))
    predictions = np.abs(random_vectors(2, 3, 4, seed=1))
    predictions /= predictions.sum(axis=-1, keepdims=True)
    losses = agreement_loss(torch.from_numpy(masses), torch.from_numpy(predictions))
    assert losses.shape == (3,)
    for head, loss in enumerate(losses.tolist()):
        expected = naive_losses.agreement(masses[:, head], predictions[:, head])
        assert loss == pytest.approx(expected, rel=1e-12)
