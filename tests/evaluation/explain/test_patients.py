import numpy as np
import pandas as pd
import pytest

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.evaluation import explain, explain_patients
from sksurv_tta.evaluation.explain.patients import warn_of_gaps
from sksurv_tta.exceptions import ExplanationWarning

ABLATIONS = {
    "defaults": {},
    "no prototypes in common, no transport": {"together": False},
    "own prototypes": {"shared_prototypes": False},
    "own plans": {"joint_transport": False},
    "no anchors": {"apart": False},
    "no layers": {"refiner_layers": 0, "coattention_layers": 0},
    "k-means": {"assignment": "kmeans"},
    "one prototype": {"n_prototypes": 1, "max_epochs": 1},
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_network_can_be_explained(fit, patients, name):
    estimator = fit(**ABLATIONS[name])
    explanation = explain(estimator, patients.X)
    risks = explanation.modalities.drop_duplicates("patient")
    np.testing.assert_array_equal(risks["risk"], estimator.predict(patients.X))
    assert explanation.completeness["relative_gap"].max() < 1e-3
    n_instances = patients.X["wsi"].array.n_instances
    assert len(explanation.instances) == n_instances[~patients.X["wsi"].isna()].sum()
    assert len(explanation.anchors) == (0 if name == "no anchors" else 54 * 2 * estimator.n_prototypes)


def test_the_explanation_of_a_cohort_is_that_of_its_patients(fitted, patients, rows):
    chosen = patients.X.iloc[[rows["both"], rows["no_slide"], rows["no_genes"]]]
    together = explain(fitted, chosen)
    parts = list(explain_patients(fitted, chosen))
    assert [part.patient for part in parts] == list(chosen.index)
    for name in ("modalities", "usage", "instances", "pathways", "anchors", "completeness"):
        expected = pd.concat(
            [table for part in parts if len(table := getattr(part, name))], ignore_index=True
        )
        pd.testing.assert_frame_equal(getattr(together, name), expected)
    np.testing.assert_array_equal(together.before, np.stack([part.before for part in parts]))
    assert together.prototypes.shape == (1, 4, 8)


def test_a_patient_is_explained_alone_as_in_company(fitted, patients, rows):
    place = rows["both"]
    alone = explain(fitted, patients.X.iloc[[place]])
    among = explain(fitted, patients.X)
    own = among.pathways["patient"] == patients.X.index[place]
    pd.testing.assert_frame_equal(alone.pathways, among.pathways[own].reset_index(drop=True))


@pytest.mark.parametrize(("keep", "modalities"), [("wsi", ["wsi"]), ("genes", ["genes"])])
def test_one_modality_is_enough(fit, patients, keep, modalities):
    X = patients.X[["wsi"] if keep == "wsi" else patients.genes].dropna()
    y = patients.y[patients.X.index.isin(X.index)]
    pathways = None if keep == "wsi" else patients.pathways
    estimator = TTASurvivalEstimator(
        recipe="paper", pathways=pathways, token_dim=4, prototype_dim=4, n_prototypes=2, max_epochs=1,
        device="cpu", random_state=0,
    ).fit(X, y)  # fmt: skip
    explanation = explain(estimator, X)
    assert explanation.usage["modality"].unique().tolist() == modalities
    assert explanation.modalities["change"].isna().all()
    assert len(explanation.instances if keep == "genes" else explanation.pathways) == 0
    assert len(explanation.pathway_prototypes) == (0 if keep == "wsi" else len(X) * 3 * 2)


def test_three_modalities_have_a_share_each(fit, patients):
    X = patients.X.copy()
    X.insert(1, "ihc", X["wsi"].array[::-1])
    explanation = explain(fit(X), X)
    shares = explanation.modalities.pivot(index="patient", columns="modality", values="share")
    assert set(shares) == {"wsi", "ihc", "genes"}
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert set(explanation.anchors["anchor"]) == {"wsi", "ihc", "genes"}
    assert explanation.completeness["relative_gap"].max() < 1e-3


def test_contributions_can_be_left_out(fitted, patients):
    explanation = explain(fitted, patients.X[:3], attribution=None, instances=False)
    assert not len(explanation.completeness)
    assert not len(explanation.instances)
    assert explanation.pathways["contribution"].isna().all()


def test_weights_in_long_form_hold_every_pair(fitted, patients, rows):
    (part,) = explain_patients(fitted, patients.X.iloc[[rows["both"]]], attribution=None)
    table = part.assignments()
    n_tokens = len(part.instances) + len(part.pathways)
    assert len(table) == 4 * n_tokens
    of_slide = table[table["modality"] == "wsi"]
    np.testing.assert_array_equal(of_slide["mixed"], part.weights["wsi"]["mixed"].ravel())
    first = table[table["rank"] == 1]
    assert first["prototype"].tolist() == [*part.instances["prototype"], *part.pathways["prototype"]]
    assert part.pathway_prototypes["pathway"].unique().tolist() == list(patients.pathways)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attribution": "shap"}, "attribution must be one of integrated, gradient or None, got 'shap'"),
        ({"baseline": "median"}, "baseline must be 'average', 'zero' or a mapping"),
        ({"n_steps": 0}, "n_steps must be at least 1"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(fitted, patients, options, message):
    with pytest.raises(ValueError, match=message):
        explain_patients(fitted, patients.X, **options)


def test_contributions_that_do_not_add_up_are_announced():
    gaps = pd.DataFrame({"patient": ["P", "Q"], "relative_gap": [0.01, 0.2]})
    with pytest.warns(ExplanationWarning, match=r"1 of 2 patients .* up to 20% .*: Q\. Take more n_steps"):
        warn_of_gaps(gaps)
    warn_of_gaps(gaps[:1])
