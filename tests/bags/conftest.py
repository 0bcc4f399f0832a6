"""Small feature files in the layouts that are met in practice."""

import h5py
import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def features(rng):
    """Features of 12 instances, never zero, exact in float16."""
    return (rng.normal(size=(12, 4)) + 3).astype(np.float16).astype(np.float32)


@pytest.fixture
def grid():
    """Corners of 12 patches of 512 pixels, 3 in a row."""
    return np.array([(512 * (i % 3), 512 * (i // 3)) for i in range(12)], dtype=np.int64)


@pytest.fixture
def write_hdf5(tmp_path):
    """Write one HDF5 file; attributes of the two data sets as dictionaries."""

    def write(
        name, features, coords=None, *, key="features", attributes=None, coords_attributes=None, **storage
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            dataset = file.create_dataset(key, data=features, **storage)
            dataset.attrs.update(attributes or {})
            if coords is not None:
                file.create_dataset("coords", data=coords).attrs.update(coords_attributes or {})
        return path

    return write


@pytest.fixture
def slides(write_hdf5, rng):
    """Three slides of 3, 4 and 5 instances, the second in float16 and without coordinates."""

    def block(n):
        return (rng.normal(size=(n, 4)) + 3).astype(np.float16).astype(np.float32)

    parts = [block(3), block(4), block(5)]
    paths = [
        write_hdf5("s1.h5", parts[0], np.arange(6).reshape(3, 2)),
        write_hdf5("s2.h5", parts[1].astype(np.float16)),
        write_hdf5("s3.h5", parts[2], np.arange(10).reshape(5, 2)),
    ]
    return paths, np.concatenate(parts)
