"""Unbalanced optimal transport of tokens to prototypes."""

from sksurv_tta.transport.cost import assignment_cost, shifted_distances, split_tokens, stack_tokens
from sksurv_tta.transport.implicit import differentiable_transport
from sksurv_tta.transport.kl_unbalanced import REFERENCES, kl_unbalanced_transport
from sksurv_tta.transport.result import TransportPlan
from sksurv_tta.transport.schedule import curriculum_mass
from sksurv_tta.transport.solver import curriculum_transport
from sksurv_tta.transport.variants import (
    ASSIGNMENTS,
    Assignment,
    BalancedTransport,
    CurriculumTransport,
    NearestPrototype,
    SoftmaxAssignment,
    UnbalancedTransport,
    make_assignment,
)

__all__ = [
    "ASSIGNMENTS",
    "REFERENCES",
    "Assignment",
    "BalancedTransport",
    "CurriculumTransport",
    "NearestPrototype",
    "SoftmaxAssignment",
    "TransportPlan",
    "UnbalancedTransport",
    "assignment_cost",
    "curriculum_mass",
    "curriculum_transport",
    "differentiable_transport",
    "kl_unbalanced_transport",
    "make_assignment",
    "shifted_distances",
    "split_tokens",
    "stack_tokens",
]
