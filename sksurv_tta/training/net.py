"""The skorch net: skorch's training skeleton around our step, with every loss part in the history."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, Self

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer, PrintLog

from sksurv_tta.exceptions import NonFiniteCostError, TrainingDivergedError, listing
from sksurv_tta.training.batches import Batch
from sksurv_tta.training.checkpoints import Checkpoints
from sksurv_tta.training.diagnostics import concordance_or_nan, diverged, warn_of_history
from sksurv_tta.training.early_stopping import EarlyStop
from sksurv_tta.training.epoch import EpochBatches, EpochSums
from sksurv_tta.training.interruption import interrupts_held, saving_if_interrupted
from sksurv_tta.training.memory import step_within_memory
from sksurv_tta.training.patients import PatientDataset
from sksurv_tta.training.predict import predict_patients
from sksurv_tta.training.resident import lending_instances
from sksurv_tta.training.rollback import back_to_epoch_if_diverged
from sksurv_tta.training.schedules import warmed_up_cosine
from sksurv_tta.training.step import StepResult

__all__ = ["SurvivalNet"]

#: Numbers of input that a step may hold for its gradients, half a gigabyte: 32 bags of 4096 x 1024.
MAX_HELD_VALUES = 2**27


class SurvivalNet(NeuralNet):
    """Train a :class:`~sksurv_tta.networks.SurvivalNetwork` on patients with bags of any size.

    Parameters
    ----------
    module : SurvivalNetwork
    criterion : type
        :class:`~sksurv_tta.training.CoxCriterion` or :class:`~sksurv_tta.training.HazardCriterion`.
    seed : int
        All randomness of the training is made from it.
    bag_size : int or None
        Instances taken from a longer bag at a step.
    warmup_epochs : float
        Epochs over which the learning rate rises, before it falls along a cosine to zero.
    clip_norm : float or None
        Largest norm of the gradient.
    precision : {"float32", "bfloat16"}
        Of the encoders and projections; logits, transport and losses are always float32.
    low_memory : bool
        Hold one group of bags at a time, at the price of embedding each twice. A batch with more
        than ``MAX_HELD_VALUES`` numbers in its bags is always embedded so.
    n_profile_tokens : int
        Tokens that a profile becomes.
    resident_share : float
        Part of an accelerator's free memory that instances may take. If all of them fit, they are kept
        there during the training; otherwise they are read one group ahead.
    **kwargs
        As for :class:`skorch.NeuralNet`.
    """

    def __init__(
        self,
        module: Any,
        criterion: Any,
        *,
        seed: int = 0,
        bag_size: int | None = None,
        warmup_epochs: float = 1,
        clip_norm: float | None = 5.0,
        precision: str = "float32",
        low_memory: bool = False,
        n_profile_tokens: int = 0,
        resident_share: float = 0.5,
        **kwargs: Any,
    ):
        self.seed = seed
        self.bag_size = bag_size
        self.warmup_epochs = warmup_epochs
        self.clip_norm = clip_norm
        self.precision = precision
        self.low_memory = low_memory
        self.n_profile_tokens = n_profile_tokens
        self.resident_share = resident_share
        super().__init__(module, criterion, train_split=None, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        # ``module`` is ``module_`` itself, which skorch packs apart: without this there would be two of it.
        state = super().__getstate__() | ({"module": None} if self.initialized_ else {})
        # Of a training that is not at its end: patients are not packed.
        return {name: value for name, value in state.items() if name != "instances_"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self.initialized_:
            self.module = self.module_

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def partial_fit(
        self,
        X: PatientDataset,
        y: Any = None,
        classes: Any = None,
        *,
        checkpoints: Checkpoints | None = None,
        **fit_params: Any,
    ) -> Self:
        """Train for ``max_epochs`` more; unlike skorch's, an interruption is not swallowed.

        With ``checkpoints``, go on after the last one, and write one after each epoch, and after the step
        in which Ctrl-C came.
        """
        if not self.initialized_:
            self.initialize()
        fit_params.pop("_routing_method", None)
        self.first_epoch_ = len(self.history)
        self.steps_per_epoch_ = -(-len(X) // self.batch_size)
        self.module_.begin_training(self.steps_per_epoch_)
        self.under_way_: EpochSums | None = None
        self.resumed_: EpochSums | None = None
        self.notify("on_train_begin", X=X, y=y)
        n_done = checkpoints.resume(self) if checkpoints is not None else 0
        with lending_instances(self, X):
            while n_done < self.max_epochs and not self._should_stop():
                with back_to_epoch_if_diverged(self), saving_if_interrupted(self, checkpoints):
                    self.fit_loop(X, y, epochs=1, **fit_params)
                n_done += 1
                if checkpoints is not None:
                    with interrupts_held():
                        checkpoints.save(self)
        self.notify("on_train_end", X=X, y=y)
        warn_of_history(self.history[self.first_epoch_ :])
        return self

    def _should_stop(self) -> bool:
        return any(isinstance(c, EarlyStop) and c.should_stop_ for _, c in self.callbacks_)

    def get_iterator(self, dataset: PatientDataset, training: bool = False) -> Any:
        """Batches of the epoch that has just begun, or the whole set for validation."""
        return EpochBatches(self, dataset) if training else [dataset]

    def train_step_single(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Accumulate the gradients of one batch, refuse what is not finite, clip."""
        network = self.module_
        self._set_training(True)
        network.begin_step()
        try:
            low_memory = self.low_memory or batch.n_values > MAX_HELD_VALUES
            with self._autocast(cache=not low_memory):
                result = step_within_memory(network, batch, self.criterion_, low_memory=low_memory)
        except NonFiniteCostError as error:
            raise diverged(batch, "the tokens of some patients are not finite", {}) from error
        self._check_and_clip(result, batch)
        network.end_step(result.statistics)
        return {"loss": result.loss, "y_pred": result.prediction, "parts": result.parts}

    def _check_and_clip(self, result: StepResult, batch: Batch) -> None:
        norm = self._clip()
        if math.isfinite(result.loss.item()) and math.isfinite(norm):
            return
        listed = ", ".join(f"{name} {value:.4g}" for name, value in result.parts.items())
        raise diverged(batch, f"gradient norm {norm:.4g}; loss parts: {listed}", result.parts)

    def _clip(self) -> float:
        """Clip the gradient, that of independent members apart; its norm before."""
        largest = math.inf if self.clip_norm is None else self.clip_norm
        groups = self.module_.independent_parameters()
        # The loss is the members' mean, so of each member's own gradient a share is here.
        norms = [
            torch.nn.utils.clip_grad_norm_([p for p in group if p.grad is not None], largest / len(groups))
            for group in groups
        ]
        return math.hypot(*(norm.item() for norm in norms))

    def validation_step(self, batch: PatientDataset, **fit_params: Any) -> dict[str, Any]:
        """Survival loss and concordance index of the validation part, all patients at once."""
        with self._autocast():
            outputs = predict_patients(self.module_, batch)
        if batch.outcome is None:
            raise ValueError("The validation part has no outcome.")
        wrong = ~np.isfinite(outputs).all(axis=1)
        if wrong.any():
            epoch = len(self.history) - 1
            raise TrainingDivergedError(
                f"Outputs for the validation part are not finite at epoch {epoch + 1}; rows of X: "
                f"{batch.rows[wrong].tolist()}, patients: {listing(batch.names[wrong])}. Look for extreme "
                "features among these patients, or lower lr.",
                epoch=epoch,
                step=self.steps_per_epoch_,
                parts={},
            )
        loss = self.criterion_(torch.from_numpy(outputs), batch.outcome)
        time, event = batch.known_outcome()
        risk = self.criterion_.risk(outputs)
        return {"loss": loss, "y_pred": outputs, "parts": {"c_index": concordance_or_nan(event, time, risk)}}

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run one epoch and record the mean of every loss part in the history."""
        if iterator is None:
            return
        sums = EpochSums()
        if training:
            sums, self.resumed_ = self.resumed_ or sums, None
            self.under_way_ = sums
        for batch in islice(iterator, sums.n_steps, None):
            self._set_learning_rate(batch)
            self.notify("on_batch_begin", batch=batch, training=training)
            with interrupts_held() if training else nullcontext(), sums.one_step():
                step = step_fn(batch, **fit_params)
                self._note_step(sums, step, batch, prefix)
            self.notify("on_batch_end", batch=batch, training=training, **step)
        self.under_way_ = None
        for name, mean in sums.means().items():
            self.history.record(f"{prefix}_{name}", mean)
        if training:
            self.history.record("eventless_batches", sums.n_eventless)
            self.history.record("mass", float(getattr(self.module_, "mass", math.nan)))
            self.history.record("lr", sums.lr)
            for name, value in self.module_.end_epoch().items():
                self.history.record(name, value)

    def _note_step(self, sums: EpochSums, step: dict[str, Any], batch: Any, prefix: str) -> None:
        self.history.record_batch(f"{prefix}_loss", step["loss"].item())
        self.history.record_batch(f"{prefix}_batch_size", len(batch))
        sums.lr = self.optimizer_.param_groups[0]["lr"]
        sums.n_eventless += not bool(batch.outcome.event.any())
        for name, value in ({"loss": step["loss"].item()} | step["parts"]).items():
            weight = self.criterion_.weight(batch.outcome) if name == "survival" else len(batch)
            sums.add(name, value, float(weight))

    def _set_learning_rate(self, batch: Any) -> None:
        """Warm-up, then a cosine to zero."""
        if not isinstance(batch, Batch):
            return
        step = (batch.epoch - self.first_epoch_) * self.steps_per_epoch_ + batch.step
        total = self.max_epochs * self.steps_per_epoch_
        warmup = min(round(self.warmup_epochs * self.steps_per_epoch_), total)
        factor = warmed_up_cosine(step, warmup, total)
        for group in self.optimizer_.param_groups:
            group["lr"] = self.lr * factor

    def predict(self, X: PatientDataset) -> np.ndarray:
        """Outputs of the network: (n_patients, n_outputs), float64."""
        with self._autocast():
            return predict_patients(self.module_, X)

    def _autocast(self, *, cache: bool = True) -> AbstractContextManager[Any]:
        device = self.module_.device.type
        # With low_memory, groups are embedded without gradient first: before torch 2.10 the weights
        # cached on that pass are taken again on the second one, and have no gradient.
        return torch.autocast(
            device,
            dtype=torch.bfloat16,
            enabled=self.precision == "bfloat16",
            cache_enabled=cache,
        )
