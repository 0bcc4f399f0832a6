"""What every loss obeys, and what it refuses. Values are compared in tests/reference."""

import math
import os

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from sksurv_tta.losses import (
    agreement_loss,
    anchor_contrast_loss,
    cox_loss,
    discrete_hazard_loss,
    soft_cross_entropy,
)

MORE = int(os.environ.get("SKSURV_TTA_EXAMPLES", "1"))


def tensor(values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


@st.composite
def patients(draw):
    """Risks, tied times and events of 1 to 12 patients."""
    size = draw(st.integers(1, 12))

    def several(values):
        return draw(st.lists(values, min_size=size, max_size=size))

    return several(st.floats(-300, 300)), several(st.integers(0, 5)), several(st.booleans())


with_either_ties = pytest.mark.parametrize("ties", ["breslow", "efron"])


@with_either_ties
@settings(max_examples=60 * MORE, deadline=None)
@given(drawn=patients(), constant=st.floats(-100, 100))
def test_cox_loss_does_not_change_when_a_constant_is_added_to_all_risks(ties, drawn, constant):
    risk, time, event = map(tensor, drawn)
    shifted, expected = (cox_loss(own, time, event, ties=ties) for own in (risk + constant, risk))
    torch.testing.assert_close(shifted, expected, rtol=1e-10, atol=1e-10)


@with_either_ties
@settings(max_examples=60 * MORE, deadline=None)
@given(drawn=patients())
def test_gradient_of_cox_loss_sums_to_zero(ties, drawn):
    risk, time, event = map(tensor, drawn)
    risk.requires_grad_()
    cox_loss(risk, time, event, ties=ties).backward()
    assert abs(risk.grad.sum().item()) < 1e-12


@with_either_ties
@settings(max_examples=60 * MORE, deadline=None)
@given(drawn=patients(), random=st.randoms(use_true_random=False))
def test_cox_loss_does_not_depend_on_the_order_of_patients(ties, drawn, random):
    risk, time, event = map(tensor, drawn)
    order = list(range(len(risk)))
    random.shuffle(order)
    shuffled = cox_loss(risk[order], time[order], event[order], ties=ties)
    torch.testing.assert_close(shuffled, cox_loss(risk, time, event, ties=ties), rtol=1e-10, atol=1e-12)


@with_either_ties
@settings(max_examples=60 * MORE, deadline=None)
@given(drawn=patients())
def test_gradient_of_cox_loss_is_finite_in_single_precision(ties, drawn):
    risk, time, event = drawn
    risk = torch.tensor(risk, dtype=torch.float32, requires_grad=True)
    loss = cox_loss(risk, torch.tensor(time), torch.tensor(event), ties=ties)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert risk.grad.isfinite().all()


@with_either_ties
def test_gradient_of_cox_loss_equals_finite_differences(ties):
    generator = torch.Generator().manual_seed(0)
    risk = torch.randn(9, generator=generator, dtype=torch.float64, requires_grad=True)
    time, event = tensor([1, 2, 2, 3, 3, 3, 5, 3, 3]), tensor([1, 1, 0, 1, 1, 0, 1, 1, 1])
    assert torch.autograd.gradcheck(lambda r: cox_loss(r, time, event, ties=ties), risk)


@settings(max_examples=60 * MORE, deadline=None)
@given(drawn=patients())
def test_both_treatments_of_ties_are_one_where_no_two_events_are_tied(drawn):
    risk, time, event = map(tensor, drawn)
    for moment in time.unique():
        event[(time == moment).nonzero()[1:]] = 0
    gradients = []
    for ties in ("breslow", "efron"):
        own = risk.clone().requires_grad_()
        loss = cox_loss(own, time, event, ties=ties)
        loss.backward()
        gradients.append(torch.cat([loss.detach().view(1), own.grad]))
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_efrons_loss_keeps_its_digits_where_the_risk_set_is_the_tied_events_and_hardly_more():
    # Of 20,000 tied events the last leaves a risk set of 1 / 20,000 of their sum: a difference of sums
    # in single precision would keep three digits of it, or be negative.
    n_tied = 20_000
    risk = torch.cat([torch.full((n_tied,), 50.0), torch.zeros(1)])
    time = torch.cat([torch.ones(n_tied), torch.tensor([2.0])])
    loss = cox_loss(risk, time, time == 1, ties="efron")
    expected = math.lgamma(n_tied + 1) / n_tied  # of n equal patients alone
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@with_either_ties
def test_cox_loss_without_events_is_a_zero_that_backward_passes_through(ties):
    risk = torch.randn(4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = cox_loss(risk, torch.arange(4.0), torch.zeros(4, dtype=torch.bool), ties=ties)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(risk.grad, torch.zeros(4))


@with_either_ties
def test_cox_loss_is_a_mean_over_events_not_over_patients(ties):
    risk, time = tensor([0.3, -0.2, 0.1]), tensor([1, 2, 3])
    alone = [cox_loss(risk, time, tensor([float(i == k) for i in range(3)]), ties=ties) for k in range(3)]
    both = cox_loss(risk, time, tensor([1, 1, 0]), ties=ties)
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)


@with_either_ties
def test_half_precision_risks_give_a_single_precision_loss(ties):
    risk = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    loss = cox_loss(risk, torch.tensor([1.0, 2.0]), torch.tensor([True, True]), ties=ties)
    assert loss.dtype == torch.float32


@with_either_ties
@settings(max_examples=60 * MORE, deadline=None)
@given(drawn=patients(), data=st.data())
def test_loss_of_strata_is_the_mean_of_their_losses_by_events(ties, drawn, data):
    risk, time, event = map(tensor, drawn)
    labels = st.lists(st.integers(-1, 2), min_size=len(risk), max_size=len(risk))
    strata = torch.tensor(data.draw(labels))
    total = 0.0
    for stratum in strata.unique():
        own = strata == stratum
        total = total + cox_loss(risk[own], time[own], event[own], ties=ties) * event[own].sum()
    loss = cox_loss(risk, time, event, ties=ties, strata=strata)
    torch.testing.assert_close(loss, total / event.sum().clamp(min=1), rtol=1e-10, atol=1e-10)


@with_either_ties
@settings(max_examples=60 * MORE, deadline=None)
@given(drawn=patients(), constant=st.floats(-100, 100))
def test_the_level_of_a_stratum_does_not_matter(ties, drawn, constant):
    risk, time, event = map(tensor, drawn)
    strata = torch.arange(len(risk)) % 2
    shifted, expected = (
        cox_loss(own, time, event, ties=ties, strata=strata) for own in (risk + constant * strata, risk)
    )
    torch.testing.assert_close(shifted, expected, rtol=1e-10, atol=1e-10)


@with_either_ties
def test_gradient_of_stratified_cox_loss_equals_finite_differences(ties):
    generator = torch.Generator().manual_seed(0)
    risk = torch.randn(9, generator=generator, dtype=torch.float64, requires_grad=True)
    time, event = tensor([1, 2, 2, 3, 3, 3, 5, 3, 3]), tensor([1, 1, 0, 1, 1, 0, 1, 1, 1])
    strata = torch.tensor([0, 1, 0, 1, 1, 0, 2, 0, 1])
    assert torch.autograd.gradcheck(lambda r: cox_loss(r, time, event, ties=ties, strata=strata), risk)
    gradient = torch.autograd.grad(cox_loss(risk, time, event, ties=ties, strata=strata), risk)[0]
    for stratum in range(3):
        assert gradient[strata == stratum].sum().item() == pytest.approx(0, abs=1e-14)


@with_either_ties
def test_one_stratum_is_none(ties):
    risk = torch.randn(9, generator=torch.Generator().manual_seed(0))
    time, event = tensor([1, 2, 2, 3, 3, 3, 5, 3, 3]), tensor([1, 1, 0, 1, 1, 0, 1, 1, 1])
    alone = cox_loss(risk, time, event, ties=ties, strata=torch.full((9,), 4))
    assert torch.equal(alone, cox_loss(risk, time, event, ties=ties))


@with_either_ties
@pytest.mark.parametrize("n_patients", [0, 3])
def test_strata_that_teach_nothing_are_a_zero_that_backward_passes_through(ties, n_patients):
    """Nobody at all, and patients each in a stratum of their own."""
    risk = torch.ones(n_patients, requires_grad=True)
    time, event = torch.arange(float(n_patients)), torch.ones(n_patients)
    loss = cox_loss(risk, time, event, ties=ties, strata=torch.arange(n_patients))
    loss.backward()
    assert loss.item() == 0
    torch.testing.assert_close(risk.grad, torch.zeros(n_patients), rtol=0, atol=1e-7)


def test_cox_loss_refuses_strata_of_another_shape():
    with pytest.raises(ValueError, match=r"strata must be of the shape of risk, \(3,\), got \(3, 1\)"):
        cox_loss(torch.zeros(3), torch.zeros(3), torch.ones(3), strata=torch.zeros(3, 1))


def test_cox_loss_refuses_a_treatment_of_ties_that_it_does_not_know():
    with pytest.raises(ValueError, match=r"ties must be one of \('breslow', 'efron'\), got 'exact'"):
        cox_loss(torch.zeros(2), torch.zeros(2), torch.ones(2), ties="exact")


@pytest.mark.parametrize(
    ("risk", "time", "event"),
    [
        (torch.zeros(3, 1), torch.zeros(3), torch.zeros(3)),
        (torch.zeros(3), torch.zeros(2), torch.zeros(3)),
        (torch.zeros(3), torch.zeros(3), torch.zeros(3, 1)),
    ],
)
def test_cox_loss_refuses_shapes_that_would_broadcast(risk, time, event):
    with pytest.raises(ValueError, match=r"one-dimensional and of equal length, got shapes"):
        cox_loss(risk, time, event)


@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("own", [0, 3])
@pytest.mark.parametrize("event", [0, 1])
def test_extreme_hazard_logits_give_a_finite_loss_and_gradient(size, own, event):
    logits = torch.full((1, 4), size, requires_grad=True)
    loss = discrete_hazard_loss(logits, torch.tensor([own]), torch.tensor([event]))
    loss.backward()
    assert loss.isfinite()
    assert loss >= 0
    assert logits.grad.isfinite().all()


def test_a_censored_patient_of_the_last_bin_survives_it_and_one_of_the_first_bin_only_that():
    logits = tensor([[0.2, -1.0, 0.7]])
    survived = torch.sigmoid(-logits[0])
    last = discrete_hazard_loss(logits, torch.tensor([2]), torch.tensor([0]))
    first = discrete_hazard_loss(logits, torch.tensor([0]), torch.tensor([0]))
    torch.testing.assert_close(last, -survived.log().sum())
    torch.testing.assert_close(first, -survived[0].log())


def test_hazards_after_a_patients_own_bin_receive_no_gradient():
    logits = torch.zeros(2, 4, requires_grad=True)
    discrete_hazard_loss(logits, torch.tensor([1, 1]), torch.tensor([0, 1])).backward()
    assert (logits.grad[:, :2] != 0).all()
    assert (logits.grad[:, 2:] == 0).all()


def test_all_outcomes_of_one_patient_have_probabilities_that_sum_to_one():
    logits = torch.randn(1, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def probability(own, event):
        return math.exp(-discrete_hazard_loss(logits, torch.tensor([own]), torch.tensor([event])).item())

    assert sum(probability(k, 1) for k in range(5)) + probability(4, 0) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("bins", [[-1, 0], [0, 3]])
def test_discrete_hazard_loss_refuses_bins_that_do_not_exist(bins):
    with pytest.raises(ValueError, match=r"bin must lie in \[0, 3\), got values from"):
        discrete_hazard_loss(torch.zeros(2, 3), torch.tensor(bins), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("logits", "bins", "event"),
    [
        (torch.zeros(3), torch.zeros(3, dtype=torch.long), torch.zeros(3)),
        (torch.zeros(3, 2), torch.zeros(2, dtype=torch.long), torch.zeros(3)),
        (torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), torch.zeros(3, 1)),
    ],
)
def test_discrete_hazard_loss_refuses_shapes_that_do_not_fit(logits, bins, event):
    with pytest.raises(ValueError, match=r"logits must have shape \(n_patients, n_bins\)"):
        discrete_hazard_loss(logits, bins, event)


def contrast_input(n_modalities, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(4, n_modalities, 6, generator=generator, dtype=torch.float64),
        torch.randn(n_modalities, 6, generator=generator, dtype=torch.float64),
    )


def test_contrast_of_a_single_modality_is_zero():
    features, anchors = contrast_input(1)
    assert anchor_contrast_loss(features, anchors, 0.1).item() == 0


@pytest.mark.parametrize("n_modalities", [2, 3])
def test_contrast_depends_on_directions_only(n_modalities):
    features, anchors = contrast_input(n_modalities)
    expected = anchor_contrast_loss(features, anchors, 0.1)
    torch.testing.assert_close(anchor_contrast_loss(7 * features, 0.3 * anchors, 0.1), expected)


def test_absent_modality_contributes_nothing_whatever_it_holds():
    features, anchors = contrast_input(3)
    present = torch.ones(4, 3, dtype=torch.bool)
    present[1, 2] = False
    expected = anchor_contrast_loss(features, anchors, 0.1, present=present)
    features[1, 2] = torch.nan
    torch.testing.assert_close(anchor_contrast_loss(features, anchors, 0.1, present=present), expected)
    all_present = torch.ones(4, 3, dtype=torch.bool)
    features, anchors = contrast_input(3)
    whole = anchor_contrast_loss(features, anchors, 0.1, present=all_present)
    torch.testing.assert_close(whole, anchor_contrast_loss(features, anchors, 0.1))
    assert expected < whole


def test_contrast_stays_finite_at_a_temperature_where_raw_exponentials_overflow():
    features, anchors = contrast_input(2)
    features, anchors = features.float().requires_grad_(), anchors.float()
    loss = anchor_contrast_loss(features, anchors, 1e-3)
    loss.backward()
    assert loss.isfinite()
    assert features.grad.isfinite().all()


def test_contrast_is_not_rounded_to_half_precision_under_autocast():
    features, anchors = (values.float() for values in contrast_input(2))
    expected = anchor_contrast_loss(features, anchors, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(anchor_contrast_loss(features, anchors, 0.1), expected)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_contrast_refuses_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(ValueError, match="temperature must be positive"):
        anchor_contrast_loss(*contrast_input(2), temperature)


def test_contrast_refuses_anchors_of_another_shape():
    with pytest.raises(ValueError, match=r"features must have shape \(n_patients, n_modalities, dim\)"):
        anchor_contrast_loss(torch.zeros(4, 2, 6), torch.zeros(3, 6), 0.1)


def test_token_sent_to_the_sink_teaches_nothing_and_half_a_token_half():
    logits = tensor([[1.0, -1.0, 0.5]] * 3)
    target = tensor([0.5, 0.2, 0.3])
    nothing, half, whole = soft_cross_entropy(torch.stack([0 * target, target / 2, target]), logits)
    assert nothing == 0
    torch.testing.assert_close(half, whole / 2)


def test_agreement_teaches_predictions_but_not_masses():
    masses = torch.full((2, 3), 0.2, dtype=torch.float64, requires_grad=True)
    predictions = tensor([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]]).requires_grad_()
    agreement_loss(masses, predictions).backward()
    assert masses.grad is None
    assert (predictions.grad != 0).all()


def test_agreement_depends_on_shares_of_the_mass_not_on_how_much_is_transported():
    masses, predictions = tensor([[1, 2, 3], [2, 2, 1]]), tensor([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])
    torch.testing.assert_close(agreement_loss(0.1 * masses, predictions), agreement_loss(masses, predictions))


def test_agreement_is_finite_where_a_prototype_is_never_predicted():
    predictions = torch.tensor([[1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    loss = agreement_loss(torch.tensor([[0.5, 0.5], [0.5, 0.5]]), predictions)
    loss.backward()
    assert loss.isfinite()
    assert predictions.grad.isfinite().all()
