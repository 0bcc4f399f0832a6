"""Concordance of the default recipe where there is nothing to find: outcomes of a simulated cohort, shuffled.

    python benchmarks/bench_shuffled.py --shuffles 44

Whole sites are tested, in folds that are made anew for each shuffle; ridge-Cox on the mean instance is
fitted on the same folds. Both means should be 0.5 within a few of their standard errors.
"""

import warnings

import numpy as np
from common import parser_of, report

from sksurv_tta import SitePreservedKFold, TTASurvivalEstimator
from sksurv_tta.datasets import make_cohort
from sksurv_tta.evaluation import concordance_index, get_model
from sksurv_tta.exceptions import SksurvTTAWarning


def on_fold(model, X, y, train, test):
    """Harrell's C on patients that were not trained on."""
    model.fit(X.iloc[train], y[train])
    return concordance_index(y[test], model.predict(X.iloc[test])).value


def main():
    options = parser_of(__doc__, shuffles=44, patients=200, members=4, folds=3).parse_args()
    warnings.simplefilter("ignore", SksurvTTAWarning)
    cohort = make_cohort(options.patients, random_state=0, n_instances=(10, 20))
    network = TTASurvivalEstimator(
        pathways=cohort.pathways, n_members=options.members, random_state=0, device="cpu"
    )
    models = {"tta": network, "ridge-bags": get_model("ridge-bags")}
    means = {name: [] for name in models}
    for seed in range(options.shuffles):
        y = np.random.RandomState(seed).permutation(cohort.y)
        splitter = SitePreservedKFold(options.folds, on_imbalance="ignore")
        folds = list(splitter.split(cohort.X, y, groups=cohort.site))
        for name, model in models.items():
            means[name].append(np.mean([on_fold(model, cohort.X, y, *fold) for fold in folds]))
    rows = [
        {
            "model": name,
            "mean": np.mean(values),
            "standard error": np.std(values, ddof=1) / len(values) ** 0.5,
            "sd": np.std(values, ddof=1),
            "smallest": min(values),
            "largest": max(values),
        }
        for name, values in means.items()
    ]
    shown = {name: value for name, value in vars(options).items() if name != "json"}
    report("shuffled", shown, rows, options.json)


if __name__ == "__main__":
    main()
