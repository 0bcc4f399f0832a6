"""Slow references for the transport: the paper's Algorithm 2, and an iteration of our own.

Both are in float64, bag by bag, and share no code with the package. `printed_transport` is the paper's
iteration with the exponent of the sink set to exactly 1, its limit for iota -> infinity.
`exact_sink_transport` solves the sink by bisection after every row update, so that the mass is right from
the first sweep on; it works in logs and takes any epsilon.
"""

from __future__ import annotations

import math

import torch


def printed_transport(cost, mass, *, kl_weight=0.1, epsilon=0.1, tol=1e-13, max_sweeps=200_000):
    """Algorithm 2 in scaling form; returns the plan (N, K) and the number of sweeps.

    Stops when no scaling factor changes by more than `tol`, relative to itself. The rows of the kernel are
    divided by their largest entry, the sink's included, which changes u but not the plan.
    """
    cost = cost.to(torch.float64)
    n_tokens, n_prototypes = cost.shape
    extended = torch.cat([cost, torch.zeros(n_tokens, 1, dtype=torch.float64)], dim=1)
    kernel = torch.exp((extended.amin(dim=1, keepdim=True) - extended) / epsilon)
    prior = torch.full((n_prototypes + 1,), mass / n_prototypes, dtype=torch.float64)
    prior[-1] = 1.0 - mass
    exponent = torch.full_like(prior, kl_weight / (kl_weight + epsilon))
    exponent[-1] = 1.0
    v = torch.ones_like(prior)
    sweeps = 0
    while sweeps < max_sweeps:
        sweeps += 1
        u = (1.0 / n_tokens) / (kernel @ v)
        new = (prior / (kernel.T @ u)) ** exponent
        change = ((new - v).abs() / new.clamp_min(1e-300)).max()
        v = new
        if change < tol:
            break
    u = (1.0 / n_tokens) / (kernel @ v)
    return (u[:, None] * kernel * v)[:, :n_prototypes], sweeps


def exact_sink_transport(cost, mass, *, kl_weight=0.1, epsilon=0.1, tol=1e-13, max_sweeps=50_000):
    """Scaling in logs with the sink solved by bisection in each sweep; returns the plan (N, K)."""
    cost = cost.to(torch.float64)
    n_tokens, n_prototypes = cost.shape
    log_kernel = -cost / epsilon
    decay = epsilon / kl_weight
    potential = torch.zeros(n_prototypes, dtype=torch.float64)
    for _ in range(max_sweeps):
        scores = log_kernel + potential
        rows = torch.logsumexp(scores, dim=1)
        share = _transported(rows, mass)
        column = torch.logsumexp(scores + (share.log() - rows)[:, None], dim=0) - math.log(n_tokens)
        # The column mass is mass / K exp(-t h); all columns have `mass`, which fixes the translation.
        new = (math.log(mass / n_prototypes) - column + potential) / (1.0 + decay)
        new = new + torch.log(torch.exp(-decay * new).mean()) / decay
        change = (new - potential).abs().max()
        potential = new
        if change < tol * max(1.0, float(new.abs().max())):
            break
    scores = log_kernel + potential
    rows = torch.logsumexp(scores, dim=1)
    share = _transported(rows, mass)
    return torch.exp(scores - rows[:, None]) * share[:, None] / n_tokens


def _transported(rows, mass):
    """Share of each token that goes to prototypes, so that the mean is `mass`."""
    if mass == 1.0:
        return torch.ones_like(rows)
    target = math.log(mass / (1.0 - mass))
    low, high = rows.min() - target - 1.0, rows.max() - target + 1.0
    for _ in range(70):
        middle = 0.5 * (low + high)
        if torch.sigmoid(rows - middle).mean() > mass:
            low = middle
        else:
            high = middle
    return torch.sigmoid(rows - 0.5 * (low + high))
