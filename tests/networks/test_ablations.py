"""Every ablation of the paper does what it says, and nothing else."""

import pytest
import torch
from toy_patients import toy_network, toy_patients, whole_batch

from sksurv_tta.networks.together import PrototypeAssignment
from sksurv_tta.training import CoxCriterion
from sksurv_tta.training.step import accumulate_gradients
from sksurv_tta.transport import curriculum_mass

MISSING = ((1, 0), (3, 1))


@pytest.fixture
def data():
    return toy_patients(missing=MISSING)


def train_step(network, data):
    return accumulate_gradients(network.train(), whole_batch(data), CoxCriterion())


class Spy:
    """An assignment that notes its calls."""

    def __init__(self, assignment):
        self.assignment, self.calls = assignment, []

    def __call__(self, cost, mass, mask):
        plan = self.assignment(cost, mass, mask)
        self.calls.append((cost, mass, mask, plan))
        return plan


def spied(**options):
    network = toy_network(n_heads=1, **options)
    network.together.assignment = Spy(network.together.assignment)
    return network, network.together.assignment.calls


def test_the_whole_method_has_all_four_parts_of_the_objective(data):
    assert set(train_step(toy_network(), data).parts) == {"survival", "contrast", "instance", "agreement"}


# Table 2


def test_without_together_each_modality_has_its_own_prototypes_and_nothing_is_transported(data, monkeypatch):
    monkeypatch.setattr(PrototypeAssignment, "_plan", lambda *_: pytest.fail("a transport was solved"))
    network = toy_network(together=False)
    assert network.together.prototypes.shape == (2, 3, 8)
    assert [len(heads) for heads in network.together.heads] == [1, 1]
    parts = train_step(network, data).parts
    assert set(parts) == {"survival", "contrast"}


def test_without_together_the_curriculum_stands_still():
    network = toy_network(together=False)
    network.begin_training(2)
    network.begin_step()
    assert network.mass.item() == 1


def test_without_apart_there_are_no_anchors_no_refiner_and_no_contrast(data):
    network = toy_network(apart=False)
    names = [name for name, _ in network.apart.named_parameters()]
    assert names == ["to_anchor_space.0.weight", "to_anchor_space.1.weight"]
    assert set(train_step(network, data).parts) == {"survival", "instance", "agreement"}
    tokens = torch.randn(2, 2, 3, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.apart(tokens).norm(dim=-1), torch.ones(2, 2, 3))


# Table 3


def test_shared_prototypes_are_one_bank_and_otherwise_one_for_each_modality():
    assert toy_network().together.prototypes.shape == (1, 3, 8)
    network = toy_network(shared_prototypes=False)
    assert network.together.prototypes.shape == (2, 3, 8)
    assert network.together.assignment is not None
    rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    before = network.together.logits(1, 0, rows)
    network.together.prototypes.data[0] *= -1
    assert torch.equal(network.together.logits(1, 0, rows), before)


def test_separate_transport_solves_each_modality_by_itself(data):
    joint, joint_calls = spied()
    separate, separate_calls = spied(joint_transport=False)
    train_step(joint, data)
    train_step(separate, data)
    assert (len(joint_calls), len(separate_calls)) == (1, 2)
    (cost, _, mask, _), *_ = joint_calls
    assert cost.shape[1] == sum(own.shape[1] for own, *_ in separate_calls)
    assert torch.equal(mask, torch.cat([own for _, _, own, _ in separate_calls], dim=1))
    for own_cost, mass, own_mask, plan in separate_calls:
        assert own_cost.shape[0] == len(data)
        has_tokens = own_mask.any(dim=1)
        torch.testing.assert_close(plan.plan[has_tokens].sum(dim=(1, 2)), torch.full((5,), float(mass)))
        assert not plan.plan[~has_tokens].any()


# Table 4


def test_without_refinement_the_anchors_remain_for_the_contrast(data):
    network = toy_network(anchor_refinement=False)
    assert len(network.apart.refiner) == 0
    assert "contrast" in train_step(network, data).parts
    assert network.apart.anchors.grad.any()


def test_contrast_of_weight_zero_is_not_computed_and_leaves_the_same_initial_weights(data):
    network, reference = toy_network(contrastive_weight=0), toy_network()
    assert "contrast" not in train_step(network, data).parts
    for (name, own), other in zip(network.named_parameters(), reference.parameters(), strict=True):
        assert torch.equal(own, other), name


