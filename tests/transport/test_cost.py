"""Costs from logits; modalities on one axis and back."""

import pytest
import torch

from sksurv_tta.transport import assignment_cost, shifted_distances, split_tokens, stack_tokens


def test_cost_is_the_negative_log_probability():
    logits = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    cost = assignment_cost(logits)
    torch.testing.assert_close(torch.exp(-cost).sum(dim=-1), torch.ones(2, 5))
    assert not cost.requires_grad
    assert cost.dtype == torch.float32
    assert assignment_cost(logits.detach().to(torch.bfloat16)).dtype == torch.float32
    assert assignment_cost(logits.double()).dtype == torch.float64
    with pytest.raises(TypeError, match="floating point"):
        assignment_cost(torch.zeros(3, 2, dtype=torch.int64))


def test_stacking_and_splitting_are_inverse():
    parts = [torch.rand(2, 3, 4), torch.rand(2, 5, 4)]
    cost, mask = stack_tokens(parts)
    assert mask is None
    assert cost.shape == (2, 8, 4)
    for part, back in zip(parts, split_tokens(cost, [3, 5]), strict=True):
        assert torch.equal(part, back)


def test_a_missing_mask_means_that_all_tokens_are_real():
    real = torch.tensor([[True, False, True], [False, False, True]])
    _, mask = stack_tokens([torch.rand(2, 3, 4), torch.rand(2, 2, 4)], [real, None])
    assert torch.equal(mask, torch.cat([real, torch.ones(2, 2, dtype=torch.bool)], dim=1))
    assert stack_tokens([torch.rand(3, 4)], [None])[1] is None


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="At least one modality"):
        stack_tokens([])
    with pytest.raises(ValueError, match="2 costs came with 1 masks"):
        stack_tokens([torch.rand(2, 3, 4)] * 2, [torch.ones(2, 3, dtype=torch.bool)])
    with pytest.raises(ValueError, match="do not add up to the 8 of the plan"):
        split_tokens(torch.rand(8, 4), [3, 4])


@pytest.mark.parametrize("squared", [False, True])
def test_shifted_distances_are_shares_of_the_largest(squared):
    rows, columns = (torch.randn(n, 5, generator=torch.Generator().manual_seed(n)) for n in (4, 3))
    got = shifted_distances(rows, columns, squared=squared)
    expected = torch.stack(
        [
            torch.stack([((r - r.min()) - (c - c.min())).norm() ** (1 + squared) for c in columns])
            for r in rows
        ]
    )
    torch.testing.assert_close(got, expected / expected.max())


def test_vectors_that_differ_by_a_constant_have_no_distance():
    rows = torch.ones(2, 3)
    assert not shifted_distances(rows, rows + 5, squared=False).any()
