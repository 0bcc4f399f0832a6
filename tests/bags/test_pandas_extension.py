"""The suite that pandas ships for extension arrays, on a column of bags."""

import numpy as np
import pandas as pd
import pytest
from pandas.tests.extension import base

from sksurv_tta.bags import BagArray, BagDtype


def bags(sizes, seed):
    rng = np.random.default_rng(seed)
    return [None if n == 0 else rng.normal(size=(n, 3)).astype(np.float32) for n in sizes]


@pytest.fixture
def dtype():
    return BagDtype()


@pytest.fixture
def data():
    return BagArray.from_arrays(bags(range(1, 11), 0))


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
    pass


class TestCasting(base.BaseCastingTests):
    pass


class TestPrinting(base.BasePrintingTests):
    pass


class TestIndex(base.BaseIndexTests):
    pass


class TestSetitem(base.BaseSetitemTests):
    pass


class TestMethods(base.BaseMethodsTests):
    pass


class TestComparison(base.BaseComparisonOpsTests):
    pass


class TestUnary(base.BaseUnaryOpsTests):
    pass
