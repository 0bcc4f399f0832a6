"""Explain patients: one after another, or a cohort at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

from sksurv_tta.bags import Bag
from sksurv_tta.evaluation.explain.attribution import (
    ATTRIBUTIONS,
    Attribution,
    Baseline,
    attribute_tokens,
    baseline_tokens,
)
from sksurv_tta.evaluation.explain.explanation import Explanation, PatientExplanation, stacked
from sksurv_tta.evaluation.explain.modalities import modality_tables
from sksurv_tta.evaluation.explain.opened import GENES, OpenedModel, open_model
from sksurv_tta.evaluation.explain.tables import (
    INSTANCE_COLUMNS,
    PATHWAY_COLUMNS,
    Weights,
    anchor_table,
    instance_table,
    pathway_table,
    usage_table,
)
from sksurv_tta.evaluation.explain.trace import PatientTrace, trace_patient
from sksurv_tta.exceptions import ExplanationWarning, listing
from sksurv_tta.training.threads import threads_for

__all__ = ["explain", "explain_patients", "warn_of_gaps"]

#: Gap of integrated gradients, relative to the sum of the sizes of all contributions, that is worth a word.
NOTICEABLE_GAP = 0.05
#: Patients whose risks are predicted in one call, before they are explained: a call makes the network ready
#: first, and if risks are not finite, its error names all of them.
BLOCK = 32
COMPLETENESS_COLUMNS = ("patient", "risk", "baseline_risk", "contributions", "gap", "relative_gap")


def explain(
    estimator: Any,
    X: Any,
    *,
    attribution: str | None = "integrated",
    baseline: Baseline = "average",
    n_steps: int = 8,
    instances: bool = True,
    member: int = 0,
) -> Explanation:
    """Explain the risks of patients.

    Explain patients that the estimator was not fitted on, unless it is the training itself that you want
    to understand.

    Parameters
    ----------
    estimator : TTASurvivalEstimator
        Fitted; also as the last step of a Pipeline, as the best of a search, or within
        :func:`~sksurv_tta.evaluation.get_model`'s models of one modality.
    X : DataFrame or array of shape (n_patients, n_columns)
        As for ``predict``.
    attribution : {"integrated", "gradient"} or None
        Contributions of patches and pathways by integrated gradients, by one gradient (much
        faster, but they do not add up), or not at all.
    baseline : {"average", "zero"} or mapping
        What contributions are measured from: see Notes.
    n_steps : int
        Points of the integral.
    instances : bool
        Keep the table of instances of all patients. For a whole cohort leave it out, or take
        :func:`explain_patients` and go on patient by patient.
    member : int
        Which network, where the estimator is an ensemble.

    Returns
    -------
    Explanation

    Raises
    ------
    CohortError
        If rows or columns of X cannot be used.
    TypeError
        If the estimator has no prototypes.
    ValueError
        If another argument is not one of the above.

    Warns
    -----
    ExplanationWarning
        If integrated gradients of some patients miss the sum by more than 5 % of what they distribute.

    Notes
    -----
    Contributions are measured from tokens that say nothing. With ``"average"`` these are, for a bag, the
    mean of the patient's own tokens: the contributions tell where in the slides the risk comes from, and
    those of a slide that is the same everywhere are zero. For genes they are the expression of the average
    training patient. ``"zero"`` takes features of zero. A mapping gives the features of an instance (for
    genes: standardised expression) by modality, such as the mean instance of the cohort.

    The transport plan is held as it is while contributions are found, as it is in training. Everything is
    computed in single precision.

    Examples
    --------
    >>> from sksurv_tta import TTASurvivalEstimator
    >>> from sksurv_tta.datasets import make_cohort
    >>> from sksurv_tta.evaluation import explain
    >>> cohort = make_cohort(60, random_state=0)
    >>> estimator = TTASurvivalEstimator(
    ...     pathways=cohort.pathways, token_dim=16, prototype_dim=16, n_prototypes=4,
    ...     max_epochs=2, random_state=0,
    ... )
    >>> explanation = explain(estimator.fit(cohort.X[:50], cohort.y[:50]), cohort.X[50:])
    >>> explanation.modalities[["patient", "modality", "share"]].shape
    (20, 3)
    """
    options: dict[str, Any] = {
        "attribution": attribution,
        "baseline": baseline,
        "n_steps": n_steps,
        "member": member,
    }
    parts = explain_patients(estimator, X, **options)
    explanation = Explanation.collect(parts, instances=instances)
    if attribution == "integrated":
        warn_of_gaps(explanation.completeness)
    return explanation


def explain_patients(
    estimator: Any,
    X: Any,
    *,
    attribution: str | None = "integrated",
    baseline: Baseline = "average",
    n_steps: int = 8,
    member: int = 0,
) -> Iterator[PatientExplanation]:
    """Explain one patient after another; only one explanation is held at a time.

    Errors and notes as of :func:`explain`.

    Parameters
    ----------
    estimator : TTASurvivalEstimator
        Fitted; also within a Pipeline, a search or a model of one modality.
    X : DataFrame or array of shape (n_patients, n_columns)
        As for ``predict``.
    attribution : {"integrated", "gradient"} or None
        How contributions of patches and pathways are found, if at all.
    baseline : {"average", "zero"} or mapping
        What contributions are measured from.
    n_steps : int
        Points of the integral.
    member : int
        Which network, where the estimator is an ensemble.

    Yields
    ------
    PatientExplanation
    """
    _check_arguments(attribution, baseline, n_steps)
    model = open_model(estimator, X, member=member)
    return (
        _explain(model, row, modalities, attribution, baseline, n_steps)
        for rows in np.split(np.arange(len(model)), range(BLOCK, len(model), BLOCK))
        for row, modalities in zip(rows, modality_tables(model, rows), strict=True)
    )


def _check_arguments(attribution: str | None, baseline: Baseline, n_steps: int) -> None:
    if attribution is not None and attribution not in ATTRIBUTIONS:
        raise ValueError(f"attribution must be one of {', '.join(ATTRIBUTIONS)} or None, got {attribution!r}")
    if isinstance(baseline, str) and baseline not in ("average", "zero"):
        raise ValueError(f"baseline must be 'average', 'zero' or a mapping of modalities, got {baseline!r}")
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")


def _explain(
    model: OpenedModel,
    row: int,
    modalities: pd.DataFrame,
    attribution: str | None,
    baseline: Baseline,
    n_steps: int,
) -> PatientExplanation:
    patient = model.ids[row]
    with threads_for(int(model.patients.n_instances[row].sum())):
        trace = trace_patient(model.network, model.prepared, row)
        found = None
        if attribution is not None:
            start = baseline_tokens(model.network, trace, model.modalities, baseline)
            found = attribute_tokens(model.network, trace, start, method=attribution, n_steps=n_steps)
    weights = {
        name: _weights(trace, place)
        for place, name in enumerate(model.modalities)
        if modalities["present"][place]
    }
    instances, pathways = _token_tables(model, row, weights, found)
    anchors = model.network.apart.anchors
    return PatientExplanation(
        patient=patient,
        instances=instances,
        pathways=pathways,
        usage=usage_table(patient, weights),
        modalities=modalities,
        anchors=anchor_table(patient, model.modalities, anchors, trace.before, trace.after),
        completeness=_completeness(patient, found),
        weights=weights,
        before=trace.before.cpu().numpy(),
        after=trace.after.cpu().numpy(),
        prototypes=model.network.together.prototypes.detach().cpu().numpy(),
    )


def _weights(trace: PatientTrace, place: int) -> Weights:
    kinds = {"softmax": trace.similar, "mixed": trace.mixed}
    if trace.transported is not None:
        kinds["transported"] = trace.transported
    return {kind: values[place].float().cpu().numpy() for kind, values in kinds.items()}


def _token_tables(
    model: OpenedModel, row: int, weights: Mapping[str, Weights], found: Attribution | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Instances of all bags, and pathways."""
    instances = [pd.DataFrame(columns=INSTANCE_COLUMNS)]
    pathways = pd.DataFrame(columns=PATHWAY_COLUMNS)
    for place, (name, own) in enumerate((name, weights.get(name)) for name in model.modalities):
        if own is None:
            continue
        values = None if found is None else found.values[place]
        if name == GENES:
            pathways = pathway_table(model.ids[row], model.pathways, own, values)
        else:
            bag = cast(Bag, model.patients.bags[place][row])  # present, or there were no weights
            instances.append(instance_table(model.ids[row], name, bag, own, values))
    return stacked(instances), pathways


def _completeness(patient: Any, found: Attribution | None) -> pd.DataFrame:
    if found is None:
        return pd.DataFrame(columns=COMPLETENESS_COLUMNS)
    sizes = sum(float(np.abs(values).sum()) for values in found.values)
    total = sum(float(values.sum()) for values in found.values)
    relative = abs(found.gap) / sizes if sizes > 0 else 0.0
    row = (patient, found.risk, found.baseline_risk, total, found.gap, relative)
    return pd.DataFrame([row], columns=COMPLETENESS_COLUMNS)


def warn_of_gaps(completeness: pd.DataFrame) -> None:
    """Warn of integrated gradients that do not add up.

    Parameters
    ----------
    completeness : DataFrame
        Of an explanation by integrated gradients.
    """
    gaps = completeness
    wide = gaps["relative_gap"] > NOTICEABLE_GAP
    if wide.any():
        warnings.warn(
            f"Contributions of {int(wide.sum())} of {len(gaps)} patients miss the difference of risks by up "
            f"to {gaps['relative_gap'].max():.0%} of what they distribute: "
            f"{listing(gaps.loc[wide, 'patient'])}. Take more n_steps.",
            ExplanationWarning,
            stacklevel=3,
        )
