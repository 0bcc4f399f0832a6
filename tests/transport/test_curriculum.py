"""Curriculum transport: what every plan must obey."""

import torch

from sksurv_tta.transport import curriculum_transport


def test_constant_cost_gives_every_entry_the_same_mass():
    result = curriculum_transport(torch.full((7, 3), 2.0), 0.4)
    torch.testing.assert_close(result.plan, torch.full((7, 3), 0.4 / 21))
    assert result.converged
