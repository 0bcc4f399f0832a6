"""What is done to the input before any weight: learned from the training patients, without outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

__all__ = ["InputPreparation"]


class InputPreparation(nn.Module):
    """Standardise instances, and keep of expression its leading principal components.

    A fresh one changes nothing in instances and takes every profile to zero, until its buffers
    are filled in.

    Parameters
    ----------
    bag_features : sequence of int
        Width of the instances of each bag modality.
    n_genes : int
        0 where there is no expression.
    profile_rank : int
        Principal components to keep; 0 for all of the profile as it is.
    standardise : bool
        Standardise instances.
    """

    gene_centre: Tensor
    gene_basis: Tensor

    def __init__(self, bag_features: Sequence[int], n_genes: int, *, profile_rank: int, standardise: bool):
        super().__init__()
        self.low_rank = bool(profile_rank and n_genes)
        self.standardise = standardise
        if self.low_rank:
            self.register_buffer("gene_centre", torch.zeros(n_genes))
            self.register_buffer("gene_basis", torch.zeros(n_genes, min(profile_rank, n_genes)))
        for modality, width in enumerate(bag_features if standardise else ()):
            self.register_buffer(f"instance_centre_{modality}", torch.zeros(width))
            self.register_buffer(f"instance_scale_{modality}", torch.ones(width))

    def profiles(self, profiles: Tensor) -> Tensor:
        """Profiles (n_patients, n_genes), projected on their leading components and back."""
        if not self.low_rank:
            return profiles
        with torch.autocast(profiles.device.type, enabled=False):
            centred = profiles - self.gene_centre
            return centred @ self.gene_basis @ self.gene_basis.T + self.gene_centre

    def instances(self, modality: int, values: Tensor) -> Tensor:
        """Instances (n_instances, n_features) of one modality, standardised."""
        if not self.standardise:
            return values
        centre, scale = (getattr(self, f"instance_{what}_{modality}") for what in ("centre", "scale"))
        return (values - centre).div_(scale)

    @torch.no_grad()
    def learn_profiles(self, profiles: Tensor) -> None:
        """Find the components of ``(n_patients, n_genes)``; of few patients some stay empty."""
        if not self.low_rank or not len(profiles):
            return
        exact = profiles.double()
        centre = exact.mean(dim=0)
        _, singular, directions = torch.linalg.svd(exact - centre, full_matrices=False)
        found = directions[singular > 1e-8 * max(float(singular.max()), 1.0)][: self.gene_basis.shape[1]]
        self.gene_centre.copy_(centre)
        self.gene_basis.zero_()
        self.gene_basis[:, : len(found)] = found.T.to(self.gene_basis)

    @torch.no_grad()
    def learn_instances(self, modality: int, centre: Tensor, scale: Tensor) -> None:
        """Take over mean and standard deviation (n_features,) of one modality's instances."""
        if self.standardise:
            getattr(self, f"instance_centre_{modality}").copy_(centre)
            getattr(self, f"instance_scale_{modality}").copy_(torch.where(scale > 0, scale, 1.0))

    def check_state(self, state: Mapping[str, Tensor]) -> list[str]:
        """Name buffers with values that no training leaves behind."""
        return [
            f"buffer {name!r} is not positive"
            for name, value in state.items()
            if name.startswith("instance_scale") and not bool((value > 0).all())
        ]
