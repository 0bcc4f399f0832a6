"""TTANetwork: encode, TOGETHER, APART, fuse, in this order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from sksurv_tta.networks.apart import AnchorRefiner
from sksurv_tta.networks.encode import InstanceEncoder, PathwayEncoder
from sksurv_tta.networks.fuse import CoAttentionFusion
from sksurv_tta.networks.interface import (
    Embedding,
    NetworkOutput,
    PatientGroup,
    Ragged,
    RowReader,
    SurvivalNetwork,
)
from sksurv_tta.networks.pieces import TokenPieces, Tokens, row_blocks
from sksurv_tta.networks.together import PrototypeAssignment, aggregate
from sksurv_tta.transport import curriculum_mass, make_assignment

__all__ = ["TTANetwork"]

TRANSPORT_TOLERANCE = 1e-4  # column residual relative to the mass


class TTANetwork(SurvivalNetwork):
    """The network of "Together, Then Apart" for any number of modalities.

    The parts that it adds to the survival loss, and their ``loss_weights``, are those of Eq. (20)
    and the agreement of appendix B.

    Parameters
    ----------
    bag_features : sequence of int
        Width of the instances of each bag modality.
    pathways : sequence of sequence of int, or None
        Gene columns of each pathway; None where there is no expression.
    n_outputs : int
        1 for a log risk, otherwise the number of time bins.
    **options
        The other parameters have the names, defaults and meaning of
        :class:`sksurv_tta.TTASurvivalEstimator`.
    """

    mass: Tensor
    steps_done: Tensor
    ramp_steps: Tensor

    embeds_in_pieces = True

    #: Members of an ensemble that this network is; see :mod:`sksurv_tta.networks.stacking`.
    n_stacked = 1

    def __init__(
        self,
        bag_features: Sequence[int],
        pathways: Sequence[Sequence[int]] | None,
        *,
        n_outputs: int = 1,
        n_prototypes: int = 32,
        prototype_dim: int = 256,
        token_dim: int = 256,
        n_heads: int = 5,
        prototype_temperature: float = 0.5,
        together: bool = True,
        shared_prototypes: bool = True,
        joint_transport: bool = True,
        assignment: str = "curriculum",
        kl_weight: float = 0.1,
        epsilon: float = 0.1,
        mass_base: float = 0.1,
        mass_upper: float = 1.0,
        mass_ramp_epochs: float = 10,
        assignment_mix: float = 0.5,
        instance_weight: float = 0.5,
        agreement_weight: float = 0.01,
        apart: bool = True,
        anchor_refinement: bool = True,
        refiner_layers: int = 1,
        contrastive_weight: float = 0.5,
        contrastive_temperature: float = 0.1,
        coattention_layers: int = 1,
        dropout: float = 0.3,
    ):
        super().__init__()
        n_modalities = len(bag_features) + (pathways is not None)
        self.instance_encoders: list[InstanceEncoder] = nn.ModuleList(  # type: ignore[assignment]
            InstanceEncoder(width, token_dim, dropout) for width in bag_features
        )
        self.pathway_encoder = None if pathways is None else PathwayEncoder(pathways, token_dim, dropout)
        solver = make_assignment(assignment, kl_weight=kl_weight, epsilon=epsilon, tol=TRANSPORT_TOLERANCE)
        several_heads = together and n_heads > 1
        self.together = PrototypeAssignment(
            n_modalities,
            token_dim,
            n_prototypes,
            prototype_dim,
            n_heads=n_heads if several_heads else 1,
            temperature=prototype_temperature,
            shared_prototypes=together and shared_prototypes,
            joint_transport=joint_transport,
            assignment=solver if together else None,
            assignment_mix=assignment_mix,
            with_agreement=several_heads and agreement_weight > 0,
        )
        self.apart = AnchorRefiner(
            n_modalities,
            token_dim,
            prototype_dim,
            n_layers=refiner_layers,
            with_anchors=apart,
            refine=anchor_refinement,
            contrast_temperature=contrastive_temperature,
            dropout=dropout,
        )
        self.fuse = CoAttentionFusion(
            n_modalities, prototype_dim, n_layers=coattention_layers, n_outputs=n_outputs, dropout=dropout
        )
        self.with_contrast = apart and contrastive_weight > 0 and n_modalities > 1
        self.loss_weights = {
            "contrast": contrastive_weight,
            "instance": instance_weight,
            "agreement": agreement_weight,
        }
        # The curriculum belongs to the saved state: prediction uses the mass that training ended with.
        self.follows_curriculum = together and assignment == "curriculum"
        self.mass_base, self.mass_upper, self.mass_ramp_epochs = mass_base, mass_upper, mass_ramp_epochs
        start = mass_base if self.follows_curriculum else 1.0
        self.register_buffer("mass", torch.tensor(start, dtype=torch.float64))
        self.register_buffer("steps_done", torch.tensor(0))
        self.register_buffer("ramp_steps", torch.tensor(-1))  # not known before training begins

    def encode_profiles(self, profiles: Tensor) -> tuple[Tensor, int]:
        """Encode expression as pathway tokens: Eq. (1) and Eq. (2)."""
        if self.pathway_encoder is None:
            raise ValueError("This network was built without pathways.")
        return self.pathway_encoder(profiles), self.pathway_encoder.n_tokens

    def entry_maps(self) -> list[nn.Linear]:
        """Linear maps of the encoders."""
        return [encode.linear for encode in self.instance_encoders]

    def embed(self, group: PatientGroup) -> Embedding:
        """Take the patients of a group to prototype tokens (n_patients, n_modalities, K, token_dim).

        Stacked members take one patient, and each of them has the place of a patient.
        """
        size = group.piece_size
        encoders = [encode.activate if group.mapped else encode for encode in self.instance_encoders]
        tokens: list[Tokens] = [
            self._for_each(rows.each(encode)) if size is None else TokenPieces(encode, rows, size)
            for encode, rows in zip(encoders, group.bags, strict=True)
        ]
        if group.profiles is not None:
            tokens.append(self._for_each(group.profiles))
        result = self.together(tokens, self.mass.item(), view_weights=group.view_weights)
        return Embedding(result.prototype_tokens, result.losses, result.statistics)

    def embed_in_blocks(
        self, readers: Sequence[tuple[RowReader, int]], profiles: Ragged | None, block_size: int
    ) -> Tensor:
        """Embed one patient holding ``block_size`` instances at a time.

        The transport needs the logits of all tokens, but only K numbers of each: a first pass
        collects them, a second one encodes the blocks again and adds them up.
        """
        together, n_bags = self.together, len(readers)
        leading = together.selected_heads.tolist()
        logits = [
            [
                together.logits(modality, leading[modality], tokens.values).unflatten(0, (self.n_stacked, -1))
                for _, tokens in self._encoded_blocks(modality, read, n_rows, block_size)
            ]
            for modality, (read, n_rows) in enumerate(readers)
        ]
        own = None if profiles is None else self._for_each(profiles)
        if own is not None:
            of_profile = together.logits(n_bags, leading[-1], own.values)
            logits.append([of_profile.unflatten(0, (self.n_stacked, -1))])
        # One stacked member after another: of a long bag, the plans of all at once would be large.
        shares = [
            self._shares([torch.cat([block[number] for block in blocks]) for blocks in logits])
            for number in range(self.n_stacked)
        ]
        sums = []
        for modality, (read, n_rows) in enumerate(readers):
            total = torch.zeros((), device=self.device)
            for block, tokens in self._encoded_blocks(modality, read, n_rows, block_size):
                rows = torch.cat([each[modality].values[slice(*block)] for each in shares])
                total = total + aggregate([tokens.with_values(rows)], [tokens])
            sums.append(total)
        if own is not None:
            rows = torch.cat([each[-1].values for each in shares])
            sums.append(aggregate([own.with_values(rows)], [own]))
        return torch.cat(sums, dim=1)

    def _shares(self, logits: Sequence[Tensor]) -> list[Ragged]:
        """Weights of one patient's tokens in each prototype, from (n_tokens, K) of each modality."""
        rows = [Ragged(values, (len(values),)) for values in logits]
        return self.together.mix(rows, self.together.transported_weights(rows, self.mass.item()))

    def _encoded_blocks(
        self, modality: int, read: RowReader, n_rows: int, block_size: int
    ) -> Iterator[tuple[tuple[int, int], Ragged]]:
        """Range of rows, and the tokens of each stacked member, of one block after another."""
        encode = self.instance_encoders[modality]
        for start, stop in row_blocks(n_rows, block_size):
            yield (start, stop), self._for_each(Ragged(encode(read(start, stop)), (stop - start,)))

    def _for_each(self, rows: Ragged) -> Ragged:
        """Wide tokens of one patient as those of each stacked member, one after another."""
        if self.n_stacked == 1:
            return rows
        apart = rows.values.unflatten(1, (self.n_stacked, -1)).transpose(0, 1)
        return Ragged(apart.flatten(0, 1), rows.lengths * self.n_stacked)

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Refine, contrast and fuse the prototype tokens of a whole batch; or the mean of stacked members."""
        # Single precision whatever the encoders ran in: a risk rounded to bfloat16 ties patients, and
        # the temperature of the contrast makes ten times its rounding error.
        with torch.autocast(tokens.device.type, enabled=False):
            refined = self.apart(tokens)
            wanted = self.with_contrast and self.training
            losses = {"contrast": self.apart.contrast(refined, present)} if wanted else {}
            if self.n_stacked > 1:
                of_each = self.fuse(refined, present.expand(self.n_stacked, -1))
                return NetworkOutput(of_each.mean(dim=0, keepdim=True))
            return NetworkOutput(self.fuse(refined, present), losses)

    def begin_training(self, steps_per_epoch: int) -> None:
        """Fix the horizon of the curriculum, in steps, at the first call."""
        self.together.diary.clear()
        if self.ramp_steps < 0:
            self.ramp_steps.fill_(round(self.mass_ramp_epochs * steps_per_epoch))

    def begin_step(self) -> None:
        """Take the mass of this step from the curriculum: Eq. (9)."""
        if self.follows_curriculum:
            steps, horizon = self.steps_done.item(), self.ramp_steps.item()
            self.mass.fill_(curriculum_mass(steps, horizon, self.mass_base, self.mass_upper))
        self.steps_done += 1

    def end_step(self, statistics: Mapping[str, Tensor]) -> None:
        """Update which head leads."""
        self.together.update_leading_heads(statistics)

    def end_epoch(self) -> Mapping[str, float]:
        """Say how the transport plans of the epoch were solved and how the prototypes were used."""
        return self.together.diary.report()

    def check_state(self, state: Mapping[str, Tensor]) -> list[str]:
        """Name buffers with values that no training leaves behind."""
        index = None if self.pathway_encoder is None else self.pathway_encoder.gene_index.cpu()
        heads = state["together.selected_heads"]
        n_heads = state["together.running_agreement"].shape[1]
        lawful = {
            "pathway_encoder.gene_index": index is None
            or torch.equal(state["pathway_encoder.gene_index"], index),
            "together.selected_heads": bool(((heads >= 0) & (heads < n_heads)).all()),
            "mass": bool(0 < state["mass"] <= 1),
            "steps_done": bool(state["steps_done"] >= 0),
            "ramp_steps": bool(state["ramp_steps"] >= 0),
        }
        return [f"buffer {name!r} holds impossible values" for name, holds in lawful.items() if not holds]
