"""When memory runs out: the same mathematics in smaller pieces, or else an error with sizes and advice.

No patient and no instance is ever left out, and no parameter is changed: a loss over less than was asked
for would be another loss.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from sksurv_tta.exceptions import InsufficientMemoryError
from sksurv_tta.networks import SurvivalNetwork
from sksurv_tta.training.batches import Batch
from sksurv_tta.training.criteria import Outcome
from sksurv_tta.training.step import StepResult, accumulate_gradients

__all__ = ["SMALLEST_BLOCK", "embed_within_memory", "is_out_of_memory", "step_within_memory"]

SMALLEST_BLOCK = 256  # instances; below that it is not the bag that is too large

logger = logging.getLogger("sksurv_tta")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of the processor or of the accelerator."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _release() -> None:
    """Give back what the failed attempt held; call it outside of ``except``, which keeps tensors alive."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def embed_within_memory(embed: Callable[[int], Tensor], block_size: int, patient: str) -> tuple[Tensor, int]:
    """Embed one patient, in blocks half as large each time that memory runs out.

    Parameters
    ----------
    embed : callable
        Takes the number of instances to hold at a time.
    block_size : int
        To begin with.
    patient : str
        What to call the patient in the error.

    Returns
    -------
    embedded : Tensor
    block_size : int
        With which it was done.

    Raises
    ------
    InsufficientMemoryError
        If blocks of :data:`SMALLEST_BLOCK` instances are still too large.
    """
    while True:
        try:
            return embed(block_size), block_size
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).split("\n")[0]
        _release()
        if block_size // 2 < SMALLEST_BLOCK:
            raise InsufficientMemoryError(
                f"Memory ran out in predicting {patient}, even with {block_size} instances at a time "
                f"({reason}). Free memory of other processes, predict with device='cpu', or use a model with "
                "smaller token_dim and n_prototypes."
            )
        block_size //= 2
        logger.info("Memory ran out: a bag is read again, %d instances at a time", block_size)
        logger.debug("The bag is that of %s", patient)


def step_within_memory(
    network: SurvivalNetwork,
    batch: Batch,
    survival_loss: Callable[[Tensor, Outcome], Tensor],
    *,
    low_memory: bool = False,
) -> StepResult:
    """Accumulate the gradients of one batch, in smaller pieces each time that memory runs out.

    First the groups of patients are embedded one at a time (as with ``low_memory=True``: the same bits),
    then the groups are halved until each holds one patient, then a patient's instances are encoded in
    pieces, down to :data:`SMALLEST_BLOCK` at a time, where the network ``embeds_in_pieces``. All instances
    take part as before, and the gradients stay those of the whole batch; groups of another size draw other
    dropout masks, from the same distribution, and so do pieces on an accelerator.

    Parameters
    ----------
    network, batch, survival_loss, low_memory
        As for :func:`~sksurv_tta.training.step.accumulate_gradients`.

    Raises
    ------
    InsufficientMemoryError
        If a single patient does not fit, or the smallest piece of one; with sizes and advice.
    """
    while True:
        try:
            return accumulate_gradients(network, batch, survival_loss, low_memory=low_memory)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).split("\n")[0]
        network.zero_grad(set_to_none=True)
        _release()
        if low_memory and not _make_smaller(network, batch):
            raise InsufficientMemoryError(_advice(batch, reason))
        low_memory = True
        pieces = "" if batch.piece_size is None else f", {batch.piece_size} instances at a time"
        logger.info("Memory ran out: the step is done again in %d groups%s", len(batch.groups), pieces)


def _make_smaller(network: SurvivalNetwork, batch: Batch) -> bool:
    """Halve the groups, or once each is one patient, the pieces; False where neither can be."""
    return batch.halve_groups() or (network.embeds_in_pieces and batch.halve_pieces(SMALLEST_BLOCK))


def _advice(batch: Batch, reason: str) -> str:
    counts = batch.data.n_instances[batch.rows]
    longest = int(counts.max(initial=0))
    taken = longest if batch.bag_size is None else min(longest, batch.bag_size)
    pieces = "" if batch.piece_size is None else f" and {batch.piece_size} instances"
    widths = ", ".join(str(width) for width in batch.data.n_features) or "none"
    return (
        f"Memory ran out in training ({reason}), even with one patient{pieces} at a time: {len(batch)} "
        f"patients in the batch, up to {taken:,} instances of one bag at a step, of {widths} features. "
        f"Choose a smaller bag_size (now {batch.bag_size}) or batch_size, or a model with smaller token_dim, "
        "prototype_dim or n_prototypes; these change what is trained, so they are not changed for you."
    )
