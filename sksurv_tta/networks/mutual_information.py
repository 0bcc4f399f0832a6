"""An upper bound of the information that two vectors share, from pairs and from strangers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sksurv_tta.networks.pooling import relu_layer

__all__ = ["InformationBound"]


class InformationBound(nn.Module):
    r"""Contrastive upper bound with a Gaussian guess of one vector from the other.

    With :math:`q(y \mid x)` of mean :math:`f(x)` and variance one, the bound is

    .. math:: \frac1B \sum_i \log q(y_i \mid x_i) - \frac1{B^2} \sum_{i,j} \log q(y_j \mid x_i)

    It holds as far as the guess is good, so the guess has a loss of its own.

    Parameters
    ----------
    n_inputs, n_outputs, hidden_dim : int
        Widths of x, of y and of the layer between them.
    """

    def __init__(self, n_inputs: int, n_outputs: int, hidden_dim: int):
        super().__init__()
        self.guess = nn.Sequential(relu_layer(n_inputs, hidden_dim), nn.Linear(hidden_dim, n_outputs))

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Compare (n_patients, n_inputs) with (n_patients, n_outputs).

        Returns
        -------
        bound : Tensor, scalar
            Teaches x and y only.
        misfit : Tensor, scalar
            Mean of minus log q of the pairs, without its constant; teaches the guess only.
        """
        misfit = squared_distance(self.guess(x.detach()).float(), y.detach()).mean() / 2
        fixed = {name: values.detach() for name, values in self.guess.named_parameters()}
        guessed = functional_call(self.guess, fixed, (x,)).float()
        of_pairs = squared_distance(guessed, y).mean()
        # All combinations without forming them: the spread of either, and how far their means are apart.
        centres = guessed.mean(dim=0), y.mean(dim=0)
        of_all = squared_distance(*centres) + sum(
            squared_distance(own, centre).mean() for own, centre in zip((guessed, y), centres, strict=True)
        )
        return (of_all - of_pairs) / 2, misfit


def squared_distance(first: Tensor, second: Tensor) -> Tensor:
    """Square of the Euclidean distance along the last dimension."""
    return torch.square(first - second).sum(dim=-1)
