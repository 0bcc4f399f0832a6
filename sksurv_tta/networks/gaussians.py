"""Gaussians with a variance for each dimension: draws, products and distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sksurv_tta.networks.randomness import current_generator

__all__ = ["Gaussian", "product_of_experts"]


class Gaussian(NamedTuple):
    """Independent normal distributions of the entries of a tensor.

    Parameters
    ----------
    mean, log_variance : Tensor of shape (..., dim)
    """

    mean: Tensor
    log_variance: Tensor

    def at(self, index: Tensor) -> Gaussian:
        """Those of some rows, or of one."""
        return Gaussian(self.mean[index], self.log_variance[index])

    def draw(self, n_draws: int = 1) -> Tensor:
        """Mean of ``n_draws`` draws: (..., dim). The gradient goes through to both parameters."""
        noise = torch.empty(n_draws, *self.mean.shape, dtype=self.mean.dtype, device=self.mean.device)
        noise = noise.normal_(generator=current_generator()).mean(dim=0)
        return self.mean + noise * (self.log_variance / 2).exp()

    def divergence_from_standard(self) -> Tensor:
        r"""Kullback-Leibler divergence from mean 0 and variance 1, summed over ``dim``: (...).

        .. math:: \tfrac12 \sum_d \left( \mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2 \right)
        """
        terms = self.mean**2 + self.log_variance.exp() - 1 - self.log_variance
        return terms.sum(dim=-1) / 2

    def squared_wasserstein(self, other: Gaussian) -> Tensor:
        r"""Square of the 2-Wasserstein distance: (...).

        .. math:: \sum_d (\mu_d - \mu'_d)^2 + (\sigma_d - \sigma'_d)^2
        """
        scales = (self.log_variance / 2).exp() - (other.log_variance / 2).exp()
        return ((self.mean - other.mean) ** 2 + scales**2).sum(dim=-1)

    @classmethod
    def standard_like(cls, values: Tensor) -> Gaussian:
        """Mean 0 and variance 1 in the shape of ``values``."""
        return cls(torch.zeros_like(values), torch.zeros_like(values))


def product_of_experts(experts: Sequence[Gaussian], weights: Tensor | None = None) -> Gaussian:
    r"""Normalised product of Gaussian densities, each to the power of its weight.

    .. math::

        \sigma^{-2} = \sum_m w_m \sigma_m^{-2}, \qquad
        \mu = \sigma^2 \sum_m w_m \sigma_m^{-2} \mu_m

    Parameters
    ----------
    experts : sequence of Gaussian
        All of one shape.
    weights : Tensor of shape (n_experts,), optional
        :math:`w_m`; by default all one.
    """
    means = torch.stack([expert.mean for expert in experts])
    log_precisions = -torch.stack([expert.log_variance for expert in experts])
    if weights is not None:
        log_precisions = log_precisions + weights.log().view(-1, *[1] * (means.dim() - 1))
    total = torch.logsumexp(log_precisions, dim=0)
    return Gaussian((means * (log_precisions - total).exp()).sum(dim=0), -total)
