"""The commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sksurv_tta import __version__
from sksurv_tta.cli import help_texts, options
from sksurv_tta.cli.demo import run_demo
from sksurv_tta.cli.evaluate import run_evaluate
from sksurv_tta.cli.explain import run_explain
from sksurv_tta.cli.fit import run_fit
from sksurv_tta.cli.pack import run_pack
from sksurv_tta.cli.predict import run_predict
from sksurv_tta.cli.values import models, names, times, whole_number

__all__ = ["build_parser"]

DEFAULT_MODELS = ["tta", "tta-genes", "tta-bags", "ridge-genes"]


def build_parser() -> argparse.ArgumentParser:
    """Parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="sksurv-tta",
        description="Survival prediction from whole-slide images and gene expression.",
        epilog="'sksurv-tta COMMAND --help' explains a command; 'sksurv-tta demo' shows it all at work.",
    )
    parser.add_argument("--version", action="version", version=f"sksurv-tta {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_demo, _add_evaluate, _add_fit, _add_predict, _add_explain, _add_pack):
        add(commands)
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], short: str, **texts: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=short, formatter_class=argparse.RawDescriptionHelpFormatter, **texts
    )
    parser.set_defaults(run=run, interrupted="interrupted; nothing was written to {out}.")
    return parser


def _add_demo(commands: Any) -> None:
    parser = _command(
        commands,
        "demo",
        run_demo,
        "simulate a cohort in real file formats and evaluate on it",
        description=help_texts.DEMO,
    )
    options.add_out(parser, "FOLDER", "default: %(default)s", default=Path("demo_results"))
    patients = whole_number(at_least=60)
    parser.add_argument(
        "--patients", type=patients, default=200, metavar="N", help="to simulate (default: %(default)s)"
    )
    options.add_seed(parser, "simulation, folds and models")
    jobs = whole_number(at_least=1)
    parser.add_argument(
        "--n-jobs", type=jobs, default=2, metavar="N", help="fits at the same time (default: %(default)s)"
    )
    options.add_settings(parser)
    options.add_quiet(parser)


def _add_evaluate(commands: Any) -> None:
    parser = _command(
        commands,
        "evaluate",
        run_evaluate,
        "cross-validate models on your patients and write tables that can be believed",
        description=help_texts.EVALUATE,
        epilog=help_texts.EVALUATE_OUT,
    )
    parser.set_defaults(
        interrupted="interrupted. Finished fits are in {out}/cache; the same command goes on from there."
    )
    _add_data(parser, missing="error")
    models_group = parser.add_argument_group("models")
    models_group.add_argument(
        "--models",
        type=models,
        default=DEFAULT_MODELS,
        metavar="NAMES",
        help="comma-separated, see below, or 'all' that the data suffice for; the others are compared with "
        "the first "
        f"(default: {','.join(DEFAULT_MODELS)})",
    )
    options.add_settings(models_group)
    options.add_folds(parser.add_argument_group("folds and measures"))
    output = parser.add_argument_group("output")
    options.add_out(output, "FOLDER", "folder for the results, made if it does not exist", required=True)
    options.add_quiet(output)


def _add_fit(commands: Any) -> None:
    parser = _command(
        commands,
        "fit",
        run_fit,
        "fit the network on all patients and save it",
        description=help_texts.FIT,
        epilog=help_texts.FIT_EXAMPLE,
    )
    _add_data(parser, missing="error")
    model = parser.add_argument_group("model")
    options.add_settings(model)
    options.add_seed(model, "the model")
    options.add_out(model, "MODEL", "file for the model; an existing one is replaced", required=True)
    model.add_argument("--verbose", action="store_true", help="a line per epoch")


def _add_predict(commands: Any) -> None:
    parser = _command(
        commands,
        "predict",
        run_predict,
        "predict risks of patients with a saved model",
        description=help_texts.PREDICT,
        epilog=help_texts.PREDICT_EXAMPLE,
    )
    _add_model_and_data(parser, "to predict")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--times", type=times, metavar="TIMES", help="comma-separated, in the unit of the model's --time"
    )
    options.add_out(output, "CSV", "file for the predictions; an existing one is replaced", required=True)


def _add_explain(commands: Any) -> None:
    parser = _command(
        commands,
        "explain",
        run_explain,
        "show what the risks of patients are made of, with a saved model",
        description=help_texts.EXPLAIN,
        epilog=help_texts.EXPLAIN_OUT,
    )
    parser.set_defaults(interrupted="interrupted. Files of finished patients are in {out}.")
    data = _add_model_and_data(parser, "to explain")
    data.add_argument(
        "--patients", type=names, metavar="IDS", help="comma-separated: explain these only (default: all)"
    )
    options.add_attribution(parser.add_argument_group("contributions to the risk"))
    output = parser.add_argument_group("output")
    options.add_explanation_parts(output)
    options.add_out(output, "FOLDER", "folder for the results, made if it does not exist", required=True)
    options.add_quiet(output)


def _add_model_and_data(parser: argparse.ArgumentParser, what: str) -> Any:
    """Options for a saved model and patients that it has not seen; the group of the latter."""
    parser.add_argument("--model", type=Path, required=True, metavar="MODEL", help="file written by 'fit'")
    data = parser.add_argument_group("data")
    options.add_bags(data)
    options.add_profiles(data, pathways=False)
    options.add_patients(data, missing="allow", what=what)
    return data


def _add_pack(commands: Any) -> None:
    parser = _command(
        commands,
        "pack",
        run_pack,
        "copy feature files into one store that trains faster",
        description=help_texts.PACK,
        epilog=help_texts.PACK_EXAMPLE,
    )
    data = parser.add_argument_group("data")
    options.add_bags(data, required=True)
    options.add_patients(data, missing="allow", what="to pack")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--dtype",
        choices=["float16", "float32"],
        default="float16",
        help="of the stored features; float16 halves disk and memory (default: %(default)s)",
    )
    options.add_out(output, "STORE", "folder to make; must not exist", required=True)
    options.add_quiet(output)


def _add_data(parser: argparse.ArgumentParser, *, missing: str) -> None:
    data = parser.add_argument_group("data")
    options.add_bags(data)
    options.add_profiles(data)
    options.add_patients(data, missing=missing)
    options.add_outcome(data)
