"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sksurv_tta.cli.values import setting, times, whole_number

__all__ = [
    "add_attribution",
    "add_bags",
    "add_explanation_parts",
    "add_folds",
    "add_out",
    "add_outcome",
    "add_patients",
    "add_profiles",
    "add_quiet",
    "add_seed",
    "add_settings",
]

MISSING_HELP = (
    "patients without slides or without expression: 'error' refuses and lists them; 'allow' keeps them (the "
    "network works with what is there; a patient with neither is left out); 'drop' leaves them out "
    "(default: %(default)s)"
)
BAD_BAG_HELP = (
    "features that cannot be used (damaged, NaN or infinity, another width or encoder than most): 'raise' "
    "refuses and lists them; 'drop' lists them, and --missing decides on patients whose slides they are "
    "(default: %(default)s)"
)
MATCH_HELP = (
    "how names of feature files and samples lead to patients: 'exact', they are the id or a TCGA barcode of "
    "the patient; 'prefix', they begin with the id, as P-017_HE_2 with P-017 (default: %(default)s)"
)


def add_bags(group: Any, *, required: bool = False) -> None:
    """--bags, --key, --verify and --on-bad-bag."""
    group.add_argument(
        "--bags",
        action="append",
        required=required,
        metavar="PATH",
        help="features of the slides: a folder of .h5, .pt, .npy or .npz files, one per slide, as TRIDENT "
        "and CLAM write them (may be repeated); a store made by 'pack'; or one packed .npz",
    )
    group.add_argument("--key", help="name of the features inside the feature files, if it is an unusual one")
    group.add_argument(
        "--verify",
        choices=["size", "sha256"],
        default="size",
        help="what is compared before features are read: the sizes of the files, or also their SHA-256 with "
        "the list SHA256SUMS beside them (a store has its own); see sha256sum (default: %(default)s)",
    )
    group.add_argument("--on-bad-bag", choices=["raise", "drop"], default="raise", help=BAD_BAG_HELP)


def add_profiles(group: Any, *, pathways: bool = True) -> None:
    """--expression, and --pathways where a model is fitted."""
    group.add_argument(
        "--expression",
        metavar="TABLE",
        help="CSV, TSV or Parquet of log-transformed values: a row per patient or sample and a column per "
        "gene, or the other way round",
    )
    if pathways:
        group.add_argument(
            "--pathways", metavar="GMT", help="file that groups the genes; without it all genes are one group"
        )


def add_patients(group: Any, *, missing: str, what: str = "and its outcome") -> None:
    """--outcomes, --id, --missing and --match."""
    group.add_argument(
        "--outcomes",
        required=True,
        metavar="TABLE",
        help=f"CSV, TSV or Parquet: a row per patient {what} (or per slide, with a column slide_id). It says "
        "who the patients are; bags and expression are joined by id",
    )
    group.add_argument(
        "--id", metavar="COLUMN", help="column with the patient ids (default: the first of the usual names)"
    )
    group.add_argument("--missing", choices=["error", "allow", "drop"], default=missing, help=MISSING_HELP)
    group.add_argument("--match", choices=["exact", "prefix"], default="exact", help=MATCH_HELP)


def add_outcome(group: Any) -> None:
    """--time, --event or --censored, and --site."""
    group.add_argument(
        "--time", required=True, metavar="COLUMN", help="time to the event or to the end of follow-up"
    )
    status = group.add_mutually_exclusive_group(required=True)
    status.add_argument(
        "--event", metavar="COLUMN", help="1 (or dead) if the event happened, 0 (or alive) if censored"
    )
    status.add_argument("--censored", metavar="COLUMN", help="1 if censored, 0 if the event happened")
    group.add_argument(
        "--site",
        metavar="COLUMN",
        help="hospital that the tissue came from, or 'tcga' to take it from TCGA barcodes. Sites are never "
        "divided between training and test",
    )


def add_settings(group: Any) -> None:
    """--set."""
    group.add_argument(
        "--set",
        action="append",
        type=setting,
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="parameter of TTASurvivalEstimator, for example --set max_epochs=50 (may be repeated); other "
        "networks take it too if it is one of loss or training",
    )


def add_seed(group: Any, what: str) -> None:
    """--random-state."""
    group.add_argument(
        "--random-state",
        type=whole_number(at_least=0),
        default=0,
        metavar="N",
        help=f"seed of {what}; the same seed gives the same results (default: %(default)s)",
    )


def add_quiet(group: Any) -> None:
    """--quiet."""
    group.add_argument("--quiet", action="store_true", help="no progress bar")


def add_out(group: Any, metavar: str, help: str, **more: Any) -> None:
    """--out."""
    group.add_argument("--out", type=Path, metavar=metavar, help=help, **more)


def add_attribution(group: Any) -> None:
    """--attribution, --baseline and --steps."""
    group.add_argument(
        "--attribution",
        choices=["integrated", "gradient", "none"],
        default="integrated",
        help="integrated gradients, which add up; one gradient, which is faster; or none "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--baseline",
        choices=["average", "zero"],
        default="average",
        help="what patches are compared with: the average of the patient's own patches, or features of zero; "
        "pathways are always compared with the average training patient (default: %(default)s)",
    )
    group.add_argument(
        "--steps",
        type=whole_number(at_least=1),
        default=8,
        metavar="N",
        help="points of the integral; completeness.csv says whether they are enough (default: %(default)s)",
    )


def add_explanation_parts(group: Any) -> None:
    """--format, --assignments, --geojson, --figures and --images."""
    group.add_argument(
        "--format", choices=["csv", "parquet"], default="csv", help="of the tables (default: %(default)s)"
    )
    group.add_argument(
        "--assignments", action="store_true", help="also write the weight of every patch in every prototype"
    )
    group.add_argument(
        "--geojson",
        action="store_true",
        help="also write each slide's patches for QuPath, with their numbers",
    )
    group.add_argument("--figures", action="store_true", help="also draw figures, and maps of every slide")
    group.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="images of the slides, named like the slides (.svs, .tif, .ndpi, ...), to draw the maps on",
    )


def add_folds(group: Any) -> None:
    """Folds, seeds and measures of an evaluation."""
    group.add_argument(
        "--folds",
        metavar="COLUMN",
        help="column of the outcomes table with the fold in which each patient is tested (-1: always in "
        "training), or a folds.csv of an earlier run; the folds are numbered from 0 in sorted order",
    )
    at_least_two, at_least_one = whole_number(at_least=2), whole_number(at_least=1)
    group.add_argument(
        "--n-folds", type=at_least_two, default=5, metavar="N", help="folds to make (default: %(default)s)"
    )
    group.add_argument(
        "--seeds",
        type=at_least_one,
        default=1,
        metavar="N",
        help="fit each model with N seeds, counted up from --random-state; measures are averaged over them "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--times",
        type=times,
        metavar="TIMES",
        help="comma-separated, in the unit of --time: also report AUC and calibration at these",
    )
    group.add_argument(
        "--optimistic",
        action="store_true",
        help="beside the honest figures, also give that of the epoch that is best on the test fold, as many "
        "publications do; it stands apart, in a column of that name",
    )
    add_seed(group, "folds, models and bootstrap")
    group.add_argument(
        "--n-jobs",
        type=at_least_one,
        default=1,
        metavar="N",
        help="fits at the same time (default: %(default)s)",
    )
