"""The command line: arguments in, one call each, exit codes out.

Exit codes: 0 done, 1 the data or the model cannot be used (the message says why), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sksurv_tta import __version__
from sksurv_tta.bags import write_store
from sksurv_tta.cohort import BAG_COLUMN, Cohort, read_cohort
from sksurv_tta.datasets import make_cohort, write_cohort
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.evaluation import available_models, compare, get_model
from sksurv_tta.exceptions import SksurvTTAError, SksurvTTAWarning
from sksurv_tta.model_selection import SitePreservedKFold, predefined_folds
from sksurv_tta.report import RunDescription, summarise, write_results

__all__ = ["main"]

DEMO_SETTINGS = {
    "token_dim": 64,
    "prototype_dim": 64,
    "n_prototypes": 8,
    "max_epochs": 20,
    "lr": 1e-3,
    "mass_ramp_epochs": 5,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    exit_code : int
    """
    options = build_parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("once", SksurvTTAWarning)
        warnings.showwarning = _show_warning
        try:
            options.run(options)
        except (SksurvTTAError, OSError, ValueError) as error:
            _say(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            _say("interrupted", file=sys.stderr)
            return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="sksurv-tta",
        description="Survival prediction from whole-slide images and gene expression.",
        epilog="'sksurv-tta COMMAND --help' explains a command; 'sksurv-tta demo' shows all of it at work.",
    )
    parser.add_argument("--version", action="version", version=f"sksurv-tta {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_evaluate(commands)
    _add_fit(commands)
    _add_predict(commands)
    _add_pack(commands)
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], None], help: str, **texts: str):
    parser = commands.add_parser(
        name, help=help, formatter_class=argparse.RawDescriptionHelpFormatter, **texts
    )
    parser.set_defaults(run=run)
    return parser


def _add_demo(commands: Any) -> None:
    parser = _command(
        commands,
        "demo",
        _demo,
        "simulate a cohort in the real file formats and evaluate models on it",
        description="Writes a simulated cohort (TRIDENT .h5 features, expression and clinical CSV, a GMT file) "
        "to OUT/data, then runs 'evaluate' on these files into OUT/results. Takes a minute or two.",
    )
    parser.add_argument("--out", type=Path, default=Path("demo_results"), help="folder (default: %(default)s)")
    parser.add_argument("--patients", type=int, default=150, help="patients to simulate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation (default: %(default)s)")


def _add_evaluate(commands: Any) -> None:
    parser = _command(
        commands,
        "evaluate",
        _evaluate,
        "cross-validate models on your patients and write tables that can be believed",
        description="Every model is fitted on the training patients of each fold and measured once on the test\n"
        "patients. Folds keep tissue source sites whole. Nothing is selected on a test fold.",
        epilog="OUT receives folds.csv (the fold in which each patient is tested), predictions.csv (out-of-fold "
        "risk of each patient),\nmetrics.csv (per model, fold and seed), summary.csv, paired.csv, run.json (what "
        "was run) and summary.txt.\n\nexample:\n"
        "  sksurv-tta evaluate --bags features_uni/ --expression rna.csv --outcomes clinical.csv \\\n"
        "      --time dss_days --event dss --site site --pathways hallmark.gmt --models tta,ridge-genes --out results/",
    )
    _add_data(parser)
    folds = parser.add_argument_group("folds and models")
    folds.add_argument(
        "--folds", metavar="COLUMN", help="column of the outcomes table with each patient's test fold"
    )
    folds.add_argument("--n-folds", type=int, default=5, help="site-preserved folds to make (default: %(default)s)")
    folds.add_argument(
        "--models",
        default="tta,tta-genes,tta-bags,ridge-genes",
        help=f"comma-separated (default: %(default)s); known: {', '.join(available_models())}",
    )
    folds.add_argument("--seeds", type=int, default=1, help="fits of each model with its own seed (default: 1)")
    folds.add_argument("--times", help="times for AUC and calibration, comma-separated, in the unit of --time")
    _add_settings(folds)
    folds.add_argument("--out", type=Path, required=True, help="folder for the results")
    folds.add_argument("--random-state", type=int, default=0, help="seed of folds and models (default: 0)")
    folds.add_argument("--n-jobs", type=int, default=1, help="fits at the same time (default: 1)")
    folds.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_fit(commands: Any) -> None:
    parser = _command(
        commands, "fit", _fit, "fit TTA on all patients and save the model", description="Fit TTA and save it."
    )
    _add_data(parser)
    model = parser.add_argument_group("model")
    _add_settings(model)
    model.add_argument("--out", type=Path, required=True, metavar="MODEL", help="file for the model")
    model.add_argument("--random-state", type=int, default=0, help="seed (default: 0)")
    model.add_argument("--verbose", action="store_true", help="one line per epoch")