def test_one_modality_has_nothing_to_contrast():
    data = toy_patients(with_profiles=False)
    network = toy_network(data)
    assert network.apart.anchors.shape == (1, 8)
    assert set(train_step(network, data).parts) == {"survival", "instance", "agreement"}


# Table 6


def test_one_head_switches_agreement_off(data):
    network = toy_network(n_heads=1)
    result = train_step(network, data)
    assert "agreement" not in result.parts
    assert result.statistics == {}
    network.end_step(result.statistics)
    assert network.together.selected_heads.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("assignment", "rows_sum_to", "columns_are_even"),
    [
        ("curriculum", None, False),
        ("unbalanced", 1.0, False),
        ("balanced", 1.0, True),
        ("kmeans", 1.0, False),
        ("softmax", 1.0, False),
    ],
)
def test_assignments_differ_in_the_marginals_of_their_plan(data, assignment, rows_sum_to, columns_are_even):
    network, calls = spied(assignment=assignment)
    network.begin_training(5)
    network.begin_step()
    train_step(network, data)
    _, mass, mask, result = calls[0]
    rows = result.plan.sum(dim=2) * mask.sum(dim=1, keepdim=True)
    columns = result.plan.sum(dim=1)
    if rows_sum_to is None:
        assert mass == pytest.approx(0.10606415)
        torch.testing.assert_close(columns.sum(dim=1), torch.full((6,), mass))
        assert (rows[mask] <= 1 + 1e-5).all()
    else:
        torch.testing.assert_close(rows[mask], torch.ones(int(mask.sum())), rtol=1e-3, atol=0)
    assert torch.allclose(columns, torch.full_like(columns, 1 / 3), atol=1e-3) == columns_are_even
    hard = ((result.plan == 0) | (result.plan == result.plan.amax(dim=2, keepdim=True))).all()
    assert bool(hard) == (assignment == "kmeans")


def test_only_the_curriculum_follows_the_steps():
    for assignment in ("unbalanced", "balanced", "kmeans", "softmax"):
        network = toy_network(assignment=assignment)
        network.begin_training(5)
        network.begin_step()
        assert network.mass.item() == 1


@pytest.mark.parametrize("n_prototypes", [1, 5])
def test_number_of_prototypes_is_the_number_of_tokens_that_fusion_sees(data, n_prototypes):
    network = toy_network(n_prototypes=n_prototypes)
    seen = []
    network.fuse.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    train_step(network, data)
    assert seen == [(6, 2, n_prototypes, 8)]


@pytest.mark.parametrize(("name", "value"), [("kl_weight", 2.5), ("epsilon", 0.7)])
def test_weights_of_the_transport_reach_the_solver(name, value):
    assert getattr(toy_network(**{name: value}).together.assignment, name) == value
    assert getattr(toy_network().together.assignment, name) == 0.1


def test_stronger_kl_weight_uses_prototypes_more_evenly(data):
    spreads = []
    for kl_weight in (0.01, 1.0, 100.0):
        network, calls = spied(kl_weight=kl_weight)
        network.mass.fill_(0.5)
        train_step(network, data)
        spreads.append(calls[0][3].plan.sum(dim=1).std(dim=1).mean().item())
    assert spreads[0] > spreads[1] > spreads[2]


@pytest.mark.parametrize(
    ("option", "part"),
    [("instance_weight", "instance"), ("contrastive_weight", "contrast"), ("agreement_weight", "agreement")],
)
def test_weight_of_a_loss_scales_its_share_of_the_objective(data, option, part):
    light, heavy = (train_step(toy_network(**{option: weight}), data) for weight in (0.25, 0.75))
    assert light.parts == heavy.parts
    assert (heavy.loss - light.loss).item() == pytest.approx(0.5 * light.parts[part], rel=1e-4)


def test_instance_loss_of_weight_zero_teaches_nothing(data):
    network = toy_network(n_heads=1, instance_weight=0.0, assignment_mix=1.0, contrastive_weight=0.0)
    train_step(network, data)
    # With transported weights alone and no instance loss the heads are not reached by any gradient.
    assert not any(p.grad is not None and p.grad.any() for p in network.together.heads.parameters())


