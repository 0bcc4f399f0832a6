"""A comparison with names that want to be markup, one model that fails and one network, in an instant."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from sksurv_tta.datasets import make_cohort
from sksurv_tta.evaluation import RidgeCox, compare
from sksurv_tta.report import RunDescription

SCRIPT = "<script>alert(1)</script>"


class Genes(RidgeCox):
    """A Cox model on the genes; survival functions, no search."""

    def fit(self, X, y):
        return super().fit(X.drop(columns="wsi", errors="ignore"), y)

    def predict(self, X):
        return super().predict(X.drop(columns="wsi", errors="ignore"))

    def predict_survival_function(self, X):
        return super().predict_survival_function(X.drop(columns="wsi", errors="ignore"))


class Network(Genes):
    """The same with a history."""

    def fit(self, X, y):
        epochs = np.arange(1, 4)
        self.history_ = pd.DataFrame(
            {"epoch": epochs, "train_loss": 1.0 / epochs, "mass": 0.1 * epochs, "dur": 1.0, "note": "x"}
        )
        return super().fit(X, y)


class Failing(BaseEstimator):
    """Fails in the larger trainings."""

    def fit(self, X, y):
        if len(y) > 30:
            raise ValueError(f"no gene {SCRIPT}")
        return self

    def predict(self, X):
        return X["wsi"].isna().to_numpy(dtype=float)


def describe(cohort, models, **changes):
    given = {"command": ["evaluate", "--site", SCRIPT, "--out", "a & b"], "options": {"time": "days"}}
    return RunDescription.of(cohort, models=models, pathways=cohort.pathways, **(given | changes))


@pytest.fixture(scope="session")
def hostile():
    """Hostile names of a site, models, genes, a column and an option."""
    cohort = make_cohort(
        60, random_state=3, n_pathways=2, genes_per_pathway=2, n_instances=(2, 3), n_features=3, n_sites=6
    )
    cohort = replace(cohort, X=cohort.X.rename(columns={cohort.genes[0]: SCRIPT}))
    cohort.site[cohort.site == cohort.site[0]] = SCRIPT
    models = {
        SCRIPT: Genes(alpha=1.0),
        '"><img src=x onerror=alert(1)>': Network(alpha=10.0),
        "fails & fails": Failing(),
    }
    # unequal folds, one of them with a large training
    sites = sorted(set(cohort.site), key=lambda site: (cohort.site == site).sum())
    in_first = np.isin(cohort.site, sites[:3])
    second = np.flatnonzero(~in_first)
    first = np.flatnonzero(in_first)
    comparison = compare(
        models, cohort.X, cohort.y, groups=cohort.site, cv=[(second, first), (first, second)], times=[700.0],
        n_resamples=50, random_state=0, error_score="record",
    )  # fmt: skip
    assert (comparison.fits["error"] != "").tolist() == [False, False, False, False, True, False]
    description = describe(cohort, models, options={"time": SCRIPT, "x": [SCRIPT]})
    return SimpleNamespace(cohort=cohort, comparison=comparison, description=description, models=models)
