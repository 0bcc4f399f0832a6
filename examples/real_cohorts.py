"""Evaluate TTA and baselines on real cohorts, and print the tables of docs/results.md.

Needs a data folder with ``bags/tcga_<cohort>_hipt_regions.npz``, ``rna/tcga_<cohort>_rna_zscore.csv.gz``,
``outcomes/tcga_<cohort>.csv`` (with a column ``fold``) and ``genesets/hallmark_50.gmt``:

    python examples/real_cohorts.py --data DATA --out RESULTS

Everything is resumable: a fit that is finished is not run again.
"""

import argparse
import os
from pathlib import Path

import pandas as pd

from sksurv_tta.cli import main

COHORTS = ("blca", "brca", "stad")
MODELS = "tta,tta-genes,tta-bags,ridge-genes,ridge-bags,fusion-ridge,rsf"


def evaluate(cohort, options):
    """Run ``sksurv-tta evaluate`` on one cohort with its published folds."""
    arguments = [
        "evaluate",
        *("--bags", str(options.data / "bags" / f"tcga_{cohort}_hipt_regions.npz")),
        *("--expression", str(options.data / "rna" / f"tcga_{cohort}_rna_zscore.csv.gz")),
        *("--outcomes", str(options.data / "outcomes" / f"tcga_{cohort}.csv")),
        *("--pathways", str(options.data / "genesets" / "hallmark_50.gmt")),
        *("--time", "dss_time_days", "--event", "dss_event", "--site", "tissue_source_site"),
        *("--folds", "fold", "--missing", "drop", "--models", options.models),
        *("--seeds", str(options.seeds), "--n-jobs", str(options.n_jobs)),
        *(("--set", f"recipe={options.recipe}") if options.recipe else ()),
        *("--out", str(options.out / cohort)),
    ]
    print("sksurv-tta " + " ".join(arguments), flush=True)
    if main(arguments):
        raise SystemExit(1)


def table(out, cohorts):
    """One row per model, one column per cohort: mean over folds ± sd, and the 95 % interval."""
    columns = {}
    for cohort in cohorts:
        summary = pd.read_csv(out / cohort / "summary.csv")
        rows = summary[summary["metric"] == "c_index"].set_index("model")
        columns[cohort.upper()] = [
            f"{row['mean']:.3f} ± {row['sd']:.3f} ({row['ci95_lower']:.3f} to {row['ci95_upper']:.3f})"
            for _, row in rows.iterrows()
        ]
        models = rows.index
    return pd.DataFrame(columns, index=models)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cohorts", nargs="+", default=list(COHORTS))
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--recipe", help="recipe of the networks, such as paper; by default their own")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    for cohort in options.cohorts:
        evaluate(cohort, options)
    found = table(options.out, options.cohorts)
    print("| model | " + " | ".join(found.columns) + " |")
    print("|---|" + "---|" * len(found.columns))
    for model, row in found.iterrows():
        print(f"| {model} | " + " | ".join(row) + " |")
