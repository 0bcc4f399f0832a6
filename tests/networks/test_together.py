"""TOGETHER, equation by equation, against loops over patients, tokens and prototypes."""

import pytest
import torch
from naive_network import log_softmax, unit
from toy_patients import toy_network

from sksurv_tta.networks import Ragged
from sksurv_tta.networks.together import aggregate, instance_loss, random_rows
from sksurv_tta.transport import curriculum_transport

LENGTHS = ((4, 1, 0), (2, 2, 2))  # of three patients in two modalities; one lacks the first


def random_ragged(lengths, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Ragged(torch.randn(sum(lengths), dim, generator=generator), lengths)


@pytest.fixture
def together():
    return toy_network().together


@pytest.fixture
def tokens():
    return [random_ragged(lengths, seed=m) for m, lengths in enumerate(LENGTHS)]


def test_logits_are_cosines_over_the_temperature(together, tokens):
    rows = tokens[0].values
    logits = together.logits(0, 1, rows)
    head, bank = together.heads[0][1], together.prototypes[0]
    for i, row in enumerate(rows):
        projected = head.weight @ row + head.bias
        for k, prototype in enumerate(bank):
            cosine = projected @ prototype / (projected.norm() * prototype.norm())
            assert logits[i, k].item() == pytest.approx(cosine.item() / 0.5, rel=1e-5)


def test_all_heads_at_once_give_the_logits_of_each(together, tokens):
    at_once = together._all_logits(1, tokens[1].values)
    for head in range(2):
        torch.testing.assert_close(at_once[:, head], together.logits(1, head, tokens[1].values))


@pytest.mark.parametrize("mass", [0.05, 0.4, 1.0])
def test_one_plan_per_patient_ties_all_its_modalities_together(together, tokens, mass):
    logits = together.leading_logits(tokens)
    transported = together.transported_weights(logits, mass)
    for patient, own in enumerate(zip(*logits, strict=True)):
        stacked = torch.cat(list(own)).double()
        plan = curriculum_transport(-log_softmax(stacked), mass, tol=1e-9).plan
        got = torch.cat([list(rows)[patient] for rows in transported])
        torch.testing.assert_close(got.double(), len(stacked) * plan, rtol=1e-3, atol=1e-4)
        assert got.sum().item() == pytest.approx(mass * len(stacked), rel=1e-4)
        assert (got.sum(dim=1) <= 1 + 1e-5).all()


def test_transport_carries_no_gradient(together, tokens):
    transported = together.transported_weights(together.leading_logits(tokens), 0.4)
    assert not any(rows.values.requires_grad for rows in transported)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixing_is_a_weighted_mean_whose_rows_are_not_normalised_again(together, tokens, share):
    together.assignment_mix = share
    logits = together.leading_logits(tokens)
    transported = together.transported_weights(logits, 0.4)
    for rows, own, target in zip(together.mix(logits, transported), logits, transported, strict=True):
        expected = (1 - share) * log_softmax(own.values).exp() + share * target.values
        torch.testing.assert_close(rows.values, expected)
        torch.testing.assert_close(rows.values.sum(dim=1), 1 - share + share * target.values.sum(dim=1))


def test_without_transport_the_weights_are_the_softmax(together, tokens):
    logits = together.leading_logits(tokens)
    for rows, own in zip(together.mix(logits, None), logits, strict=True):
        torch.testing.assert_close(rows.values, own.values.softmax(dim=1))


def test_aggregation_sums_weighted_tokens_of_one_patient(tokens):
    weights = [random_ragged(lengths, dim=3, seed=5) for lengths in LENGTHS]
    got = aggregate(weights, tokens)
    assert got.shape == (3, 2, 3, 6)
    for modality in range(2):
        for patient, (w, x) in enumerate(zip(weights[modality], tokens[modality], strict=True)):
            for k in range(3):
                expected = sum((w[i, k] * x[i] for i in range(len(x))), torch.zeros(6))
                torch.testing.assert_close(got[patient, modality, k], expected)


def test_instance_loss_is_a_mean_over_tokens_and_a_sum_over_modalities():
    logits = [random_ragged(lengths, dim=3, seed=m) for m, lengths in enumerate(LENGTHS)]
    targets = [random_ragged(lengths, dim=3, seed=m + 2) for m, lengths in enumerate(LENGTHS)]
    got = instance_loss(logits, targets)
    for patient in range(3):
        expected = 0.0
        for own, target in zip(logits, targets, strict=True):
            rows, pi = list(own)[patient], list(target)[patient]
            if len(rows):
                expected -= sum((pi[i] * log_softmax(rows)[i]).sum().item() for i in range(len(rows))) / len(
                    rows
                )
        assert got[patient].item() == pytest.approx(expected, rel=1e-5)


def test_prototype_directions_do_not_depend_on_the_size_of_the_bag():
    network = toy_network(with_profiles=False)
    bag = random_ragged((5,)).values
    once, twice = (
        network.together([Ragged(bag.repeat(times, 1), (5 * times,))], 0.4).prototype_tokens
        for times in (1, 2)
    )
    torch.testing.assert_close(twice, 2 * once, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(unit(twice), unit(once), rtol=1e-3, atol=1e-3)


def test_views_are_distinct_rows_in_random_order():
    torch.manual_seed(0)
    rows = random_rows(50, 40, torch.device("cpu"))
    assert len(set(rows.tolist())) == 40
    assert rows.tolist() != sorted(rows.tolist())
    assert sorted(random_rows(3, 10, torch.device("cpu")).tolist()) == [0, 1, 2]


# Heads


def test_agreement_is_measured_only_for_patients_with_a_weight_and_scales_with_it(together, tokens):
    torch.manual_seed(0)
    result = together(tokens, 0.4, view_weights=torch.tensor([0.0, 2.0, 0.0]))
    losses, counts = result.losses["agreement"], result.statistics["agreement_counts"]
    assert losses[0] == losses[2] == 0
    assert losses[1] > 0
    assert counts.tolist() == [[1], [1]]
    mean = result.statistics["agreement_sums"].sum() / 2  # two heads
    torch.testing.assert_close(losses[1].detach(), 2 * mean)


def test_patient_without_a_modality_takes_no_part_in_its_agreement(together, tokens):
    result = together(tokens, 0.4, view_weights=torch.tensor([0.0, 0.0, 3.0]))
    assert result.statistics["agreement_counts"].tolist() == [[0], [1]]
    assert not result.statistics["agreement_sums"][0].any()


def test_agreement_is_not_measured_outside_training(together, tokens):
    assert set(together(tokens, 0.4).losses) == {"instance"}


def statistics(sums, counts):
    return {"agreement_sums": torch.tensor(sums), "agreement_counts": torch.tensor(counts)}


def test_head_with_the_lowest_running_agreement_leads(together):
    together.update_leading_heads(statistics([[4.0, 2.0], [1.0, 3.0]], [[2.0], [2.0]]))
    torch.testing.assert_close(together.running_agreement, torch.tensor([[2.0, 1.0], [0.5, 1.5]]))
    assert together.selected_heads.tolist() == [1, 0]
    # One step with the opposite order does not turn a running mean around.
    together.update_leading_heads(statistics([[1.0, 2.0], [3.0, 1.0]], [[1.0], [1.0]]))
    torch.testing.assert_close(together.running_agreement, torch.tensor([[1.9, 1.1], [0.75, 1.45]]))
    assert together.selected_heads.tolist() == [1, 0]
    for _ in range(20):
        together.update_leading_heads(statistics([[1.0, 2.0], [3.0, 1.0]], [[1.0], [1.0]]))
    assert together.selected_heads.tolist() == [0, 1]


def test_step_in_which_a_modality_took_no_part_changes_nothing_about_its_heads(together):
    together.update_leading_heads(statistics([[4.0, 2.0], [0.0, 0.0]], [[2.0], [0.0]]))
    assert together.selected_heads.tolist() == [1, 0]
    assert together.running_agreement[1].isnan().all()
    together.update_leading_heads(statistics([[0.0, 0.0], [3.0, 1.0]], [[0.0], [1.0]]))
    torch.testing.assert_close(together.running_agreement, torch.tensor([[2.0, 1.0], [3.0, 1.0]]))
    assert together.selected_heads.tolist() == [1, 1]
    together.update_leading_heads({})
    assert together.selected_heads.tolist() == [1, 1]


def test_leading_head_is_the_one_that_transport_and_pooling_use(together, tokens):
    first = together(tokens, 0.4).prototype_tokens
    together.selected_heads.fill_(1)
    second = together(tokens, 0.4).prototype_tokens
    assert not torch.allclose(first, second)
    rows = together.leading_logits(tokens)[0].values
    assert torch.equal(rows, together.logits(0, 1, tokens[0].values))


def test_saved_state_keeps_leading_heads_running_agreement_and_mass():
    network, other = toy_network(seed=0), toy_network(seed=1)
    network.together.update_leading_heads(statistics([[4.0, 2.0], [3.0, 1.0]], [[2.0], [2.0]]))
    network.begin_training(3)
    for _ in range(5):
        network.begin_step()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.together.running_agreement, network.together.running_agreement)
    assert other.together.selected_heads.tolist() == [1, 1]
    assert other.mass.item() == network.mass.item() != 0.1
    assert other.steps_done.item() == 5
    other.begin_training(99)
    network.begin_step()
    other.begin_step()
    assert other.mass.item() == network.mass.item()


def test_a_group_of_which_nobody_has_a_modality_has_zero_tokens_there():
    weights = [random_ragged(lengths, dim=3, seed=1) for lengths in ((0, 0), (2, 2))]
    got = aggregate(weights, [random_ragged(lengths, seed=2) for lengths in ((0, 0), (2, 2))])
    assert got.shape == (2, 2, 3, 6)
    assert not got[:, 0].any()
    assert got[:, 1].all()
