"""How well a network ranks patients it trains on, and patients of other sites, epoch by epoch.

Of the training patients of each published fold a fifth, in whole sites, is set aside; the test fold is not
looked at. Needs the data folder that ``examples/real_cohorts.py`` describes:

    python benchmarks/bench_learning_curves.py --data DATA --out curves.json --figure curves.png

Without ``--data`` it runs on a simulated cohort.
"""

import argparse
import json
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from bench_accuracy import read

from sksurv_tta import TTASurvivalEstimator
from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators.inputs import check_again, learn_schema, read_patients
from sksurv_tta.evaluation.optimistic import EpochScores
from sksurv_tta.exceptions import SksurvTTAWarning
from sksurv_tta.model_selection import SitePreservedKFold, site_preserved_train_test_split

MODELS = {
    "paper": {"recipe": "paper"},
    "one small network": {"n_members": 1, "max_epochs": 30},
    "robust (8 members)": {},
}


def cohort_of(name, options):
    """X, y, sites, pathways and the training rows of each fold."""
    if options.data is None:
        found = make_cohort(n_patients=300, random_state=0)
        folds = SitePreservedKFold(5, random_state=0).split(found.X, found.y, groups=found.site)
        return found, found.pathways, [train for train, _ in folds]
    found, folds, pathways = read(options.data, name)
    return found, pathways, [np.flatnonzero(folds != fold) for fold in np.unique(folds)]


def curves(model, X, y, site, rows, seed):
    """Concordance index after each epoch on patients trained on and on patients set aside."""
    learned, aside = site_preserved_train_test_split(
        np.arange(len(rows)), y=y[rows], groups=site[rows], test_size=0.2, random_state=seed
    )
    learned, aside = rows[learned], rows[aside]
    schema, _ = learn_schema(model, X.iloc[learned], model.pathways)
    watched = {}
    for part, chosen in (("trained on", learned), ("set aside", aside)):
        patients = read_patients(schema, check_again(model, schema, X.iloc[chosen]))
        watched[part] = EpochScores(patients, y[chosen])
    model.set_params(callbacks=list(watched.values()))
    model.fit(X.iloc[learned], y[learned], sites=site[learned])
    return {part: scores.values for part, scores in watched.items()}


def run(options):
    """One row for each cohort, model, fold, part and epoch."""
    records = []
    for name in options.cohorts if options.data else ["simulated"]:
        found, pathways, trainings = cohort_of(name, options)
        site = np.asarray(found.site)
        for label, settings in MODELS.items():
            for fold, rows in enumerate(trainings[: options.folds]):
                model = TTASurvivalEstimator(pathways=pathways, random_state=fold, **settings)
                for part, values in curves(model, found.X, found.y, site, rows, fold).items():
                    for epoch, value in enumerate(values, start=1):
                        records.append((name.upper(), label, fold, part, epoch, value))
            print(f"{name} {label}: done", flush=True)
    return pd.DataFrame(records, columns=["cohort", "model", "fold", "part", "epoch", "c_index"])


def draw(table, path):
    """A panel for each cohort and model: mean over folds, and each fold thinly."""
    cohorts, models = table["cohort"].unique(), table["model"].unique()
    figure, axes = plt.subplots(
        len(models), len(cohorts), figsize=(2.4 * len(cohorts), 2 * len(models)), sharey=True, squeeze=False
    )
    colours = {"trained on": "#D55E00", "set aside": "#0072B2"}
    for (row, column), ax in np.ndenumerate(axes):
        shown = table[(table["cohort"] == cohorts[column]) & (table["model"] == models[row])]
        for part, colour in colours.items():
            values = shown[shown["part"] == part].pivot(index="epoch", columns="fold", values="c_index")
            ax.plot(values.index, values, color=colour, lw=0.6, alpha=0.4)
            ax.plot(values.index, values.mean(axis=1), color=colour, lw=2, label=part)
        ax.axhline(0.5, color="0.6", lw=0.8, ls=":")
        ax.set_title(f"{cohorts[column]}, {models[row]}", fontsize=8)
        ax.tick_params(labelsize=7)
    axes[0, 0].legend(fontsize=7, frameon=False)
    figure.supxlabel("epoch", fontsize=8)
    figure.supylabel("concordance index", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=200)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cohorts", nargs="+", default=["blca", "brca", "stad"])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for every epoch")
    parser.add_argument("--figure", type=Path, help="PNG or SVG file")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SksurvTTAWarning)
        table = run(options)
    options.out.write_text(json.dumps(table.to_dict(orient="records"), indent=1))
    if options.figure:
        draw(table, options.figure)
    mean = table.groupby(["cohort", "model", "part", "epoch"], sort=False)["c_index"].mean().unstack("epoch")
    print(mean[[epoch for epoch in (1, 2, 3, 5, 7, 10, 20, 30) if epoch in mean]].round(3).to_string())
