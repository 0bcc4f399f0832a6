"""The scikit-survival face that all network estimators share."""

from __future__ import annotations

import copy
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch.helper import predefined_split
from sksurv.base import SurvivalAnalysisMixin
from sksurv.functions import StepFunction
from sksurv.util import Surv

from sksurv_tta.bags.inspection import inspect_bags
from sksurv_tta.estimators.baseline_hazard import (
    CoxPrediction,
    DiscretePrediction,
    PredictionRule,
    as_step_functions,
    check_outputs,
    usable_time_bins,
)
from sksurv_tta.estimators.fingerprint import identify_training
from sksurv_tta.estimators.inputs import InputSchema, check_again, learn_schema, read_patients
from sksurv_tta.estimators.linear_path import LinearPath
from sksurv_tta.estimators.outcome import check_outcome
from sksurv_tta.estimators.parameters import check_ties, check_warm_start, seed_of
from sksurv_tta.estimators.persistence import write_model
from sksurv_tta.estimators.requirements import refuse_missing_labels
from sksurv_tta.estimators.strata import number_strata
from sksurv_tta.model_selection import site_preserved_train_test_split
from sksurv_tta.networks import SurvivalNetwork
from sksurv_tta.training import Outcome, PatientDataset, SurvivalNet, criterion_of
from sksurv_tta.training.checkpoints import Checkpoints
from sksurv_tta.training.early_stopping import EarlyStop
from sksurv_tta.training.environment import describe_environment, resolve_device
from sksurv_tta.training.randomness import Purpose, derive_seed, initialising
from sksurv_tta.training.threads import threads_for

__all__ = ["BaseNetworkEstimator", "Learned"]

#: Parameters of the training loop, which a warm start may change.
LOOP_PARAMETERS = (
    "max_epochs",
    "batch_size",
    "bag_size",
    "lr",
    "warmup_epochs",
    "clip_norm",
    "low_memory",
    "verbose",
)
#: What training patients tell besides the network: the rule, and the linear path where there is one.
Learned = tuple[PredictionRule, LinearPath | None]
DEFAULT_VALIDATION_FRACTION = 0.2  # when early stopping is asked for without a fraction


