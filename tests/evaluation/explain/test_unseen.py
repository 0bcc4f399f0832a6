import json

import numpy as np
import pandas as pd

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.evaluation import RidgeCox, compare, explain
from sksurv_tta.evaluation.explain.unseen import explain_unseen
from sksurv_tta.evaluation.one_modality import OneModality

SETTINGS = {"token_dim": 4, "prototype_dim": 4, "n_prototypes": 2, "max_epochs": 1, "device": "cpu"}


def test_rows_are_those_of_the_explanation_and_survive_json(fitted, patients):
    found = json.loads(json.dumps(explain_unseen(fitted, patients.X[:6])))
    expected = explain(fitted, patients.X[:6], attribution=None)
    pd.testing.assert_frame_equal(pd.DataFrame(found["modalities"]), expected.modalities, check_dtype=False)
    pd.testing.assert_frame_equal(pd.DataFrame(found["usage"]), expected.cohort_usage, check_dtype=False)
    weights = expected.pathway_prototypes.groupby(["pathway", "prototype"], sort=False)["mixed"].mean()
    np.testing.assert_allclose(pd.DataFrame(found["pathway_prototypes"])["mixed"], weights)


def test_models_without_prototypes_have_none(patients):
    assert explain_unseen(RidgeCox(), patients.X) == {}


def test_a_model_of_one_modality_may_have_nothing_of_these_patients(patients):
    single = OneModality(TTASurvivalEstimator(**SETTINGS), "bags").fit(patients.X, patients.y)
    without = patients.X[patients.X["wsi"].isna()]
    assert explain_unseen(single, without) == {}


def test_a_comparison_explains_each_patient_by_the_fit_that_has_not_seen_it(patients, tmp_path):
    models = {
        "tta": TTASurvivalEstimator(pathways=patients.pathways, **SETTINGS, random_state=0),
        "tta-bags": OneModality(TTASurvivalEstimator(**SETTINGS, random_state=0), "bags"),
    }
    everybody = np.arange(30)
    cv = [(np.setdiff1d(everybody, everybody[k::2]), everybody[k::2]) for k in range(2)]
    run = {"X": patients.X, "y": patients.y, "cv": cv, "n_resamples": 10, "cache_dir": tmp_path}
    first, second = (compare(models, **run).explanations for _ in range(2))
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, second[name], check_dtype=False)  # of the cache
    changes = first["modalities"]
    own = changes[changes["model"] == "tta"].drop_duplicates("patient")
    for fold, (train, test) in enumerate(cv):
        assert own.loc[own["fold"] == fold, "patient"].tolist() == list(patients.X.index[test])
        refitted = models["tta"].fit(patients.X.iloc[train], patients.y[train])
        np.testing.assert_allclose(
            own.loc[own["fold"] == fold, "risk"], refitted.predict(patients.X.iloc[test])
        )
    only_bags = changes[changes["model"] == "tta-bags"]
    assert only_bags["modality"].unique().tolist() == ["wsi"]
    assert len(only_bags) == patients.X["wsi"].notna().sum()
