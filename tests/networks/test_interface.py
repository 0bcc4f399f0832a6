import pytest
import torch

from sksurv_tta.networks import PatientGroup, Ragged


def ragged(*lengths):
    return Ragged(torch.arange(2.0 * sum(lengths)).view(-1, 2), lengths)


@pytest.mark.parametrize("lengths", [(3,), (3, 3), (3, 1, 3, 2), (1, 2, 3)])
def test_patients_with_equally_many_rows_are_met_together_and_come_back_in_their_places(lengths):
    rows, seen = ragged(*lengths), []

    def reversed_rows(stacked):
        seen.append(tuple(stacked.shape[:2]))
        return stacked.flip(1)

    found = rows.by_length(reversed_rows)
    assert sorted(seen) == sorted((lengths.count(n), n) for n in set(lengths))
    assert found.lengths == lengths
    for got, own in zip(found, rows, strict=True):
        assert torch.equal(got, own.flip(0))


def test_gradients_go_back_to_the_rows_they_came_from():
    rows = ragged(2, 1, 2)
    rows.values.requires_grad_()
    weights = torch.arange(5.0).unsqueeze(1)
    (rows.by_length(lambda stacked: 3 * stacked).values * weights).sum().backward()
    assert torch.equal(rows.values.grad, (3 * weights).expand(5, 2))


def test_rows_are_joined_in_the_order_of_patients():
    rows = ragged(2, 0, 1)
    joined = Ragged.of(list(rows))
    assert joined.lengths == rows.lengths
    assert torch.equal(joined.values, rows.values)


def test_profile_tokens_are_the_rows_of_each_patient():
    group = PatientGroup((), ragged(3, 3))
    assert torch.equal(group.profile_tokens()[1], list(group.profile_rows())[1])
    with pytest.raises(ValueError, match="no expression"):
        PatientGroup((ragged(2),), None).profile_rows()