def _add_predict(commands: Any) -> None:
    parser = _command(
        commands,
        "predict",
        _predict,
        "predict risks with a saved model",
        description="Writes a CSV with one row per patient: id, risk score (higher: earlier event) and, with "
        "--times, survival probabilities.",
    )
    parser.add_argument("--model", type=Path, required=True, help="file written by 'fit'")
    _add_data(parser, outcome_needed=False)
    parser.add_argument("--times", help="times for survival probabilities, comma-separated")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="file for the predictions")


def _add_pack(commands: Any) -> None:
    parser = _command(
        commands,
        "pack",
        _pack,
        "copy feature files into one packed store that trains faster",
        description="Reads every patient's slides once and writes one flat file that is memory-mapped in training. "
        "The result is passed as --bags.",
    )
    _add_data(parser, outcome_needed=False, only_bags=True)
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16", help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, metavar="STORE", help="folder for the store")


def _add_data(parser: Any, *, outcome_needed: bool = True, only_bags: bool = False) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--bags",
        action="append",
        required=only_bags,
        help="folder of .h5/.pt/.npy/.npz feature files (may be repeated), packed store, or packed .npz",
    )
    if not only_bags:
        data.add_argument("--expression", help="table: a row per patient or sample, a column per gene")
        data.add_argument("--pathways", help="GMT file that groups the genes")
    data.add_argument("--outcomes", required=True, help="table with a row per patient (or per slide)")
    data.add_argument("--id", help="column with patient ids (default: the first of the usual names)")
    data.add_argument(
        "--missing",
        choices=["error", "allow", "drop"],
        default="error" if outcome_needed else "allow",
        help="patients without slides or expression: refuse, keep as missing, leave out (default: %(default)s)",
    )
    data.add_argument("--key", help="name of the features inside the feature files, if unusual")
    if outcome_needed:
        data.add_argument("--time", required=True, help="column with the time to event or censoring")
        status = data.add_mutually_exclusive_group(required=True)
        status.add_argument("--event", help="column that is 1 if the event happened")
        status.add_argument("--censored", help="column that is 1 if the patient is censored")
        data.add_argument("--site", help="column with the tissue source site, or 'tcga' for TCGA barcodes")


def _add_settings(group: Any) -> None:
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of TTASurvivalEstimator, e.g. --set max_epochs=50 (may be repeated)",
    )


def _read(options: argparse.Namespace) -> Cohort:
    bags = options.bags
    return read_cohort(
        bags=bags[0] if bags and len(bags) == 1 else bags,
        expression=getattr(options, "expression", None),
        outcomes=options.outcomes,
        time=getattr(options, "time", None),
        event=getattr(options, "event", None),
        censored=getattr(options, "censored", None),
        site=getattr(options, "site", None),
        id=options.id,
        missing=options.missing,
        key=options.key,
    )


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Parse NAME=VALUE; values are JSON where they can be, and text otherwise."""
    known = TTASurvivalEstimator().get_params()
    settings = {}
    for item in options.set:
        name, separator, text = item.partition("=")
        if not separator or name not in known:
            raise ValueError(f"--set {item}: expected NAME=VALUE with a name out of {', '.join(sorted(known))}.")
        try:
            settings[name] = json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
        except json.JSONDecodeError:
            settings[name] = text
    return settings


def _times(options: argparse.Namespace) -> list[float] | None:
    return None if options.times is None else [float(time) for time in options.times.split(",")]


def _evaluate(options: argparse.Namespace) -> None:
    cohort = _read(options)
    _say(str(cohort))
    names = [name.strip() for name in options.models.split(",")]
    settings = _settings(options)
    models = {
        name: get_model(name, pathways=options.pathways, parameters=_for_model(name, settings))
        for name in names
    }
    if options.folds is None:
        cv: Any = SitePreservedKFold(options.n_folds) if cohort.site is not None else options.n_folds
    elif options.folds in cohort.table:
        cv = predefined_folds(cohort.table[options.folds].to_numpy())
    else:
        raise ValueError(
            f"--folds {options.folds}: the outcomes table has no such column, but {', '.join(cohort.table.columns)}."
        )
    comparison = compare(
        models,
        cohort.X,
        cohort.y,
        groups=cohort.site,
        cv=cv,
        times=_times(options),
        seeds=options.seeds if options.seeds > 1 else None,
        ids=cohort.ids,
        pathways=options.pathways,
        n_jobs=options.n_jobs,
        random_state=options.random_state,
        cache_dir=options.out / "cache",
        verbose=0 if options.quiet else 1,
    )
    description = RunDescription.of(cohort, options=vars(options), models=models)
    write_results(comparison, cohort, options.out, description=description)
    _say(summarise(comparison, cohort))
    _say(f"Results: {options.out}")


def _for_model(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of TTA under the names that a model of ``get_model`` takes them."""
    if not name.startswith("tta"):
        return {}
    return settings if name == "tta" else {f"model__{key}": value for key, value in settings.items()}


