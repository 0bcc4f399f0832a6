"""``evaluate``: cross-validate models and write what was found."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sksurv_tta.cli.data import check_writable, read_data, read_pathways
from sksurv_tta.cli.messages import note, say, workers_warn_readably
from sksurv_tta.cli.values import ALL, NETWORKS, UsageError, check_settings, known_models
from sksurv_tta.cohort import Cohort
from sksurv_tta.estimators import TTASurvivalEstimator, all_estimators
from sksurv_tta.estimators.peer import TRAINING_PARAMETERS, PeerEstimator
from sksurv_tta.evaluation import Comparison, compare, get_model, model_inputs
from sksurv_tta.exceptions import CohortWarning, FoldError
from sksurv_tta.model_selection import predefined_folds, read_folds
from sksurv_tta.report import (
    HOW_TO_DRAW,
    RunDescription,
    can_draw,
    summarise,
    write_report,
    write_results,
)

__all__ = ["build_models", "needed_data", "run_evaluate"]

#: Where a modality comes from, and what one patient has of it.
OPTION = {"bags": "--bags", "genes": "--expression"}
IN_WORDS = {"bags": "slides", "genes": "expression"}


def run_evaluate(options: argparse.Namespace) -> None:
    """Cross-validate models on a cohort.

    Parameters
    ----------
    options : Namespace
    """
    options.models = _wanted_models(options)
    _check_needs(options)
    settings = check_settings(options.settings)
    check_writable(options.out)
    cohort = read_data(options)
    _warn_of_what_limits(cohort, options)
    _refuse_missing(cohort, options)
    pathways = read_pathways(options.pathways, cohort)
    models = build_models(options.models, pathways=pathways, settings=settings)
    cv = options.n_folds if options.folds is None else _given_folds(options.folds, cohort)
    comparison = _compare(models, cohort, cv, options)
    description = RunDescription.of(
        cohort, command=options.typed, options=vars(options), models=models, pathways=pathways
    )
    write_results(comparison, cohort, options.out, description=description)
    if can_draw():
        write_report(comparison, cohort, options.out, description=description)
    else:
        note(HOW_TO_DRAW)
    say(summarise(comparison, cohort))
    say(f"\nResults: {options.out}")


def _compare(models: Mapping[str, Any], cohort: Cohort, cv: Any, options: argparse.Namespace) -> Comparison:
    with workers_warn_readably():
        comparison = compare(
            models,
            cohort.X,
            cohort.y,
            groups=cohort.site,
            cv=cv,
            times=options.times,
            seeds=[options.random_state + number for number in range(options.seeds)],
            ids=cohort.ids,
            n_jobs=options.n_jobs,
            random_state=options.random_state,
            cache_dir=options.out / "cache",
            optimistic=options.optimistic,
            verbose=0 if options.quiet else 1,
        )
    kept = int(comparison.fits["from_cache"].sum())
    if kept:
        note(f"{kept} of {len(comparison.fits)} fits were already in {options.out / 'cache'}.")
    return comparison


def build_models(
    names: Sequence[str], *, pathways: Mapping[str, Sequence[str]] | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Models by name, the network in each of them with the settings.

    Parameters
    ----------
    names : sequence of str
    pathways : mapping of name to genes, or None
    settings : mapping
        Parameters of TTASurvivalEstimator; other networks take those of loss and training.
    """
    built = {}
    for name in names:
        model = get_model(name, pathways=pathways)
        nested = {"": model} | {f"{place}__": part for place, part in model.get_params(deep=True).items()}
        for place, part in nested.items():
            of_part = _settings_of(part, settings)
            model.set_params(**{f"{place}{key}": value for key, value in of_part.items()})
        built[name] = model
    return built


