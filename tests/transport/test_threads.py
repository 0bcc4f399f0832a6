"""Small problems run on one thread, whatever the caller allows, and give the caller's number back."""

import pytest
import torch

from sksurv_tta.exceptions import NonFiniteCostError
from sksurv_tta.transport import curriculum_transport
from sksurv_tta.transport._threads import LEAST_SHARED, threads_for


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("shape", "expected"), [((40, 8), 1), ((9, 40, 8), 1), ((LEAST_SHARED // 8, 8), 2)])
def test_a_huge_bag_alone_is_worth_more_than_one_thread(shape, expected):
    with threads_for(torch.empty(shape, device="meta")):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 2


def test_plans_have_the_same_bits_on_any_number_of_threads():
    cost = torch.rand(3, 2000, 16, generator=torch.Generator().manual_seed(0))
    on_two = curriculum_transport(cost, 0.4).plan
    torch.set_num_threads(1)
    assert torch.equal(curriculum_transport(cost, 0.4).plan, on_two)


def test_an_error_gives_the_number_of_threads_back():
    with pytest.raises(NonFiniteCostError, match="1 of 1 bags"):
        curriculum_transport(torch.full((4, 2), torch.nan), 0.4)
    assert torch.get_num_threads() == 2