class BaseNetworkEstimator(SurvivalAnalysisMixin, BaseEstimator, metaclass=ABCMeta):
    """Everything but the network: input, outcome, training, prediction.

    A subclass declares its parameters, among them all those that this class reads, and builds its
    network in ``_build_network``.
    """

    _predict_risk_score = True  # scikit-survival reads it through a Pipeline

    #: Modalities that every patient must have, "bags" (one column) or "genes"; others are not looked at.
    #: Empty: all that X has are taken, and a patient needs one of them.
    _required: ClassVar[tuple[str, ...]] = ()

    #: Those of them whose columns must be there, but which a patient may lack all the same.
    _may_lack: ClassVar[tuple[str, ...]] = ()

    #: The linear Cox model beside the network, of estimators that have one.
    _linear: LinearPath | None = None

    #: Parameters that say how often the network repeats a module; a model file may not overdo it.
    _repeating_parameters: ClassVar[tuple[str, ...]] = ()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pathways": [str, PathLike, Mapping, None],
        "loss": [StrOptions({"cox", "discrete", "nll"})],
        "ties": [StrOptions({"breslow", "efron"})],
        "n_time_bins": [Interval(Integral, 2, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "bag_size": [Interval(Integral, 1, None, closed="left"), None],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "warmup_epochs": [Interval(Real, 0, None, closed="left")],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "low_memory": ["boolean"],
        "checkpoint_dir": [str, PathLike, None],
        "callbacks": [list, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _validate_params(self) -> None:
        super()._validate_params()
        check_ties(self._setting("loss"), self._setting("ties"))

    @abstractmethod
    def _build_network(self, schema: InputSchema, n_outputs: int) -> SurvivalNetwork:
        """Build the untrained network for these columns, ending in ``n_outputs`` numbers."""

    def _setting(self, name: str) -> Any:
        """Value in force of a parameter of loss or training; a recipe may replace what was left alone."""
        return getattr(self, name)

    @classmethod
    def _needed(cls) -> tuple[str, ...]:
        """Modalities that every patient must have; empty: any of them."""
        return tuple(modality for modality in cls._required if modality not in cls._may_lack)

    def _folds(self, y: Any, sites: Any) -> np.ndarray | None:
        """For each patient the member of an ensemble that is not to learn from them: (n_patients,)."""
        return None

    def _n_linear_features(self, schema: InputSchema) -> int:
        """Features of the linear path; 0 where there is none."""
        return 0

    def _n_parts(self, schema: InputSchema) -> int:
        """Outputs whose weighted sum is the log risk; 0 for hazards of time bins."""
        return 1 + bool(self._n_linear_features(schema)) if self._setting("loss") == "cox" else 0

    def _prepare(self, net: SurvivalNet, training: PatientDataset, continues: bool) -> None:
        """Learn, before the first step, what the network needs of its training patients."""

    def _objective(self) -> dict[str, Any]:
        """Criterion and optimizer, as parameters of the net."""
        return {
            "criterion": criterion_of(self._setting("loss"), self._setting("ties")),
            "optimizer": torch.optim.AdamW,
            "optimizer__weight_decay": self._setting("weight_decay"),
            "optimizer__fused": True,
        }

    def _callbacks(self) -> list[Any]:
        early_stop = EarlyStop(self._setting("n_iter_no_change"))
        return [*([early_stop] if self._setting("early_stopping") else []), *(self.callbacks or [])]

    def fit(self, X: Any, y: Any = None, sites: Any = None, strata: Any = None) -> Self:
        """Train on patients with known outcome.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Columns of dtype ``bag`` (one for each bag modality) and numeric columns. A missing
            bag is a missing slide; a row whose gene columns are all NaN is missing expression.
        y : structured array of shape (n_patients,)
            First field the event indicator (bool), second the time.
        sites : array-like of shape (n_patients,), optional
            Where each patient's tissue came from: a validation part is then made of whole sites,
            and, if there are as many sites as members, what a member of an ensemble is tried on. A
            linear path gives each site an effect of its own, so that what differs between hospitals is
            not taken for an effect of genes; patients to predict need no site.
        strata : array-like of shape (n_patients,), optional
            Groups of patients whose baseline hazards differ, such as the cohort each comes from: with
            ``loss="cox"`` each has a baseline hazard of its own, and nobody is compared across them, not in
            training, in early stopping, in the linear path nor where its weight is found. Effects are the
            same in all. A stratum without events teaches nothing. Patients to predict need no stratum:
            survival functions rest on one baseline hazard of all training patients together, so that they
            are averages over the strata, while risks are not affected by it. ``score`` and
            ``valid_c_index`` compare all patients, whatever their stratum.

        Returns
        -------
        self

        Raises
        ------
        CohortError
            If rows or columns of X cannot be used, or a patient has no site or no stratum; names them.
        BagFileError
            If bags cannot be read or hold values that are not finite; names all such patients. Every bag
            is read once before the first step.
        OutcomeError
            If times or event indicators cannot be used, naming the patients, if all are censored, or if in
            no stratum a patient has an event while another is at risk.
        ValueError
            If y is not a structured array, or of another length than X; if strata are given and the loss is
            not "cox"; if a warm start is asked for with other parameters than those of the training, as
            ``lr``; names them; if there is no such device here.
        TrainingDivergedError
            If the loss or its gradient stops being finite.
        """
        self._validate_params()
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
            )
        continues = self.warm_start and hasattr(self, "net_")
        self._check_settings(continues)
        if continues:
            schema, X = self._schema, check_again(self, self._schema, X)
        else:
            schema, X = learn_schema(self, X, getattr(self, "pathways", None))
        event, time = check_outcome(y, X)
        check_consistent_length(X, event, sites, strata)
        refuse_missing_labels(sites, X, "sites")
        strata = number_strata(strata, X, time, event, loss=self._setting("loss"))
        y = Surv.from_arrays(event, time)
        edges = self._edges if continues else self._fit_bins(time, event)
        # Going on with the same seed, the validation part of before is set aside again.
        seed = self.net_.seed if continues else seed_of(self.random_state)
        bins = np.searchsorted(edges, time, side="right")
        outcome = Outcome.of(time, event, bins, self._folds(y, sites), strata)
        patients = read_patients(schema, X, outcome, required=self._needed())
        inspect_bags(patients.bags, patients.names)
        start = self.net_ if continues else None
        with (
            self._open_checkpoints(schema, patients, sites, seed, start) as checkpoints,
            threads_for(self._tokens_per_batch(patients, schema)),
        ):
            seed = checkpoints.seed if checkpoints is not None else seed
            training, validation = self._split(patients, y, sites, seed)
            # A copy: if this training fails, weights and prediction rule of before still belong together.
            shared = {id(callback): callback for callback in self.callbacks or []}  # the user's own objects
            net = copy.deepcopy(start, shared) or self._make_net(schema, 1 + len(edges), seed)
            self._prepare(net, training, continues)
            net.set_params(**{name: self._setting(name) for name in LOOP_PARAMETERS})
            if validation is not None:
                net.train_split = predefined_split(validation)
            try:
                net.partial_fit(training, checkpoints=checkpoints)
            finally:
                net.train_split = None  # nothing that stays may hold patients
            self._settle(net, schema, edges, self._learn_rule(net, patients, X, sites, edges))
            self._built_with.update({name: getattr(self, name) for name in LOOP_PARAMETERS})
        return self

    def _check_settings(self, continues: bool) -> None:
        """Refuse parameters, each allowed by itself, that this training could not heed."""
        resolve_device(self.device)
        if continues:
            check_warm_start(self, self._built_with, may_change=LOOP_PARAMETERS)

    def _learn_rule(
        self, net: SurvivalNet, patients: PatientDataset, X: Any, sites: Any, edges: np.ndarray
    ) -> Learned:
        """How outputs become risks and survival functions, and what stands beside the network."""
        outputs = check_outputs(net.predict(patients), X)
        time, event = patients.known_outcome()
        if self._setting("loss") == "cox":
            return CoxPrediction.fit(outputs, time, event), None
        return DiscretePrediction.fit(outputs, time, edges), None

    def _settle(self, net: SurvivalNet, schema: InputSchema, edges: np.ndarray, learned: Learned) -> None:
        """Set everything that the fitted estimator keeps: no row of X or y is among it."""
        self.net_, self._schema, self._edges = net, schema, edges
        self._rule, self._linear = learned
        self.trained_with_ = describe_environment(net.module_.device)
        self._set_public(net, schema, self._rule)

    def _set_public(self, net: SurvivalNet, schema: InputSchema, rule: PredictionRule) -> None:
        records = [{k: v for k, v in record.items() if k != "batches"} for record in net.history]
        self.history_ = pd.DataFrame(records)
        self.n_iter_ = len(records)
        self.pathway_names_ = np.array(schema.pathway_names, dtype=object)
        self.unique_times_ = rule.times
        self.cum_baseline_hazard_ = StepFunction(rule.times, rule.baseline, domain=(0.0, rule.times[-1]))
        self.baseline_survival_ = StepFunction(
            rule.times, np.exp(-rule.baseline), domain=(0.0, rule.times[-1])
        )

    def predict(self, X: Any) -> np.ndarray:
        """Risk scores; a higher score means an earlier event is expected.

        Deterministic, on all instances of every bag, one patient at a time.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)

        Returns
        -------
        risk : ndarray of shape (n_patients,), float64
            Log risk (``loss="cox"``; with a linear path the weighted sum of both), or minus the sum
            of the survival probabilities of the time bins (``loss="discrete"``).
        """
        outputs = self._outputs(X)  # first: before fit, it is what says so
        return self._rule.risk(outputs)

    def predict_survival_function(self, X: Any, return_array: bool = False) -> np.ndarray:
        """Survival function of each patient.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
        return_array : bool
            Return the values at ``unique_times_`` instead of functions.

        Returns
        -------
        survival : ndarray of StepFunction (n_patients,), or of float (n_patients, n_times)
        """
        return self._functions(np.exp(-self._rule_hazard(X)), return_array)

    def predict_cumulative_hazard_function(self, X: Any, return_array: bool = False) -> np.ndarray:
        """Cumulative hazard function of each patient; parameters as ``predict_survival_function``."""
        return self._functions(self._rule_hazard(X), return_array)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Harrell's concordance index of the risk scores.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
        y : structured array of shape (n_patients,)
        sample_weight : None
            Accepted because scikit-learn's Pipeline passes it on; must be None.
        """
        if sample_weight is not None:
            raise ValueError("The concordance index takes no sample_weight; leave it out.")
        return super().score(X, y)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted estimator to one file, which :func:`sksurv_tta.load_model` reads.

        The file holds weights, parameters, names of columns, genes and pathways, means, scales and
        components of genes and features over the training patients, the history and the prediction
        rule, to which the distinct times seen in ``fit`` belong. It holds nothing else of the
        patients, and no code. An existing file is replaced
        only by a whole new one.

        Parameters
        ----------
        path : path
            Such as "model.safetensors".

        Raises
        ------
        NotFittedError
        ValueError
            If parameters cannot be stored, or were changed since ``fit``; names them.
        OSError
            If the file cannot be written. An earlier one is as it was.
        """
        write_model(self, path)

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "net_")
        X = check_again(self, self._schema, X)
        patients = read_patients(self._schema, X, required=self._needed())
        return check_outputs(self._outputs_of(patients), X)

    def _outputs_of(self, patients: PatientDataset) -> np.ndarray:
        """Outputs of the fitted estimator, as its rule takes them: (n_patients, n_outputs)."""
        return self.net_.predict(patients)

    def _rule_hazard(self, X: Any) -> np.ndarray:
        outputs = self._outputs(X)
        return self._rule.cumulative_hazard(outputs)

    def _functions(self, values: np.ndarray, return_array: bool) -> np.ndarray:
        return values if return_array else as_step_functions(self.unique_times_, values)

    def _fit_bins(self, time: np.ndarray, event: np.ndarray) -> np.ndarray:
        is_cox = self._setting("loss") == "cox"
        return np.empty(0) if is_cox else usable_time_bins(time, event, self.n_time_bins)

    def _split(
        self, patients: PatientDataset, y: Any, sites: Any, seed: int
    ) -> tuple[PatientDataset, PatientDataset | None]:
        """Training and validation part; the latter is made of whole sites."""
        fraction = self.validation_fraction
        if fraction is None and not self._setting("early_stopping"):
            return patients, None
        rows, held_out = site_preserved_train_test_split(
            np.zeros((len(patients), 1)),
            y,
            groups=sites,
            test_size=fraction or DEFAULT_VALIDATION_FRACTION,
            random_state=derive_seed(seed, Purpose.VALIDATION) % 2**31,
        )
        return patients.subset(rows), patients.subset(held_out)

    def _tokens_per_batch(self, patients: PatientDataset, schema: InputSchema) -> int:
        bag_size, counts = self._setting("bag_size"), patients.n_instances
        counts = counts if bag_size is None else np.minimum(counts, bag_size)
        per_patient = counts.sum(axis=1).mean() + len(schema.pathways)
        return int(min(self._setting("batch_size"), len(patients)) * per_patient)

    def _make_net(self, schema: InputSchema, n_outputs: int, seed: int) -> SurvivalNet:
        with initialising(seed):
            network = self._build_network(schema, n_outputs)
        self._built_with = self.get_params(deep=False)
        return SurvivalNet(
            network,
            **self._objective(),
            **{name: self._setting(name) for name in LOOP_PARAMETERS},
            seed=seed,
            precision=self.precision,
            n_profile_tokens=len(schema.pathways),
            callbacks=self._callbacks(),
            device=resolve_device(self.device),
            warm_start=True,
        )

    def _open_checkpoints(
        self,
        schema: InputSchema,
        patients: PatientDataset,
        sites: Any,
        seed: int,
        start: SurvivalNet | None,
    ) -> AbstractContextManager[Checkpoints | None]:
        if self.checkpoint_dir is None:
            return nullcontext()
        identity = identify_training(self, schema, patients, sites, seed, start)
        return Checkpoints(self.checkpoint_dir, identity, seed)