def _settings_of(part: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings for TTA, those of loss and training for another network, none for anything else."""
    if isinstance(part, TTASurvivalEstimator):
        return dict(settings)
    if isinstance(part, PeerEstimator):
        return {name: value for name, value in settings.items() if name in TRAINING_PARAMETERS}
    return {}


def needed_data(model: str) -> tuple[str, ...]:
    """Options without which a model has nothing to learn from.

    Parameters
    ----------
    model : str
        Its name.
    """
    inputs = model_inputs(model)
    return tuple(option for modality, option in OPTION.items() if modality in inputs)


def _wanted_models(options: argparse.Namespace) -> list[str]:
    """The models that are named, or all for which the data are enough."""
    if options.models != [ALL]:
        return options.models
    given = {"--bags": options.bags, "--expression": options.expression}
    return [name for name in known_models() if all(given[option] for option in needed_data(name))]


def _check_needs(options: argparse.Namespace) -> None:
    given = {"--bags": options.bags, "--expression": options.expression}
    if not any(given.values()):
        raise UsageError("Give --bags, --expression or both.")
    lacking = [
        f"{name} needs {option}"
        for name in options.models
        for option in needed_data(name)
        if not given[option]
    ]
    if lacking:
        raise UsageError(f"{'; '.join(lacking)}. Give it, or choose other --models.")
    if options.settings and not set(options.models) & set(NETWORKS):
        raise UsageError(f"--set is for the networks, but none of --models is one of {', '.join(NETWORKS)}.")


def _warn_of_what_limits(cohort: Cohort, options: argparse.Namespace) -> None:
    """Say what makes the results of this run weaker than they look."""
    if cohort.site is None:
        warnings.warn(
            "Without --site, patients of one hospital can be in training and test, which makes models look "
            "better than they are on patients from elsewhere.",
            CohortWarning,
            stacklevel=2,
        )
    facts = cohort.summary()
    for modality, lacking in _missing(facts).items():
        blind = [name for name in options.models if model_inputs(name) == (modality,)]
        if lacking and blind:
            warnings.warn(
                f"{lacking} of {len(cohort)} patients have no {IN_WORDS[modality]}: for "
                f"{', '.join(blind)} they are patients of average risk, which counts against these models. "
                "--missing drop compares all models on the patients who have both.",
                CohortWarning,
                stacklevel=2,
            )


def _missing(facts: Any) -> dict[str, int]:
    """Patients without a modality."""
    return {
        "bags": int(facts.get("missing bags", 0)),
        "genes": int(facts.get("missing expression", 0)),
    }


def _refuse_missing(cohort: Cohort, options: argparse.Namespace) -> None:
    """Say before the first fit which networks cannot do with gaps."""
    gaps = {name: n for name, n in _missing(cohort.summary()).items() if n}
    needed = {
        each._short_name: each._needed()
        for _, each in all_estimators()
        if issubclass(each, PeerEstimator) and len(each._required) > 1
    }
    for needs in sorted(set(needed.values()), key=len, reverse=True):
        concerned = [name for name in options.models if needed.get(name) == needs]
        lacking = [f"{gaps[name]} have no {IN_WORDS[name]}" for name in needs if name in gaps]
        if concerned and lacking:
            raise UsageError(
                f"{', '.join(concerned)} need {' and '.join(IN_WORDS[name] for name in needs)} of every "
                f"patient, but of {len(cohort)} patients {' and '.join(lacking)}. Give --missing drop, or "
                "leave these models out."
            )


def _given_folds(folds: str, cohort: Cohort) -> Any:
    """Folds of a column of the outcomes table, or of a file."""
    if folds in cohort.table:
        labels = cohort.table[folds].to_numpy()
    elif Path(folds).is_file():
        labels = read_folds(folds, cohort.ids, extra="ignore")
    else:
        raise FoldError(
            f"--folds {folds}: there is no such file, and the outcomes table has no such column. It has "
            f"{', '.join(map(str, cohort.table.columns))}."
        )
    splitter = predefined_folds(labels)
    try:
        trainings = [train for train, _ in splitter.split(cohort.X, groups=cohort.site)]
    except FoldError as error:
        error.add_note(f"--folds {folds}; if these folds may share sites, leave out --site")
        raise
    for number, train in enumerate(trainings):
        if not np.any(cohort.y["event"][train]):
            raise FoldError(f"--folds {folds}: the training patients of fold {number} have no event.")
    return splitter
