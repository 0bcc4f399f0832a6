"""What every network of this package offers to the training loop.

The loop knows three calls. ``encode_profiles`` turns the expression of a whole batch into
tokens; ``embed`` turns a few patients at a time into something small of fixed size; ``forward``
takes these of the whole batch to one output per patient. The cut between the last two is
narrow (megabytes for a batch), and it is where a loss that couples all patients of a batch
meets memory that holds one bag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

__all__ = ["Embedding", "NetworkOutput", "PatientGroup", "Ragged", "RowReader", "SurvivalNetwork"]

#: Reads rows [start, stop) of one patient's instances as a float32 tensor (n, n_features).
RowReader = Callable[[int, int], Tensor]


@dataclass(frozen=True)
class Ragged:
    """Rows of several patients one after another, without padding.

    Parameters
    ----------
    values : Tensor of shape (n_rows, dim)
        The rows of the first patient, then those of the second, and so on.
    lengths : tuple of int
        Rows of each patient; 0 where a patient lacks the modality.
    """

    values: Tensor
    lengths: tuple[int, ...]

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the rows of one patient after another."""
        return iter(self.values.split(list(self.lengths)))

    def each(self, function: Callable[[Tensor], Tensor]) -> Ragged:
        """Return what ``function`` makes of the rows."""
        return self.with_values(function(self.values))

    def with_values(self, values: Tensor) -> Ragged:
        """Return other values for the same rows."""
        return Ragged(values, self.lengths)

    def by_length(self, function: Callable[[Tensor], Tensor]) -> Ragged:
        """Return what ``function`` makes of patients with equally many rows, stacked to (n, n_rows, dim)."""
        if len(set(self.lengths)) == 1:
            stacked = self.values.unflatten(0, (len(self.lengths), -1))
            return self.with_values(function(stacked).flatten(0, 1))
        own = list(self)
        found: list[Tensor] = [self.values] * len(own)
        for length in sorted(set(self.lengths)):
            places = [place for place, other in enumerate(self.lengths) if other == length]
            for place, rows in zip(places, function(torch.stack([own[p] for p in places])), strict=True):
                found[place] = rows
        return self.with_values(torch.cat(found))

    @staticmethod
    def of(rows: Sequence[Tensor]) -> Ragged:
        """Join the rows of several patients."""
        return Ragged(torch.cat(list(rows)), tuple(len(own) for own in rows))


@dataclass(frozen=True)
class PatientGroup:
    """A few patients of a batch, as ``embed`` sees them.

    Parameters
    ----------
    bags : tuple of Ragged
        For each bag modality the instances (n_rows, n_features) of these patients.
    profiles : Ragged or None
        What ``encode_profiles`` made of their expression: (n_rows, token_dim).
    view_weights : Tensor of shape (n_patients,) or None
        Weight of each patient in losses that compare random views of a bag; zero for
        patients that take no part in them at this step. None outside training.
    outcome : tuple of Tensor of shape (n_patients,) or None
        Time, and whether the event happened, for methods that look at it while they learn.
        None outside training.
    mapped : bool
        Whether the instances already went through the linear maps that ``entry_maps`` names.
    piece_size : int or None
        Of a network that ``embeds_in_pieces``, and for a single patient: instances to hold the
        intermediate results of at a time. None: of all.
    """

    bags: tuple[Ragged, ...]
    profiles: Ragged | None
    view_weights: Tensor | None = None
    outcome: tuple[Tensor, Tensor] | None = None
    piece_size: int | None = None
    mapped: bool = False

    @property
    def n_patients(self) -> int:
        """Patients in this group."""
        some = self.bags[0] if self.bags else self.profiles
        return len(some.lengths) if some is not None else 0

    def profile_rows(self) -> Ragged:
        """Profile tokens of patients who all have expression: equally many rows of each."""
        if self.profiles is None:
            raise ValueError("These patients have no expression.")
        return self.profiles

    def profile_tokens(self) -> Tensor:
        """The same stacked: (n_patients, n_tokens, token_dim)."""
        rows = self.profile_rows()
        return rows.values.unflatten(0, (len(rows.lengths), -1))


