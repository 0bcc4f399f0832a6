"""The mass over the course of training."""

import math

import pytest

from sksurv_tta.transport import curriculum_mass


@pytest.mark.parametrize(
    ("step", "mass"),
    [(0, 0.10606415), (25, 0.1540492), (50, 0.35785432), (75, 0.75845407), (100, 1.0), (500, 1.0)],
)
def test_values_of_the_ramp(step, mass):
    assert curriculum_mass(step, 100) == pytest.approx(mass, abs=5e-9)


def test_the_ramp_never_falls_and_ends_at_its_upper_end():
    values = [curriculum_mass(step, 40, 0.05, 0.8) for step in range(60)]
    assert values == sorted(values)
    assert values[40:] == [0.8] * 20


def test_without_a_ramp_the_mass_is_at_its_upper_end():
    assert curriculum_mass(0, 0, 0.1, 0.9) == 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 10), "step must be finite and at least 0"),
        ((math.nan, 10), "step must be finite"),
        ((0, -1), "horizon must be finite and at least 0"),
        ((0, math.inf), "horizon must be finite"),
        ((0, 10, 0.5, 0.4), "base <= upper"),
        ((0, 10, -0.1, 0.4), "0 <= base"),
        ((0, 10, 0.1, 1.1), "upper <= 1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        curriculum_mass(*arguments)
