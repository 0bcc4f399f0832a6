import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sksurv_tta.evaluation import ModalityFeatures, standardise_and_clip
from sksurv_tta.evaluation.features import gene_columns
from sksurv_tta.exceptions import CohortError


def test_modalities_stand_side_by_side_with_their_names(cohort):
    X = cohort.X.assign(age=50.0)
    features = ModalityFeatures(clinical=["age"]).fit(X)
    table = features.transform(X)
    prefixes = [name.split("__")[0] for name in table.columns]
    assert dict.fromkeys(prefixes) == dict.fromkeys(["gene", "bag", "clinical"])
    assert list(table.index) == list(X.index)
    assert prefixes.count("bag") == 5
    assert "gene__age" not in table


def test_missing_modalities_stay_missing_for_the_imputer(cohort):
    table = ModalityFeatures().fit(cohort.X).transform(cohort.X)
    wsi = next(name for name in cohort.X.columns if str(cohort.X[name].dtype) == "bag")
    of_bag = table.filter(like="bag__").isna().all(axis=1)
    np.testing.assert_array_equal(of_bag, cohort.X[wsi].isna())
    assert of_bag.any()


def test_genes_can_be_restricted_to_pathways(cohort):
    name, genes = next(iter(cohort.pathways.items()))
    chosen = gene_columns(cohort.X, pathways={name: [*genes, "NOT_A_GENE"]})
    assert set(chosen) == set(genes) & set(cohort.X.columns)
    table = ModalityFeatures(inputs=("genes",), pathways={name: genes}).fit(cohort.X).transform(cohort.X)
    assert list(table.columns) == [f"gene__{gene}" for gene in chosen]


def test_pathways_can_be_a_file(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("SET\tsource\tA\tB\n")
    X = pd.DataFrame({"A": [1.0], "B": [2.0], "C": [3.0]})
    assert gene_columns(X, pathways=path) == ["A", "B"]


def test_a_flat_array_is_all_genes():
    X = np.arange(6.0).reshape(3, 2)
    features = ModalityFeatures().fit(X)
    np.testing.assert_array_equal(features.transform(X), X)
    assert list(features.get_feature_names_out()) == ["gene__x0", "gene__x1"]


def test_what_x_does_not_have_is_refused(cohort):
    genes = cohort.X.select_dtypes("number")
    with pytest.raises(CohortError, match="no columns for bags"):
        ModalityFeatures(inputs=("bags",)).fit(genes)
    with pytest.raises(CohortError, match="missing or not numeric: stage"):
        ModalityFeatures(clinical=["stage"]).fit(genes.assign(stage="II"))
    with pytest.raises(ValueError, match="inputs must be among"):
        ModalityFeatures(inputs=("gene",)).fit(genes)
    with pytest.raises(CohortError, match="1 columns of fit are missing"):
        ModalityFeatures().fit(genes).transform(genes.iloc[:, 1:])


def test_cloning_keeps_the_parameters():
    assert clone(ModalityFeatures(pooling="max", inputs=("bags",))).pooling == "max"


def test_outliers_are_clipped_and_gaps_are_filled_with_the_training_mean():
    train = np.r_[np.random.RandomState(0).normal(size=(200, 1)), [[1e6]]]
    scaler = standardise_and_clip(5.0).fit(train)
    assert scaler.transform([[1e9], [-1e9]]).ravel().tolist() == [5.0, -5.0]
    assert scaler.transform([[np.nan]])[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert standardise_and_clip(None).fit(train).transform([[1e9]])[0, 0] > 5
    nothing = standardise_and_clip().fit(np.full((3, 1), np.nan))
    assert nothing.transform([[np.nan]]).tolist() == [[0.0]]
