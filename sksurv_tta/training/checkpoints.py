"""Checkpoints of a training: killed at any moment, it loses an epoch at the most.

All randomness is a function of (seed, epoch, patient), the learning rate one of the step. So
weights, optimizer state, history and the best weights of early stopping are all there is to
save after an epoch, and a resumed training ends with the bits of an undisturbed one. Within an
epoch there are also the sums that its record in the history will be made of.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from sksurv_tta._files import remove_stale, write_atomically
from sksurv_tta.exceptions import CheckpointMismatchError, ModelFileError, TrainingWarning, listing
from sksurv_tta.networks.diary import notes_of, restore_notes
from sksurv_tta.training.early_stopping import EarlyStop
from sksurv_tta.training.environment import describe_environment
from sksurv_tta.training.epoch import EpochSums
from sksurv_tta.training.history import as_history, as_records
from sksurv_tta.training.locks import locked
from sksurv_tta.training.tensor_files import TensorFile, UnreadableFileError, open_file, pack

__all__ = ["Checkpoints"]

FORMAT = 2
N_KEPT = 2  # the last checkpoint and the one before
PATTERN = "epoch-*.safetensors"
FIELDS = {
    "kind", "format", "identity", "environment", "seed", "first_epoch", "epochs", "history", "under_way",
}  # fmt: skip

logger = logging.getLogger("sksurv_tta")


class Checkpoints:
    """The checkpoints of one training, in a folder of its own below ``directory``.

    To be used in a ``with`` statement: inside it the folder is locked.

    Parameters
    ----------
    directory : path
        Shared by as many trainings as one likes.
    identity : dict
        JSON values that tell this training from others: parameters, digests of the data. Its
        digest names the folder, so other data or parameters never meet these checkpoints.
    seed : int
        Of a training that finds no checkpoint.
    """

    def __init__(self, directory: str | os.PathLike[str], identity: dict[str, Any], seed: int):
        text = json.dumps(identity, sort_keys=True).encode()
        self.folder = Path(directory) / hashlib.sha256(text).hexdigest()[:16]
        self.identity = identity
        self.seed = seed
        self._found: tuple[dict[str, Any], dict[str, Tensor]] | None = None
        self._stack = ExitStack()
        self._has_warned = False

    def __enter__(self) -> Self:
        """Lock the folder, clear it of half-written files and read the last good checkpoint."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._stack.enter_context(locked(self.folder))
        except OSError as error:
            raise OSError(
                error.errno,
                f"checkpoint_dir cannot be written ({error.strerror}); nothing was trained",
                str(self.folder),
            ) from error
        try:
            remove_stale(self.folder)
            self._find()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _find(self) -> None:
        damaged = []
        for path in sorted(self.folder.glob(PATTERN), reverse=True):
            try:
                file = open_file(path)
                tensors = file.read()
            except (UnreadableFileError, OSError) as error:
                damaged.append(f"{path.name}: {error}")
                continue
            self._check(file)
            self._found = file.content, tensors
            self.seed = file.content["seed"]
            break
        if damaged and self._found is None:
            raise ModelFileError(
                f"No checkpoint in {self.folder} can be read: {listing(damaged)}. Delete this folder to "
                "train from the start."
            )
        if damaged:
            warnings.warn(
                f"Damaged checkpoints in {self.folder} are passed over: {listing(damaged)}. Training goes on "
                f"after epoch {self._found[0]['epochs'] if self._found else 0}.",
                TrainingWarning,
                stacklevel=4,
            )

    def _check(self, file: TensorFile) -> None:
        content = file.content
        if content.get("kind") != "checkpoint" or content.get("format") != FORMAT or set(content) != FIELDS:
            raise CheckpointMismatchError(
                f"{file.path} was written by another version of sksurv_tta, in a form that this one does "
                f"not know. Finish with that version, or delete {self.folder} to train from the start."
            )
        saved, now = content["identity"], self.identity
        differing = [
            f"{name}: {saved.get(name)!r} saved, {now.get(name)!r} now"
            for name in sorted({*saved, *now})
            if saved.get(name) != now.get(name)
        ]
        if differing:
            raise CheckpointMismatchError(
                f"{file.path} belongs to another training: {'; '.join(differing)}. It was copied here or "
                f"renamed: move it away, or delete {self.folder} to train from the start."
            )

    def resume(self, net: Any) -> int:
        """Put a net, ready to train, where the last checkpoint was.

        Parameters
        ----------
        net : SurvivalNet

        Returns
        -------
        n_epochs : int
            Epochs of this training that are done; 0 without a checkpoint.

        Raises
        ------
        CheckpointMismatchError
            If the checkpoint is of another version of this package, or does not fit the net.

        Warns
        -----
        TrainingWarning
            If versions of other packages, the device or the number of threads differ: the
            result will be as good, but not bit by bit that of an undisturbed training.
        """
        if self._found is None:
            logger.info("Checkpoints of this training go to %s", self.folder)
            return 0
        content, tensors = self._found
        self._found = None
        self._compare_environment(content["environment"], describe_environment(net.module_.device))
        self._load_network(net.module_, _part(tensors, "network"))
        _load_optimizer(net.optimizer_, _part(tensors, "optimizer"))
        net.first_epoch_ = content["first_epoch"]
        net.history_ = as_history(content["history"])
        if content["under_way"] is not None:
            net.resumed_ = EpochSums.of_record(content["under_way"])
            restore_notes(net.module_, _part(tensors, "notes"))
        for callback in _early_stops(net):
            callback.restore(net, _part(tensors, "best") or None)
        logger.info("Training goes on after epoch %d, from %s", len(net.history), self.folder)
        return content["epochs"]

    def _compare_environment(self, saved: dict[str, Any], now: dict[str, Any]) -> None:
        differing = [
            f"{name} {saved.get(name)} saved, {value} now"
            for name, value in now.items()
            if saved.get(name) != value
        ]
        if saved.get("sksurv_tta") != now["sksurv_tta"]:
            raise CheckpointMismatchError(
                f"The checkpoint in {self.folder} is of another version: {'; '.join(differing)}. Finish with "
                "that version, or delete this folder to train from the start."
            )
        if differing:
            warnings.warn(
                f"Training goes on from {self.folder} under other conditions: {'; '.join(differing)}. The "
                "result will not be, bit by bit, that of an undisturbed training.",
                TrainingWarning,
                stacklevel=4,
            )

    def _load_network(self, module: torch.nn.Module, saved: dict[str, Tensor]) -> None:
        expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        found = {name: tuple(value.shape) for name, value in saved.items()}
        if expected != found:
            names = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
            listed = listing(f"{name} {found.get(name)} saved, {expected.get(name)} now" for name in names)
            raise CheckpointMismatchError(
                f"The checkpoint in {self.folder} does not fit this network: {listed}. Delete the folder to "
                "train from the start."
            )
        module.load_state_dict(saved)

    def save(self, net: Any) -> None:
        """Write a checkpoint of the epoch that has just ended, and remove all but the one before.

        If an epoch is under way (``net.under_way_``), of the steps of it that are done.

        Warns
        -----
        TrainingWarning
            Once, if it cannot be written; the earlier ones are kept, and training goes on.
        """
        under_way: EpochSums | None = net.under_way_
        n_epochs = len(net.history) - net.first_epoch_ - (under_way is not None)
        content = {
            "kind": "checkpoint",
            "format": FORMAT,
            "identity": self.identity,
            "environment": describe_environment(net.module_.device),
            "seed": self.seed,
            "first_epoch": net.first_epoch_,
            "epochs": n_epochs,
            "history": as_records(list(net.history)[: net.first_epoch_ + n_epochs]),
            "under_way": None if under_way is None else under_way.as_record(),
        }
        data = pack(content, _tensors(net))
        # Names are in the order of time: "epoch-00002.safetensors", "epoch-00002.step-00001.safetensors".
        step = "" if under_way is None else f".step-{under_way.n_steps:05d}"
        path = self.folder / PATTERN.replace("*", f"{n_epochs:05d}{step}")
        try:
            write_atomically(path, data)
        except OSError as error:
            self._warn(path, len(data), error)
            return
        for earlier in sorted(p for p in self.folder.glob(PATTERN) if p.name <= path.name)[:-N_KEPT]:
            earlier.unlink(missing_ok=True)

    def _warn(self, path: Path, n_bytes: int, error: OSError) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"The checkpoint {path} of {n_bytes:,} bytes could not be written: {error.strerror}. Earlier "
            "ones are kept; training goes on and tries again after every epoch.",
            TrainingWarning,
            stacklevel=4,
        )


def _early_stops(net: Any) -> list[EarlyStop]:
    return [callback for _, callback in net.callbacks_ if isinstance(callback, EarlyStop)]


def _tensors(net: Any) -> dict[str, Tensor]:
    """Everything of a training that is a tensor, under one flat set of names."""
    tensors = {f"network.{name}": value for name, value in net.module_.state_dict().items()}
    for number, state in net.optimizer_.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
    for callback in _early_stops(net):
        tensors |= {f"best.{name}": value for name, value in (callback.best_weights_ or {}).items()}
    if net.under_way_ is not None:
        tensors |= {f"notes.{name}": value for name, value in notes_of(net.module_).items()}
    return tensors


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in saved.items():
        number, key = name.split(".")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
