"""Entropic transport with both marginals relaxed, by scaling in the logarithmic domain."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sksurv_tta.transport._problem import refuse_non_finite
from sksurv_tta.transport.result import TransportPlan

__all__ = ["REFERENCES", "kl_unbalanced_transport"]

REFERENCES = ("entropy", "product")


@torch.no_grad()
def kl_unbalanced_transport(
    cost: Tensor,
    *,
    kl_weight: float = 0.5,
    epsilon: float = 0.1,
    reference: str = "entropy",
    tol: float = 1e-6,
    max_iterations: int = 1000,
) -> TransportPlan:
    r"""Plan that trades its cost against the entropy and the distance of both marginals from uniform.

    .. math::

        \min_T \langle T, C \rangle + \epsilon R(T)
            + \tau [\mathrm{KL}(T 1 \,|\, a) + \mathrm{KL}(T^\top 1 \,|\, b)]

    Unlike in balanced transport the reference of the entropy changes the mass that is moved.

    Parameters
    ----------
    cost : Tensor of shape (N, K)
        Finite.
    kl_weight : float
        :math:`\tau > 0`, for both marginals.
    epsilon : float
        > 0.
    reference : {"entropy", "product"}
        :math:`R` is the negative entropy of the plan, or its divergence from the product of the
        uniform marginals.
    tol : float
        Largest change of a potential, in units of epsilon, at which the iteration ends.
    max_iterations : int

    Returns
    -------
    TransportPlan
        Of the cost's type; the residual is the last change.

    Raises
    ------
    ValueError
        If a parameter is out of range or the shape is wrong.
    NonFiniteCostError
        If a cost is NaN or infinite.
    """
    _check(cost, kl_weight=kl_weight, epsilon=epsilon, reference=reference)
    n_rows, n_columns = cost.shape
    log_kernel = cost.double() / -epsilon
    refuse_non_finite(torch.isfinite(log_kernel.sum()).unsqueeze(0))
    log_a, log_b = -math.log(n_rows), -math.log(n_columns)
    if reference == "product":
        log_kernel += log_a + log_b
    relaxation = kl_weight / (kl_weight + epsilon)
    rows = torch.zeros_like(log_kernel[:, 0])
    columns = torch.zeros_like(log_kernel[0])
    change, n_done = math.inf, 0
    while change > tol and n_done < max_iterations:
        before = rows, columns
        rows = relaxation * (log_a - torch.logsumexp(log_kernel + columns, dim=1))
        columns = relaxation * (log_b - torch.logsumexp(log_kernel + rows.unsqueeze(1), dim=0))
        change = max((rows - before[0]).abs().max().item(), (columns - before[1]).abs().max().item())
        n_done += 1
    plan = (log_kernel + rows.unsqueeze(1) + columns).exp()
    return TransportPlan(
        plan.to(cost.dtype),
        torch.tensor(change, dtype=torch.float64),
        torch.tensor(n_done),
        torch.tensor(change <= tol),
    )


def _check(cost: Tensor, *, kl_weight: float, epsilon: float, reference: str) -> None:
    if cost.dim() != 2 or 0 in cost.shape:
        raise ValueError(f"The cost must be (N, K) with N, K >= 1, got {tuple(cost.shape)}.")
    for name, value in {"kl_weight": kl_weight, "epsilon": epsilon}.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be finite and greater than 0, got {value}.")
    if reference not in REFERENCES:
        raise ValueError(f"reference must be one of {', '.join(REFERENCES)}, got {reference!r}.")
