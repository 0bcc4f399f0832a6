import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksurv_tta.bags import Bag, BagArray
from sksurv_tta.evaluation import BagPooling
from sksurv_tta.exceptions import CohortError


@pytest.fixture
def arrays():
    random = np.random.RandomState(0)
    return [random.normal(size=(n, 3)).astype(np.float32) for n in (1, 4, 2, 6)]


@pytest.fixture
def frame(arrays):
    X = pd.DataFrame({"age": [50.0, 60.0, 70.0, 80.0]}, index=list("abcd"))
    return X.assign(wsi=BagArray.from_arrays(arrays))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", lambda bag: bag.astype(float).mean(axis=0)),
        ("max", lambda bag: bag.max(axis=0)),
        ("mean_sd", lambda bag: np.r_[bag.astype(float).mean(axis=0), bag.astype(float).std(axis=0)]),
    ],
)
def test_each_bag_becomes_one_row(frame, arrays, how, expected):
    pooled = BagPooling(how).fit_transform(frame[["wsi"]])
    np.testing.assert_allclose(pooled, [expected(bag) for bag in arrays], rtol=1e-6)
    again = BagPooling(how).fit(frame[["wsi"]]).transform(frame[["wsi"]])
    np.testing.assert_array_equal(pooled, again)


def test_a_missing_bag_becomes_the_training_mean(arrays):
    X = pd.DataFrame({"wsi": BagArray.from_arrays([arrays[0], None, arrays[2]])})
    pooling = BagPooling().fit(X)
    mean = (arrays[0].mean(axis=0) + arrays[2].mean(axis=0)) / 2
    np.testing.assert_allclose(pooling.transform(X)[1], mean, rtol=1e-6)
    other = pd.DataFrame({"wsi": BagArray.from_arrays([arrays[3], None])})
    np.testing.assert_allclose(pooling.transform(other)[1], mean, rtol=1e-6)
    assert np.isnan(BagPooling(missing="nan").fit(X).transform(X)[1]).all()
    with pytest.raises(CohortError, match="1 of 3 bags of column wsi are missing"):
        BagPooling(missing="error").fit(X).transform(X)


def test_it_works_in_a_column_transformer_with_names(frame):
    bags = make_column_selector(dtype_include="bag")
    pool = ColumnTransformer([("wsi", BagPooling("mean_sd"), bags), ("age", StandardScaler(), ["age"])])
    table = pool.set_output(transform="pandas").fit_transform(frame)
    assert list(table.columns[:4]) == [
        "wsi__wsi_mean_0",
        "wsi__wsi_mean_1",
        "wsi__wsi_mean_2",
        "wsi__wsi_sd_0",
    ]
    assert table.shape == (4, 7)
    assert list(table.index) == list("abcd")
    plain = make_pipeline(clone(pool).set_output(transform="default")).fit_transform(frame)
    np.testing.assert_array_equal(table.to_numpy(), plain)


def test_a_column_alone_is_as_good_as_a_frame(frame):
    expected = BagPooling().fit_transform(frame[["wsi"]])
    np.testing.assert_array_equal(BagPooling().fit_transform(frame["wsi"]), expected)
    np.testing.assert_array_equal(BagPooling().fit_transform(frame["wsi"].array), expected)


def test_bags_are_read_once_and_nothing_of_them_is_kept(frame, monkeypatch):
    reads = []
    original = Bag.read
    monkeypatch.setattr(Bag, "read", lambda self, *a, **k: reads.append(1) or original(self, *a, **k))
    pooling = BagPooling()
    pooling.fit_transform(frame[["wsi"]])
    assert len(reads) == 4
    kept = [value for value in vars(pooling).values() if isinstance(value, pd.DataFrame | BagArray | Bag)]
    assert not kept
    BagPooling(missing="nan").fit(frame[["wsi"]])
    assert len(reads) == 4


def test_other_columns_and_other_widths_are_refused(frame, arrays):
    with pytest.raises(CohortError, match=r"bag columns only; these are none: \['age'\]"):
        BagPooling().fit(frame)
    with pytest.raises(CohortError, match="all 2 bags of column wsi are missing"):
        BagPooling().fit(pd.DataFrame({"wsi": BagArray.from_arrays([arrays[0], None, None])}).iloc[1:])
    pooling = BagPooling().fit(frame[["wsi"]])
    wide = pd.DataFrame({"wsi": BagArray.from_arrays([np.ones((2, 5), np.float32)])}, index=["z"])
    with pytest.raises(CohortError, match="bag of row z has 5 features, those of fit had 3"):
        pooling.transform(wide)
    with pytest.raises(CohortError, match=r"fitted on the columns \['wsi'\]"):
        pooling.transform(wide.rename(columns={"wsi": "slide"}))


@pytest.mark.parametrize("parameters", [{"how": "median"}, {"missing": "zero"}])
def test_unknown_parameters_are_refused_at_fit(frame, parameters):
    with pytest.raises(ValueError, match="must be one of"):
        BagPooling(**parameters).fit(frame[["wsi"]])