def _fit(options: argparse.Namespace) -> None:
    cohort = _read(options)
    _say(str(cohort))
    pathways = options.pathways if cohort.genes else None
    estimator = TTASurvivalEstimator(
        pathways=pathways, random_state=options.random_state, verbose=int(options.verbose)
    ).set_params(**_settings(options))
    estimator.fit(cohort.X, cohort.y, sites=cohort.site).save(options.out)
    _say(f"Model: {options.out} ({estimator.n_iter_} epochs, {len(cohort)} patients)")


def _predict(options: argparse.Namespace) -> None:
    from sksurv_tta.estimators import load_model

    estimator = load_model(options.model)
    cohort = _read(options)
    table = pd.DataFrame({"patient": cohort.ids, "risk": estimator.predict(cohort.X)})
    for time, values in _survival_at(estimator, cohort.X, _times(options)):
        table[f"survival@{time:g}"] = values
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out, index=False)
    _say(f"Predictions: {options.out} ({len(table)} patients)")


def _survival_at(estimator: Any, X: pd.DataFrame, times: list[float] | None) -> list[tuple[float, np.ndarray]]:
    if not times:
        return []
    functions = estimator.predict_survival_function(X)
    last = estimator.unique_times_[-1]
    beyond = [time for time in times if not 0 <= time <= last]
    if beyond:
        raise ValueError(f"--times {beyond}: the model knows survival from 0 to {last:g}.")
    return [(time, np.array([function(time) for function in functions])) for time in times]


def _pack(options: argparse.Namespace) -> None:
    cohort = _read(options)
    column = cohort.X[BAG_COLUMN].array
    write_store(options.out, cohort.ids.tolist(), column, dtype=options.dtype, progress=_progress)
    _say(f"Store: {options.out} ({len(cohort)} patients, {int(column.n_instances.sum())} instances)")


def _progress(done: int, total: int) -> None:
    _say(f"\r{done}/{total} patients", end="" if done < total else "\n", file=sys.stderr)


def _demo(options: argparse.Namespace) -> None:
    cohort = make_cohort(options.patients, random_state=options.seed)
    written = write_cohort(cohort, options.out / "data")
    _say(f"Simulated cohort: {options.out / 'data'}")
    settings = [text for name, value in DEMO_SETTINGS.items() for text in ("--set", f"{name}={value}")]
    arguments = [
        "evaluate",
        *("--bags", str(written.bags)),
        *("--expression", str(written.expression)),
        *("--outcomes", str(written.outcomes)),
        *("--pathways", str(written.pathways)),
        *("--time", "time", "--event", "event", "--site", "site"),
        *("--models", "tta,tta-genes,tta-bags,ridge-genes", "--n-folds", "3", "--n-jobs", "2"),
        *("--out", str(options.out / "results"), "--random-state", str(options.seed)),
        *settings,
    ]
    _say("sksurv-tta " + " ".join(arguments))
    parsed = build_parser().parse_args(arguments)
    parsed.run(parsed)


def _say(text: str, **where: Any) -> None:
    print(text, flush=True, **where)  # noqa: T201 - the command line is where this package speaks


def _show_warning(message: Any, category: Any, *_: Any, **__: Any) -> None:
    _say(f"warning: {message}", file=sys.stderr)
