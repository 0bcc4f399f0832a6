"""What the estimators of other methods share: one training recipe, or the authors' own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, make_dataclass
from inspect import signature
from numbers import Integral
from os import PathLike
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from sksurv_tta.estimators.base import BaseNetworkEstimator
from sksurv_tta.estimators.ensembles import ENSEMBLE_PARAMETERS
from sksurv_tta.estimators.presets import PAPER
from sksurv_tta.estimators.ranges import constraints_of
from sksurv_tta.estimators.recipes import Recipe
from sksurv_tta.estimators.tta import NETWORK_PARAMETERS, TTASurvivalEstimator
from sksurv_tta.training import HazardCriterion
from sksurv_tta.training.schedules import ConstantLearningRate

__all__ = ["Pathways", "PeerEstimator"]

#: Type of the parameter ``pathways``.
Pathways = str | PathLike[str] | Mapping[str, Sequence[str]] | None
#: Parameters of loss and training as TTA has them in ``recipe="paper"``: one network against another.
TRAINING_PARAMETERS = {
    name: PAPER.get(name, parameter.default)
    for name, parameter in signature(TTASurvivalEstimator).parameters.items()
    if name not in (*NETWORK_PARAMETERS, *ENSEMBLE_PARAMETERS, "pathways", "recipe")
}
_TrainingParameters = make_dataclass(
    "_TrainingParameters",
    [(name, Any, field(default=default)) for name, default in TRAINING_PARAMETERS.items()]
    + [("recipe", str, field(default="matched"))],
    kw_only=True,
    eq=False,
    repr=False,
)


class PeerEstimator(_TrainingParameters, BaseNetworkEstimator):  # type: ignore[misc,valid-type]
    """Base of the estimators of other methods; each is a dataclass of its own parameters.

    They are declared with what they allow, by the functions of :mod:`sksurv_tta.estimators.ranges`.
    Every parameter of loss and training of :class:`~sksurv_tta.TTASurvivalEstimator` exists here
    too, with the same default and meaning; ``recipe`` is added.

    Parameters
    ----------
    recipe : {"matched", "original"}, default="matched"
        "matched" trains as TTA is trained with ``recipe="paper"``. "original" takes the authors'
        loss, optimiser and settings: they replace those parameters that were left at their
        defaults. Batches are made as ever, with events spread evenly, where the authors drew
        patients by class.
    """

    #: Name in comparisons and on the command line.
    _short_name: ClassVar[str] = ""
    #: What "original" stands for.
    _original: ClassVar[Recipe] = Recipe()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseNetworkEstimator._parameter_constraints,
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "recipe": [StrOptions({"matched", "original"})],
    }

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._parameter_constraints = {**cls._parameter_constraints, **constraints_of(cls)}

    def _validate_params(self) -> None:
        super()._validate_params()
        if self._setting("loss") == "cox" and self._setting("batch_size") < 2:
            raise ValueError("loss='cox' compares patients within a batch: batch_size must be at least 2.")

    def _setting(self, name: str) -> Any:
        value = getattr(self, name)
        settings = self._original.settings if self.recipe == "original" else {}
        untouched = value == type(self).__dataclass_fields__[name].default
        return settings[name] if untouched and name in settings else value

    def _options(self, module: type[nn.Module]) -> dict[str, Any]:
        """Parameters that the estimator has and the module takes by keyword under the same name."""
        by_keyword = [p.name for p in signature(module).parameters.values() if p.kind is p.KEYWORD_ONLY]
        return {name: self._setting(name) for name in by_keyword if name in type(self).__dataclass_fields__}

    def _objective(self) -> dict[str, Any]:
        objective = super()._objective()
        if self.recipe == "matched":
            return objective
        del objective["optimizer__fused"]  # not every optimizer can
        objective["optimizer"] = self._original.optimizer
        if self._setting("loss") != "cox":
            objective["criterion"] = HazardCriterion(self._original.censored_weight)
        return objective

    def _callbacks(self) -> list[Any]:
        constant = self.recipe == "original" and self._original.constant_rate
        return ([ConstantLearningRate()] if constant else []) + super()._callbacks()
