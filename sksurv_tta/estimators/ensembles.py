"""Estimators that can be an ensemble with a linear path beside it, and have recipes."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from sksurv_tta.estimators.base import BaseNetworkEstimator, Learned
from sksurv_tta.estimators.baseline_hazard import CoxPrediction, PredictionRule, check_outputs
from sksurv_tta.estimators.cross_fitting import (
    assign_folds,
    combine,
    held_out_outputs,
    linear_features,
    on_one_level,
)
from sksurv_tta.estimators.inputs import InputSchema
from sksurv_tta.estimators.linear_path import LinearPath, fit_linear_path
from sksurv_tta.estimators.presets import PAPER, PRESETS
from sksurv_tta.networks import EnsembleNetwork, InputPreparation, SurvivalNetwork
from sksurv_tta.training import MembersCriterion, PatientDataset, SurvivalNet
from sksurv_tta.training.batches import instance_statistics

__all__ = ["ENSEMBLE_PARAMETERS", "EnsembleEstimator"]

#: Parameters of the ensemble, of what it sees and of what stands beside it.
ENSEMBLE_PARAMETERS = ("n_members", "view_losses", "linear_path", "profile_rank", "standardise_instances")


class EnsembleEstimator(BaseNetworkEstimator):
    """Base of estimators with a ``recipe``, whose parameters are the recipe's where they are None.

    A subclass declares ``recipe`` and ``ENSEMBLE_PARAMETERS`` besides the parameters of the loop
    and builds one member in ``_build_member``.
    """

    recipe: str
    loss: str
    bag_size: int | None
    linear_path: bool | None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseNetworkEstimator._parameter_constraints,
        "recipe": [StrOptions(set(PRESETS))],
        "n_members": [Interval(Integral, 1, None, closed="left"), None],
        "view_losses": ["boolean", None],
        "linear_path": ["boolean", None],
        "profile_rank": [Interval(Integral, 0, None, closed="left"), None],
        "standardise_instances": ["boolean", None],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 2, None, closed="left"), None],
        "lr": [Interval(Real, 0, None, closed="neither"), None],
        "warmup_epochs": [Interval(Real, 0, None, closed="left"), None],
    }

    @abstractmethod
    def _build_member(self, schema: InputSchema, n_outputs: int) -> SurvivalNetwork:
        """Build one untrained network for these columns, ending in ``n_outputs`` numbers."""

    def _setting(self, name: str) -> Any:
        value, preset = getattr(self, name), PRESETS[self.recipe]
        return preset[name] if value is None and name in preset else value

    @property
    def _is_ensemble(self) -> bool:
        return any(
            self._setting(name) != PAPER[name] for name in ENSEMBLE_PARAMETERS if name != "linear_path"
        )

    @property
    def _cross_fits(self) -> bool:
        return self._setting("n_members") > 1 and self._setting("loss") == "cox"

    def _n_linear_features(self, schema: InputSchema) -> int:
        if not (self._cross_fits and self._setting("linear_path")):
            return 0
        return len(schema.gene_columns) if schema.has_genes else sum(schema.bag_widths)

    def _build_network(self, schema: InputSchema, n_outputs: int) -> SurvivalNetwork:
        members = [self._build_member(schema, n_outputs) for _ in range(self._setting("n_members"))]
        if not self._is_ensemble:
            return members[0]
        preparation = InputPreparation(
            schema.bag_widths,
            len(schema.gene_columns),
            profile_rank=self._setting("profile_rank"),
            standardise=self._setting("standardise_instances"),
        )
        n_modalities = len(schema.bag_columns) + schema.has_genes
        return EnsembleNetwork(
            members, preparation, n_modalities=n_modalities, with_views=self._setting("view_losses")
        )

    def _objective(self) -> dict[str, Any]:
        objective = super()._objective()
        if self._is_ensemble:
            objective |= {"criterion": MembersCriterion, "criterion__base": objective["criterion"]}
        return objective

    def _folds(self, y: Any, sites: Any) -> np.ndarray | None:
        return assign_folds(y, sites, self._setting("n_members")) if self._cross_fits else None

    def _prepare(self, net: SurvivalNet, training: PatientDataset, continues: bool) -> None:
        network = net.module_ if continues else net.module
        if continues or not isinstance(network, EnsembleNetwork):
            return
        if training.profiles is not None:
            network.preparation.learn_profiles(training.profiles[torch.from_numpy(training.has_profile)])
        if self._setting("standardise_instances"):
            for modality in range(len(training.bags)):
                network.preparation.learn_instances(
                    modality, *instance_statistics(training, modality, net.seed)
                )

    def _check_settings(self, continues: bool) -> None:
        super()._check_settings(continues)
        if self.linear_path and not self._cross_fits:
            raise ValueError(
                "linear_path=True takes loss='cox' and n_members=2 or more: its weight comes from patients "
                f"that a member has not seen. Here loss is {self.loss!r} and n_members is "
                f"{self._setting('n_members')}; change them, or leave linear_path out."
            )

    def _learn_rule(
        self, net: SurvivalNet, patients: PatientDataset, X: Any, sites: Any, edges: np.ndarray
    ) -> Learned:
        """Weigh network and linear path by the patients that neither has seen."""
        if not self._cross_fits:
            return super()._learn_rule(net, patients, X, sites, edges)
        (time, event), strata = patients.known_outcome(), patients.known_strata()
        features, linear = None, None
        if self._setting("linear_path"):
            features = linear_features(patients, self.bag_size)
            linear = fit_linear_path(features, time, event, sites=sites, strata=strata)
        outputs = held_out_outputs(net, patients, linear, features, sites)
        outputs = on_one_level(check_outputs(outputs, X), patients.known_folds(), strata)
        return combine(outputs, time, event, strata), linear

    def _outputs_of(self, patients: PatientDataset) -> np.ndarray:
        outputs = super()._outputs_of(patients)
        linear: LinearPath | None = self._linear
        if linear is None:
            return outputs
        return np.column_stack([outputs, linear.log_risk(linear_features(patients, self.bag_size))])

    def _set_public(self, net: SurvivalNet, schema: InputSchema, rule: PredictionRule) -> None:
        super()._set_public(net, schema, rule)
        for name in ("output_weights_", "linear_coefficients_"):
            if hasattr(self, name):  # of an earlier fit with other parameters
                delattr(self, name)
        if isinstance(rule, CoxPrediction):
            names = ["network", "linear"][: len(rule.weights)]
            self.output_weights_ = pd.Series(rule.weights, index=names, name="weight")
        if self._linear is not None:
            features = schema.gene_columns or [
                f"{column}:{place}"
                for column, width in zip(schema.bag_columns, schema.bag_widths, strict=True)
                for place in range(width)
            ]
            coefficients = self._linear.coefficients
            self.linear_coefficients_ = pd.Series(coefficients, index=list(features), name="log risk")

    def _tokens_per_batch(self, patients: PatientDataset, schema: InputSchema) -> int:
        # Narrow tokens are less work.
        share = self._setting("token_dim") / PAPER["token_dim"]
        return int(super()._tokens_per_batch(patients, schema) * share)
