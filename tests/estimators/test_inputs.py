"""X as users give it: modalities that are missing, columns that do not fit, and what is said about them."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.preprocessing import StandardScaler

from sksurv_tta.bags import Bag, BagArray
from sksurv_tta.estimators.inputs import learn_schema
from sksurv_tta.exceptions import CohortError, PathwayError


def genes_of(X):
    return [name for name in X.columns if name not in {"wsi", "ihc"}]


def without(X, *, slides=(), expression=()):
    """Return a copy of X in which some patients, by number, lack a slide or expression."""
    X = X.copy()
    for row in slides:
        X.loc[X.index[row], "wsi"] = None
    if expression:
        X.loc[X.index[list(expression)], genes_of(X)] = np.nan
    return X


# Missing modalities


@pytest.mark.parametrize(
    "gaps",
    [
        {"slides": [0, 3, 4]},
        {"expression": [1, 2, 7]},
        {"slides": [0, 3, 4, 9], "expression": [1, 2, 7]},
        {"slides": range(1, 23)},
        {"expression": range(1, 23)},
    ],
    ids=["slides", "expression", "both", "one slide only", "one profile only"],
)
def test_patients_without_one_modality_take_part(small, cohort, gaps):
    X = without(cohort.X, **gaps)
    estimator = small().fit(X, cohort.y)
    risk = estimator.predict(X)
    assert np.isfinite(risk).all()
    # At prediction anything may be missing, whatever was in training.
    for other in (cohort.X, without(cohort.X, slides=range(23)), without(cohort.X, expression=range(23))):
        assert np.isfinite(estimator.predict(other)).all()


def test_a_missing_slide_changes_the_risk_of_its_patient_alone(fitted, cohort):
    before, after = fitted.predict(cohort.X), fitted.predict(without(cohort.X, slides=[5]))
    assert before[5] != after[5]
    np.testing.assert_array_equal(np.delete(before, 5), np.delete(after, 5))


def test_values_of_patients_without_expression_do_not_move_the_scale(small, cohort):
    X = without(cohort.X, expression=[4, 5])
    schema = small().fit(X, cohort.y)._schema
    kept = cohort.X.drop(index=cohort.X.index[[4, 5]])[list(schema.gene_columns)].to_numpy()
    np.testing.assert_allclose(schema.gene_mean, kept.mean(axis=0))
    np.testing.assert_allclose(schema.gene_scale, kept.std(axis=0))


def test_bags_alone_are_a_cohort(small, cohort):
    X = cohort.X[["wsi"]]
    estimator = small(pathways=None).fit(X, cohort.y)
    assert np.isfinite(estimator.predict(X)).all()
    assert estimator.pathway_names_.size == 0
    assert "train_contrast" not in estimator.history_
    with pytest.raises(CohortError, match=r"1 of 23 patients have neither a slide nor expression"):
        estimator.predict(without(X, slides=[2]))


@pytest.mark.parametrize("with_pathways", [True, False])
def test_genes_alone_are_a_cohort(small, cohort, with_pathways):
    X = cohort.X.drop(columns="wsi")
    estimator = small(**({} if with_pathways else {"pathways": None})).fit(X, cohort.y)
    assert np.isfinite(estimator.predict(X)).all()
    assert list(estimator.pathway_names_) == (list(cohort.pathways) if with_pathways else ["all"])


def test_several_bag_columns_are_several_modalities(small, cohort):
    width = 3
    random = np.random.RandomState(0)
    second = [Bag(random.normal(size=(4, width)).astype(np.float32)) for _ in range(23)]
    second[2] = None
    X = without(cohort.X.assign(ihc=BagArray(second)), slides=[2, 3], expression=[3, 4])
    estimator = small().fit(X, cohort.y)
    assert len(estimator.net_.module_.instance_encoders) == 2
    risk = estimator.predict(X)
    assert np.isfinite(risk).all()
    np.testing.assert_array_equal(risk[5:9], estimator.predict(X.iloc[5:9]))
    changed = X.copy()
    changed.loc[X.index[6], "ihc"] = None
    assert estimator.predict(changed)[6] != risk[6]
    with pytest.raises(CohortError, match="have neither a slide nor expression"):
        small().fit(without(X, expression=[2]), cohort.y)


def test_patients_with_nothing_are_named(small, fitted, cohort):
    X = without(cohort.X, slides=[2, 5], expression=[2, 5])
    names = ", ".join(X.index[[2, 5]])
    message = f"2 of 23 patients have neither a slide nor expression: {names}. Leave them out."
    with pytest.raises(CohortError, match=message):
        small().fit(X, cohort.y)
    with pytest.raises(CohortError, match=message):
        fitted.predict(X)


def test_a_single_missing_value_names_patient_and_gene(small, fitted, cohort):
    X = cohort.X.copy()
    gene = fitted._schema.gene_columns[3]
    X.loc[X.index[[1, 8]], gene] = np.nan
    message = rf"NaN for 2 patients \({X.index[1]}, {X.index[8]}\) in 1 genes \({gene}\)\. Impute or drop"
    with pytest.raises(CohortError, match=message):
        small().fit(X, cohort.y)
    with pytest.raises(CohortError, match=message):
        fitted.predict(X)


def test_an_infinite_value_names_patient_and_gene(small, cohort):
    X = cohort.X.copy()
    gene = next(iter(cohort.pathways.values()))[0]
    X.loc[X.index[4], gene] = -np.inf
    with pytest.raises(CohortError, match=rf"\(inf\) for 1 patients \({X.index[4]}\) in 1 genes \({gene}\)"):
        small().fit(X, cohort.y)


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_a_value_beyond_single_precision_names_patient_and_gene(small, fitted, cohort, value):
    """Its square is infinite: as a scale it would turn the gene into a constant without a word."""
    X = cohort.X.copy()
    gene = fitted._schema.gene_columns[2]
    X.loc[X.index[4], gene] = value
    message = rf"values beyond 3e\+38 for 1 patients \({X.index[4]}\) in 1 genes \({gene}\)"
    with pytest.raises(CohortError, match=message):
        small().fit(X, cohort.y)
    with pytest.raises(CohortError, match=message):
        fitted.predict(X)


@pytest.mark.parametrize("name", ["a gene", "wsi"])
@pytest.mark.parametrize("pathways", [True, False])
def test_two_columns_of_one_name_are_refused(small, cohort, name, pathways):
    genes = next(iter(cohort.pathways.values()))
    name = genes[0] if name == "a gene" else name
    X = pd.concat([cohort.X, cohort.X[[name]]], axis=1)
    estimator = small() if pathways else small(pathways=None)
    message = rf"1 names of columns stand more than once in X: {name} \(2 times\)\. Keep one of each"
    with pytest.raises(CohortError, match=message):
        estimator.fit(X, cohort.y)
    estimator.fit(cohort.X, cohort.y)
    with pytest.raises(CohortError, match=message):
        estimator.predict(X)


def test_two_further_columns_of_one_name_do_no_harm_at_prediction(fitted, cohort):
    further = pd.DataFrame(np.zeros((23, 2)), index=cohort.X.index, columns=["other", "other"])
    X = pd.concat([cohort.X, further], axis=1)
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict(cohort.X))


def test_a_modality_that_nobody_has_is_refused_in_fit(small, cohort):
    with pytest.raises(CohortError, match="Column 'wsi' holds no bag: every cell is missing"):
        small().fit(without(cohort.X, slides=range(23)), cohort.y)
    with pytest.raises(CohortError, match="No patient has expression"):
        small().fit(without(cohort.X, expression=range(23)), cohort.y)


def test_one_patient_is_too_few_to_learn_from(small, cohort, flat):
    row = [int(np.flatnonzero(cohort.y["event"])[0])]
    for X, pathways in ((cohort.X, cohort.pathways), (cohort.X[["wsi"]], None), (flat[0], None)):
        one = X[row] if isinstance(X, np.ndarray) else X.iloc[row]
        with pytest.raises(ValueError, match=r"X has 1 patient .* at least 2|minimum of 2 is required"):
            small(pathways=pathways).fit(one, cohort.y[row])


def test_a_table_without_rows_is_refused(small, fitted, cohort):
    with pytest.raises(ValueError, match="at least one patient is needed"):
        fitted.predict(cohort.X.iloc[:0])
    with pytest.raises(ValueError, match=r"no rows|0 sample|at least"):
        small().fit(cohort.X.iloc[:0], cohort.y[:0])


# Columns


def test_bags_of_another_width_are_refused_by_patient(fitted, cohort):
    X = cohort.X.assign(wsi=BagArray([Bag(np.ones((3, 7), dtype=np.float32))] * 23))
    with pytest.raises(CohortError, match=rf"must have 5 features .* 23 differ: {X.index[0]} \(7\)"):
        fitted.predict(X)


def test_attributes_tell_the_columns(fitted, cohort):
    assert fitted.n_features_in_ == cohort.X.shape[1]
    np.testing.assert_array_equal(fitted.feature_names_in_, cohort.X.columns)
    np.testing.assert_array_equal(fitted.pathway_names_, list(cohort.pathways))


def test_with_pathways_the_order_of_columns_does_not_matter(small, fitted, cohort, weights_of):
    shuffled = cohort.X[np.random.RandomState(0).permutation(cohort.X.columns)]
    np.testing.assert_array_equal(fitted.predict(shuffled), fitted.predict(cohort.X))
    refitted = small().fit(shuffled, cohort.y)
    assert weights_of(refitted) == weights_of(fitted)


def test_with_pathways_further_columns_are_ignored(small, fitted, cohort):
    outside = [name for name in genes_of(cohort.X) if name not in fitted._schema.gene_columns]
    assert len(outside) == fitted._schema.n_ignored == 2
    assert not set(outside) & {gene for genes in cohort.pathways.values() for gene in genes}
    X = cohort.X.drop(columns=outside).assign(unheard_of=np.nan, also="text")
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict(cohort.X))
    changed = cohort.X.copy()
    changed[outside] = 1e6
    np.testing.assert_array_equal(small().fit(changed, cohort.y).predict(X), fitted.predict(X))


def test_columns_that_the_model_needs_are_named(fitted, cohort):
    first, second = fitted._schema.gene_columns[:2]
    with pytest.raises(CohortError, match=f"2 of 13 columns .* are missing: {first}, {second}"):
        fitted.predict(cohort.X.drop(columns=[first, second]))
    with pytest.raises(CohortError, match=r"1 of 13 columns .* are missing: wsi"):
        fitted.predict(cohort.X.drop(columns="wsi"))


def test_with_pathways_an_array_of_numbers_is_refused(small, fitted, cohort, flat):
    X, y = flat
    with pytest.raises(CohortError, match="pathways need the names of the genes"):
        small().fit(X, y)
    with pytest.raises(CohortError, match="must be a DataFrame"):
        fitted.predict(X)
    genes_only = small().fit(cohort.X.drop(columns="wsi"), cohort.y)
    with pytest.raises(CohortError, match="must be a DataFrame"):
        genes_only.predict(cohort.X.drop(columns="wsi").to_numpy())


def test_without_pathways_scikit_learns_rule_holds(small, cohort):
    estimator = small(pathways=None).fit(cohort.X, cohort.y)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        estimator.predict(cohort.X[cohort.X.columns[::-1]])
    with pytest.raises(ValueError, match="unseen at fit time"):
        estimator.predict(cohort.X.assign(new=1.0))
    with pytest.raises(ValueError, match="seen at fit time, yet now missing"):
        estimator.predict(cohort.X.drop(columns="wsi"))
    with pytest.raises(ValueError, match="seen at fit time, yet now missing"):
        estimator.predict(cohort.X.drop(columns=genes_of(cohort.X)[0]))


def test_flat_numbers_must_keep_their_number_of_columns(small, flat):
    X, y = flat
    estimator = small(pathways=None).fit(X, y)
    with pytest.raises(ValueError, match="X has 5 features, but TTASurvivalEstimator is expecting 6"):
        estimator.predict(X[:, :5])


def test_numbers_of_any_kind_are_numbers(small, cohort, fitted):
    gene = fitted._schema.gene_columns[0]
    rounded = cohort.X.assign(**{gene: cohort.X[gene].round()})
    expected = small().fit(rounded, cohort.y).predict(rounded)
    for dtype in ("int64", "Int64", "Float64"):
        X = rounded.astype({gene: dtype})
        np.testing.assert_array_equal(small().fit(X, cohort.y).predict(X), expected)


def test_a_bag_column_that_became_numbers_is_refused(small, fitted, cohort):
    X = cohort.X.assign(wsi=1.0)
    with pytest.raises(CohortError, match=r"Column 'wsi' held bags in training; now its type is float64"):
        fitted.predict(X)
    with pytest.raises(CohortError, match=r"Column 'wsi' held bags in training; now its type is float64"):
        small(pathways=None).fit(cohort.X, cohort.y).predict(X)


def test_text_is_refused_by_column(small, cohort):
    X = cohort.X.assign(sex="f")
    with pytest.raises(CohortError, match=r"1 columns of X hold neither bags nor numbers: sex \("):
        small().fit(X, cohort.y)


def test_pathways_without_any_gene_are_refused(small, cohort):
    with pytest.raises(PathwayError, match="None of the 1 genes of 1 pathways"):
        small(pathways={"A": ["UNHEARD"]}).fit(cohort.X, cohort.y)
    with pytest.raises(CohortError, match="pathways were given, but X has no numeric column"):
        small().fit(cohort.X[["wsi"]], cohort.y)


def test_a_file_of_pathways_is_read(small, fitted, cohort, tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("".join("\t".join([n, "-", *genes]) + "\n" for n, genes in cohort.pathways.items()))
    for given in (path, str(path)):
        np.testing.assert_array_equal(
            small(pathways=given).fit(cohort.X, cohort.y).predict(cohort.X), fitted.predict(cohort.X)
        )


def test_genes_are_clipped_at_five_standard_deviations(small, cohort):
    X = cohort.X.drop(columns="wsi")
    estimator = small().fit(X, cohort.y)
    schema = estimator._schema
    extreme, beyond = X.copy(), X.copy()
    gene = schema.gene_columns[0]
    extreme[gene] = schema.gene_mean[0] + 5.1 * schema.gene_scale[0]
    beyond[gene] = 1e30
    np.testing.assert_array_equal(estimator.predict(extreme), estimator.predict(beyond))


def test_a_constant_gene_does_no_harm(small, cohort):
    gene = next(iter(cohort.pathways.values()))[0]
    X = cohort.X.assign(**{gene: 3.0})
    estimator = small().fit(X, cohort.y)
    assert np.isfinite(estimator.predict(cohort.X)).all()


# What users get wrong


def test_bags_that_met_a_scaler_get_advice(cohort):
    with pytest.raises(TypeError, match=r"a bag is not a number.*set_output\(transform=\"pandas\"\)"):
        StandardScaler().fit(cohort.X)


def test_bags_that_lost_their_column_get_advice(small, fitted, cohort):
    scale = ColumnTransformer(
        [("genes", StandardScaler(), make_column_selector(dtype_include=np.number))], remainder="passthrough"
    )
    lost = scale.fit_transform(cohort.X)
    assert isinstance(lost, np.ndarray)
    for missing_first in (False, True):
        if missing_first:
            lost = lost.copy()
            lost[0, -1] = None
        with pytest.raises(TypeError, match=r"set_output\(transform=.pandas.\)"):
            small(pathways=None).fit(lost, cohort.y)


@pytest.mark.parametrize(
    "wrap",
    [list, tuple, lambda bags: np.array([*bags, None], dtype=object)[:-1], BagArray.from_arrays],
    ids=["list", "tuple", "array of objects", "BagArray"],
)
def test_bags_without_a_table_get_advice(small, cohort, wrap):
    bags = [bag.features for bag in cohort.X["wsi"].array]
    with pytest.raises(TypeError, match=r"pd.DataFrame\({'wsi': BagArray.from_arrays\(bags\)}\)"):
        small(pathways=None).fit(wrap(bags), cohort.y)


def test_a_column_of_bare_arrays_gets_advice(small, cohort):
    X = cohort.X.assign(wsi=pd.Series([bag.features for bag in cohort.X["wsi"].array], index=cohort.X.index))
    with pytest.raises((TypeError, CohortError), match=r"BagArray\.from_arrays"):
        small().fit(X, cohort.y)


@pytest.mark.parametrize("X", [np.zeros((23, 2, 2)), np.zeros(23)], ids=["3-D", "1-D"])
def test_arrays_of_another_rank_are_refused(small, cohort, X):
    with pytest.raises(ValueError, match=r"dim 3|1D array|Expected 2D"):
        small(pathways=None).fit(X, cohort.y)


def test_sparse_numbers_are_refused(small, flat):
    X, y = flat
    with pytest.raises(TypeError, match="Sparse data was passed"):
        small(pathways=None).fit(csr_array(X), y)


def test_a_nan_in_an_array_is_refused(small, flat):
    X, y = flat
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        small(pathways=None).fit(X, y)


def test_the_schema_is_a_function_of_the_rows_given(small, cohort):
    half, _ = learn_schema(small(), cohort.X.iloc[:12], cohort.pathways)
    noise = cohort.X.copy()
    noise.iloc[12:, 1:] = 1e9
    again, _ = learn_schema(small(), noise.iloc[:12], cohort.pathways)
    np.testing.assert_array_equal(half.gene_mean, again.gene_mean)
    np.testing.assert_array_equal(half.gene_scale, again.gene_scale)