@dataclass(frozen=True)
class Embedding:
    """What ``embed`` returns for a group of patients.

    Parameters
    ----------
    tokens : Tensor of shape (n_patients, ...)
        The small summary that ``forward`` goes on with.
    losses : mapping of str to Tensor of shape (n_patients,)
        Losses that are local to a patient; the step takes their mean over the batch.
    statistics : mapping of str to Tensor
        Sums without gradient that the network wants to see again in ``end_step``.
    """

    tokens: Tensor
    losses: Mapping[str, Tensor] = field(default_factory=dict)
    statistics: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkOutput:
    """What ``forward`` returns for a batch.

    Parameters
    ----------
    prediction : Tensor of shape (n_patients, n_outputs)
        Log risk (one output) or the logits of the hazards (one per time bin).
    losses : mapping of str to Tensor, scalar
        Losses that need the whole batch, besides the survival loss.
    """

    prediction: Tensor
    losses: Mapping[str, Tensor] = field(default_factory=dict)


class SurvivalNetwork(nn.Module):
    """Base of all networks; a subclass writes ``embed`` and ``forward``.

    Attributes
    ----------
    loss_weights : dict
        Weight of each loss part that ``embed`` and ``forward`` return.
    embeds_in_pieces : bool
        Whether ``embed`` heeds the ``piece_size`` of a group: the same numbers, less memory, more work.
    block_instances : int or None
        Instances that a prediction holds at a time, if memory once ran out with the usual number.
    """

    embeds_in_pieces = False
    block_instances: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.loss_weights: dict[str, float] = {}

    def encode_profiles(self, profiles: Tensor) -> tuple[Tensor, int]:
        """Turn expression profiles into tokens.

        Parameters
        ----------
        profiles : Tensor of shape (n_present, n_genes)
            Standardised expression of those patients of the batch that have it.

        Returns
        -------
        tokens : Tensor of shape (n_present * n_tokens, token_dim)
        n_tokens : int
            Tokens per patient.
        """
        return profiles, 1

    def entry_maps(self) -> list[nn.Linear] | None:
        """Linear map that the instances of each bag modality meet first, where nothing else looks at them.

        None where there is no such map, or :meth:`embed` does not heed ``mapped``.
        """
        return None

    def embed(self, group: PatientGroup) -> Embedding:
        """Summarise a few patients. Shapes as in :class:`PatientGroup` and :class:`Embedding`."""
        raise TypeError(f"{type(self).__name__} must define embed().")

    def embed_in_blocks(
        self, readers: Sequence[tuple[RowReader, int]], profiles: Ragged | None, block_size: int
    ) -> Tensor | None:
        """Summarise one patient whose bags are too large to hold, reading blocks of rows.

        Parameters
        ----------
        readers : sequence of (reader, n_rows)
            For each bag modality how to read its rows, and how many there are.
        profiles : Ragged or None
            The patient's profile tokens.
        block_size : int
            Rows to hold at a time.

        Returns
        -------
        tokens : Tensor of shape (1, ...) or None
            None where the network knows no such way; the caller then reads the whole bag.
        """
        del readers, profiles, block_size
        return None

    def forward(self, tokens: Tensor, present: Tensor) -> NetworkOutput:
        """Take the summaries of a whole batch to one output per patient.

        Parameters
        ----------
        tokens : Tensor of shape (n_patients, ...)
        present : Tensor of shape (n_patients, n_modalities), bool
            Bag modalities first, expression last.
        """
        raise TypeError(f"{type(self).__name__} must define forward().")

    def for_prediction(self) -> SurvivalNetwork:
        """Network to ask for single patients, in evaluation mode: itself, or one that says the same faster.

        It holds the weights of this moment.
        """
        return self

    def independent_parameters(self) -> list[list[nn.Parameter]]:
        """Groups of parameters that no loss couples: one for each member of an ensemble."""
        return [list(self.parameters())]

    def begin_training(self, steps_per_epoch: int) -> None:
        """Called once before the first step, with the number of steps in an epoch."""

    def begin_step(self) -> None:
        """Called before each training step."""

    def end_step(self, statistics: Mapping[str, Tensor]) -> None:
        """Called after the gradients of a step, with the batch sums of all statistics."""

    def end_epoch(self) -> Mapping[str, float]:
        """Called after the last step of an epoch; numbers to keep in the history."""
        return {}

    def check_state(self, state: Mapping[str, Tensor]) -> list[str]:
        """Say what is wrong with a state from a file: what types, shapes and finite values do not tell.

        Parameters
        ----------
        state : mapping of str to Tensor
            With the names and shapes of this network's ``state_dict``.

        Returns
        -------
        problems : list of str
        """
        del state
        return []

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device
