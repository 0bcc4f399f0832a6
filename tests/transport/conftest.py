"""Costs and slow references for the transport tests."""

import importlib.util
from pathlib import Path

import pytest
import torch


def _unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


def make_cost(kind, *shape, n_prototypes=8, seed=0, dtype=torch.float64):
    """-log softmax of cosine logits: "random" directions, or "peaked" as after training."""
    generator = torch.Generator().manual_seed(seed)
    prototypes = _unit(torch.randn(n_prototypes, 64, generator=generator, dtype=torch.float64))
    noise = torch.randn(*shape, 64, generator=generator, dtype=torch.float64)
    tokens = noise
    if kind == "peaked":
        usage = torch.softmax(1.5 * torch.randn(n_prototypes, generator=generator, dtype=torch.float64), 0)
        flat = torch.multinomial(usage, noise[..., 0].numel(), replacement=True, generator=generator)
        tokens = prototypes[flat].view(*shape, 64) + 0.1 * noise
    return -torch.log_softmax(_unit(tokens) @ prototypes.T / 0.5, dim=-1).to(dtype)


@pytest.fixture(scope="session")
def reference():
    path = Path(__file__).parents[1] / "reference" / "printed_transport.py"
    spec = importlib.util.spec_from_file_location("printed_transport", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cost_of():
    return make_cost


@pytest.fixture
def distance():
    """L1 distance of two plans relative to the mass of the second, the worst bag."""

    def distance(plan, wanted):
        error = (plan.to(torch.float64) - wanted.to(torch.float64)).abs().sum(dim=(-2, -1))
        return float((error / wanted.to(torch.float64).sum(dim=(-2, -1))).max())

    return distance