def test_prototype_temperature_divides_the_logits():
    rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    cold, warm = toy_network(prototype_temperature=0.25), toy_network(prototype_temperature=1.0)
    torch.testing.assert_close(cold.together.logits(0, 0, rows), 4 * warm.together.logits(0, 0, rows))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_assignment_mix_of_zero_is_the_softmax_and_of_one_the_plan(data, share):
    network, calls = spied(assignment_mix=share)
    network.mass.fill_(0.5)
    mix, seen = network.together.mix, []

    def noting(logits, plan):
        seen.append((mix(logits, plan), logits, plan))
        return seen[-1][0]

    network.together.mix = noting
    train_step(network, data)
    mixed, logits, plan = seen[0]
    for got, own, target in zip(mixed, logits, plan, strict=True):
        expected = own.values.softmax(dim=1) if share == 0 else target.values
        torch.testing.assert_close(got.values, expected)
    assert len(calls) == 1


# Eq. (9)


def test_mass_follows_the_sigmoid_ramp_of_the_paper_step_by_step():
    network = toy_network(mass_ramp_epochs=2)
    network.begin_training(steps_per_epoch=2)
    masses = []
    for _ in range(6):
        network.begin_step()
        masses.append(network.mass.item())
    assert masses == pytest.approx([0.10606415, 0.1540492, 0.35785432, 0.75845407, 1, 1], abs=1e-7)


def test_ends_and_length_of_the_ramp_are_arguments():
    network = toy_network(mass_base=0.3, mass_upper=0.6, mass_ramp_epochs=1.5)
    network.begin_training(steps_per_epoch=2)
    for step in range(5):
        network.begin_step()
        assert network.mass.item() == pytest.approx(curriculum_mass(step, 3, 0.3, 0.6))
    assert network.mass.item() == 0.6


def test_ramp_of_no_epochs_starts_at_the_upper_mass():
    network = toy_network(mass_ramp_epochs=0, mass_upper=0.8)
    network.begin_training(steps_per_epoch=3)
    network.begin_step()
    assert network.mass.item() == 0.8


def test_training_that_goes_on_does_not_start_the_ramp_again():
    network = toy_network(mass_ramp_epochs=1)
    network.begin_training(steps_per_epoch=2)
    for _ in range(2):
        network.begin_step()
    network.begin_training(steps_per_epoch=2)
    network.begin_step()
    assert network.mass.item() == 1


def test_prediction_uses_the_mass_that_training_ended_with(data):
    network, calls = spied()
    network.begin_training(10)
    network.begin_step()
    train_step(network, data)
    assert calls[0][1] == network.mass.item() == pytest.approx(curriculum_mass(0, 100))


# Table 7 and the rest


def test_contrastive_temperature_reaches_the_contrast():
    assert toy_network(contrastive_temperature=0.7).apart.contrast_temperature == 0.7


@pytest.mark.parametrize("n_layers", [0, 1, 2])
def test_numbers_of_attention_layers_are_arguments(n_layers, data):
    network = toy_network(refiner_layers=n_layers, coattention_layers=3 - n_layers)
    assert (len(network.apart.refiner), len(network.fuse.coattention)) == (n_layers, 3 - n_layers)
    assert train_step(network, data).loss.isfinite()


def test_dropout_of_zero_makes_training_and_evaluation_mode_equal():
    tokens = torch.randn(3, 2, 4, 6, generator=torch.Generator().manual_seed(0))
    present = torch.ones(3, 2, dtype=torch.bool)
    for dropout, equal in ((0.0, True), (0.3, False)):
        network = toy_network(dropout=dropout)
        in_training = network.train()(tokens, present).prediction
        assert torch.equal(in_training, network.eval()(tokens, present).prediction) == equal


def test_dropout_reaches_encoders_attention_and_fusion():
    network = toy_network(dropout=0.25)
    places = {name for name, module in network.named_modules() if type(module).__name__ == "Dropout"}
    assert places == {
        "instance_encoders.0.dropout",
        "pathway_encoder.dropout",
        "apart.refiner.0.dropout",
        "fuse.coattention.0.dropout",
        "fuse.fuse.2",
    }
    assert {network.get_submodule(name).n_dropped_bytes for name in places} == {64}
