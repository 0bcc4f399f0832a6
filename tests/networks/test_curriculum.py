import pytest
import torch

from sksurv_tta.networks.curriculum import MassCurriculum


def test_mass_rises_from_the_base_to_one_and_stays():
    curriculum = MassCurriculum(0.1, ramp_epochs=2)
    curriculum.begin_training(5)
    curriculum.begin_training(99)  # a training that goes on keeps its horizon
    masses = []
    for _ in range(12):
        curriculum.begin_step()
        masses.append(curriculum.mass.item())
    expected = [min(1.0, 0.1 + 2.718281828459045 ** (-5 * (1 - step / 10) ** 2)) for step in range(10)]
    assert masses == pytest.approx([*expected, 1.0, 1.0])


@pytest.mark.parametrize(
    ("name", "value"), [("mass", 0.0), ("mass", 1.5), ("steps_done", -1), ("ramp_steps", -1)]
)
def test_impossible_states_are_named(name, value):
    curriculum = MassCurriculum(0.1, 2)
    curriculum.begin_training(5)
    state = {f"own.{key}": each.clone() for key, each in curriculum.state_dict().items()}
    assert curriculum.check_state(state, "own") == []
    state[f"own.{name}"] = torch.tensor(value)
    assert curriculum.check_state(state, "own") == [f"buffer 'own.{name}' holds impossible values"]
