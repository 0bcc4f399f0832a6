"""The suite that pandas ships for extension arrays, on a column of bags."""

import numpy as np
import pandas as pd
import pytest
from pandas.tests.extension import base

from sksurv_tta.bags import BagArray, BagDtype

# The suite of pandas 2 asks for errors by an empty message, which pytest 8.4 and later remark on.
pytestmark = pytest.mark.filterwarnings("ignore:matching against an empty string")


def bags(sizes, seed):
    rng = np.random.default_rng(seed)
    return [None if n == 0 else rng.normal(size=(n, 3)).astype(np.float32) for n in sizes]


@pytest.fixture
def dtype():
    return BagDtype()


@pytest.fixture
def data():
    return BagArray.from_arrays(bags([1 + i % 7 for i in range(100 if pd.__version__ < "3" else 10)], 0))


@pytest.fixture
def data_missing():
    return BagArray.from_arrays(bags([0, 2], 1))


@pytest.fixture(params=["data", "data_missing"])
def all_data(request, data, data_missing):
    return data if request.param == "data" else data_missing


@pytest.fixture
def data_repeated(data):
    def generate(count):
        for _ in range(count):
            yield data

    return generate


@pytest.fixture
def data_for_sorting():
    return BagArray.from_arrays(bags([2, 3, 1], 2))


@pytest.fixture
def data_missing_for_sorting():
    return BagArray.from_arrays(bags([2, 0, 1], 3))


@pytest.fixture
def data_for_grouping():
    a, b, c = bags([1, 2, 3], 4)
    return BagArray.from_arrays([b, b, None, None, a, a, b, c])


@pytest.fixture
def na_cmp():
    return lambda left, right: left is None and right is None


@pytest.fixture
def na_value():
    return None


@pytest.fixture(params=[True, False])
def as_series(request):
    return request.param


@pytest.fixture(params=[True, False])
def as_frame(request):
    return request.param


@pytest.fixture(params=[True, False])
def as_array(request):
    return request.param


@pytest.fixture(params=[True, False])
def box_in_series(request):
    return request.param


@pytest.fixture(params=[True, False])
def use_numpy(request):
    return request.param


@pytest.fixture(params=["ffill", "bfill"])
def fillna_method(request):
    return request.param


@pytest.fixture
def invalid_scalar():
    return object()


@pytest.fixture(params=["eq", "ne"])
def comparison_op(request):
    import operator

    return getattr(operator, request.param)


@pytest.fixture(params=[True, False])
def using_nan_is_na(request):
    return request.param


class TestConstructors(base.BaseConstructorsTests):
    pass


class TestDtype(base.BaseDtypeTests):
    pass


class TestGetitem(base.BaseGetitemTests):
    pass


class TestInterface(base.BaseInterfaceTests):
    pass


class TestMissing(base.BaseMissingTests):
    pass


class TestReshaping(base.BaseReshapingTests):
    def test_unstack(self, data):
        # pandas' own version expects NaN in the holes, as it cannot ask an object column to fill in None
        labels = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "x")])
        wide = pd.Series(data[:3], index=labels).unstack()
        assert isinstance(wide.dtypes["y"], BagDtype)
        assert wide.loc["a", "y"] == data[1]
        assert wide.loc["b", "y"] is None


class TestCasting(base.BaseCastingTests):
    pass


class TestPrinting(base.BasePrintingTests):
    pass


class TestIndex(base.BaseIndexTests):
    pass


class TestSetitem(base.BaseSetitemTests):
    pass


# Bags have no order and no JSON form, so what sorts, ranks or writes them cannot work.
WITHOUT_ORDER_OR_JSON = (
    "test_value_counts",
    "test_value_counts_with_normalize",
    "test_is_monotonic_increasing",
    "test_is_monotonic_decreasing",
    "test_argsort",
    "test_argsort_missing_array",
    "test_argsort_missing",
    "test_argmin_argmax",
    "test_argreduce_series",
    "test_nargsort",
    "test_sort_values",
    "test_sort_values_missing",
    "test_sort_values_frame",
    "test_sort_inplace",
    "test_sort_inplace_descending",
    "test_sort_inplace_na_position",
    "test_rank",
    "test_rank_method",
    "test_rank_missing",
    "test_combine_le",
    "test_searchsorted",
    "test_values_for_json",
    "test_json_roundtrip",
)

TestMethods = type("TestMethods", (base.BaseMethodsTests,), dict.fromkeys(WITHOUT_ORDER_OR_JSON))


class TestComparison(base.BaseComparisonOpsTests):
    pass


class TestUnary(base.BaseUnaryOpsTests):
    pass
