"""What each part of the robust recipe is good for, on real cohorts with folds.

Needs the data folder that ``examples/real_cohorts.py`` describes:

    python benchmarks/bench_accuracy.py --data DATA --cohorts blca brca stad --seeds 1

Prints the mean over folds of Harrell's concordance index on patients that were not trained on. The parts of
one fit (network alone, linear path alone, both) come from the same fit; nothing is chosen by these figures.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from sksurv_tta import TTASurvivalEstimator, read_cohort
from sksurv_tta.evaluation import concordance_index
from sksurv_tta.exceptions import SksurvTTAWarning

#: What is left when histology is noise of the right kind: every patient has the bag of another one.
OTHERS = "robust, bags of other patients"
VARIANTS = {
    "robust": {},
    "robust, one member": {"n_members": 1},
    "robust, all of the expression": {"profile_rank": 0},
    "robust, instances as they are": {"standardise_instances": False},
    "robust, no loss on single modalities": {"view_losses": False},
    "robust, batches of 32": {"batch_size": 32, "lr": 1e-3},
    "robust, the paper's sizes": {"token_dim": 256, "prototype_dim": 256, "n_prototypes": 32, "lr": 1e-3},
    "robust, no transport": {"together": False},
    "robust, no anchors": {"apart": False},
    "paper": {"recipe": "paper"},
    OTHERS: {},
}


def read(data, cohort):
    """One cohort, its published folds, and the pathways."""
    found = read_cohort(
        bags=data / "bags" / f"tcga_{cohort}_hipt_regions.npz",
        expression=data / "rna" / f"tcga_{cohort}_rna_zscore.csv.gz",
        outcomes=data / "outcomes" / f"tcga_{cohort}.csv",
        time="dss_time_days",
        event="dss_event",
        site="tissue_source_site",
        missing="drop",
    )
    return found, found.table["fold"].to_numpy(), str(data / "genesets" / "hallmark_50.gmt")


def scores(model, X, y):
    """Concordance index of the whole and of its parts."""
    outputs = model._outputs(X)
    parts = {"whole": model._rule.risk(outputs)}
    if outputs.shape[1] == 2:
        parts |= {"network": outputs[:, 0], "linear": outputs[:, 1]}
    return {name: concordance_index(y, risk).value for name, risk in parts.items()}


def columns(found, variant):
    """X of a variant."""
    if variant != OTHERS:
        return found.X
    bags = next(name for name, kind in found.X.dtypes.items() if kind == "bag")
    exchanged = np.random.default_rng(0).permutation(len(found.X))
    return found.X.assign(**{bags: found.X[bags].array.take(exchanged)})


def run(options):
    """One row for each cohort, variant, seed, fold and part."""
    rows = []
    for cohort in options.cohorts:
        found, folds, pathways = read(options.data, cohort)
        for name in options.variants:
            X = columns(found, name)
            for seed in range(options.seeds):
                for fold in np.unique(folds):
                    train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
                    model = TTASurvivalEstimator(pathways=pathways, random_state=seed, **VARIANTS[name])
                    start = time.perf_counter()
                    model.fit(X.iloc[train], found.y[train], sites=np.asarray(found.site)[train])
                    seconds = time.perf_counter() - start
                    for part, value in scores(model, X.iloc[test], found.y[test]).items():
                        rows.append((cohort.upper(), name, part, seed, int(fold), value, seconds))
    return pd.DataFrame(rows, columns=["cohort", "variant", "part", "seed", "fold", "c_index", "seconds"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cohorts", nargs="+", default=["blca", "brca", "stad"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file for every fold")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SksurvTTAWarning)
        table = run(options)
    if options.out:
        options.out.write_text(json.dumps(table.to_dict(orient="records"), indent=1))
    means = table.groupby(["variant", "part", "cohort"], sort=False)["c_index"].mean().unstack("cohort")
    means["mean"] = means.mean(axis=1)
    means["seconds a fit"] = table.groupby(["variant", "part"], sort=False)["seconds"].mean().round(1)
    print(means.round(3).to_string())
