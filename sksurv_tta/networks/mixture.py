"""A patient's bag as a Gaussian mixture, one step away from the cohort's prototypes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mixture_step"]


@torch.no_grad()
def mixture_step(points: Tensor, centres: Tensor, strength: float) -> tuple[Tensor, Tensor, Tensor]:
    r"""One step of expectation and maximum a posteriori for a mixture with diagonal covariances.

    Before the step every component has variance one, weight :math:`1 / K` and its prototype
    :math:`m_k` as mean. With responsibilities :math:`q_{nk}` and :math:`s_k = \sum_n q_{nk}`,

    .. math::

        \pi_k = \frac{s_k + \tau}{\sum_l (s_l + \tau)}, \quad
        \mu_k = \frac{\sum_n q_{nk} x_n + \tau m_k}{s_k + \tau}, \quad
        \sigma_k^2 = \frac{\sum_n q_{nk} x_n^2 + \tau (1 + m_k^2)}{s_k + \tau} - \mu_k^2 .

    Parameters
    ----------
    points : Tensor of shape (n_points, dim)
    centres : Tensor of shape (K, dim)
        :math:`m_k`.
    strength : float
        :math:`\tau > 0`, of the prior.

    Returns
    -------
    weights : Tensor of shape (K,)
    means, variances : Tensor of shape (K, dim)
    """
    dtype = points.dtype
    # In float64: a variance is a small difference of large squares.
    points, centres = points.double(), centres.double()
    scores = points @ centres.T - centres.square().sum(dim=1) / 2
    responsibilities = scores.softmax(dim=1)  # (n_points, K)
    total = responsibilities.sum(dim=0) + strength
    means = (responsibilities.T @ points + strength * centres) / total.unsqueeze(1)
    squares = responsibilities.T @ points.square() + strength * (1 + centres.square())
    variances = squares / total.unsqueeze(1) - means.square()
    return (total / total.sum()).to(dtype), means.to(dtype), variances.to(dtype)
