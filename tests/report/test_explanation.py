"""The folder of an explanation; what the command writes into it is looked at in tests/cli/test_explain.py."""

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.evaluation import explain_patients
from sksurv_tta.report import ExplanationFolder, write_explanation
from sksurv_tta.report.explanation_figures import find_image


@pytest.fixture(scope="module")
def genes_only():
    """A network on six genes, two of twelve patients, named as nobody should be."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(12, 6)), columns=[f"G{k}" for k in range(6)])
    X.index = ["../../a", "=1+1", *(f"P{k}" for k in range(10))]
    y = np.array([(k % 2 == 0, k + 1.0) for k in range(12)], dtype=[("event", bool), ("time", float)])
    pathways = {"A": ["G0", "G1", "G2"], "B": ["G3", "G4", "G5"]}
    estimator = TTASurvivalEstimator(
        pathways=pathways, token_dim=4, prototype_dim=4, n_prototypes=2, max_epochs=1, device="cpu",
        random_state=0,
    )  # fmt: skip
    return estimator.fit(X, y), X[:2]


def test_patients_without_slides_leave_no_empty_files(genes_only, tmp_path):
    done = []
    folder = ExplanationFolder(tmp_path / "out", geojson=True, assignments=True, figures=True)
    explanation = write_explanation(explain_patients(*genes_only), folder, progress=done.append)
    assert done == [1, 2]
    assert not len(explanation.instances)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert not any(name.startswith(("instances", "geojson", "figures/slides")) for name in names)
    assert {"modalities.csv", "pathways.csv", "figures/usage.svg", "figures/pathway_counts.png"} <= names
    assert "figures/modalities.png" not in names  # the only modality cannot be taken away


def test_names_of_patients_are_neither_paths_nor_formulas(genes_only, tmp_path):
    folder = ExplanationFolder(tmp_path / "out", assignments=True)
    write_explanation(explain_patients(*genes_only), folder)
    names = sorted(path.name for path in (tmp_path / "out" / "assignments").iterdir())
    assert names == ["_.._a.csv", "_1_1.csv"]
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]
    assert pd.read_csv(tmp_path / "out" / "pathways.csv")["patient"].unique().tolist() == ["../../a", "'=1+1"]


def test_no_two_files_have_one_name(tmp_path):
    folder = ExplanationFolder(tmp_path)
    names = [folder.own_name("slides", name) for name in ("a b", "a/b", "A_B", "", "..")]
    assert names == ["a_b", "a_b_2", "A_B_3", "unnamed", "unnamed_2"]
    assert folder.own_name("patients", "a b") == "a_b"


def test_an_image_is_found_by_the_name_of_its_slide(tmp_path):
    (tmp_path / "TCGA.1.tif").touch()
    (tmp_path / "TCGA.1.svs").touch()
    (tmp_path / "TCGA.txt").touch()
    assert find_image(tmp_path, "TCGA.1") == tmp_path / "TCGA.1.svs"
    assert find_image(tmp_path, "TCGA") is None
