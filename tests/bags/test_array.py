import io
import pickle  # noqa: TID251 - what joblib does

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.preprocessing import StandardScaler

from sksurv_tta.bags import Bag, BagArray, BagDtype
from sksurv_tta.exceptions import BagFileError


@pytest.fixture
def arrays(rng):
    return [rng.normal(size=(n, 4)).astype(np.float32) for n in (3, 1, 5)]


@pytest.fixture
def files(arrays, write_hdf5):
    return [write_hdf5(f"slides/p{i}.h5", values) for i, values in enumerate(arrays)]


# Making a column


def test_arrays_become_bags_without_a_copy(arrays):
    column = BagArray.from_arrays([*arrays, None])
    assert column.n_features == 4
    assert column.n_instances.tolist() == [3, 1, 5, 0]
    assert column.isna().tolist() == [False, False, False, True]
    assert np.shares_memory(column[0].read_raw(), arrays[0])
    assert column[3] is None


def test_files_become_bags_of_one_or_several_slides_or_missing(arrays, files):
    column = BagArray.from_files([files[0], [files[1], files[2]], None, float("nan")], "features")
    assert column.n_instances.tolist() == [3, 6, 0, 0]
    np.testing.assert_array_equal(column[1].read(), np.concatenate(arrays[1:]))


def test_paths_of_a_table_name_the_patients_by_its_index(files, tmp_path):
    paths = pd.Series([str(files[0]), str(tmp_path / "no.h5"), None], index=["A", "B", "C"])
    with pytest.raises(BagFileError, match=r"patient B: .*no.h5: no such file") as caught:
        BagArray.from_files(paths)
    assert caught.value.patient_ids == ("B",)
    column = BagArray.from_files(paths.drop("B"))
    assert column[0].patient == "A"
    assert len(column) == 2


def test_all_unusable_files_are_listed_at_once(files, tmp_path, write_hdf5):
    empty = write_hdf5("slides/empty.h5", np.empty((0, 4), "f4"))
    paths = [files[0], tmp_path / "no.h5", empty]
    with pytest.raises(
        BagFileError, match=r"(?s)2 of 3 patients.*patient B: .*no such file.*patient C: .*no inst"
    ) as e:
        BagArray.from_files(paths, ids=["A", "B", "C"])
    assert e.value.patient_ids == ("B", "C")
    many = [tmp_path / f"no{i}.h5" for i in range(14)]
    with pytest.raises(BagFileError, match=r"(?s)14 of 14 .*patient row 9.*and 4 more$"):
        BagArray.from_files(many)


def test_all_unusable_arrays_are_listed_at_once(arrays):
    wrong = [arrays[0], np.ones((2, 3, 4)), np.ones((0, 4)), [[1.0]]]
    with pytest.raises(BagFileError, match=r"(?s)3 of 4 patients.*row 1.*row 2.*row 3.*not list"):
        BagArray.from_arrays(wrong)


def test_a_block_of_three_dimensions_is_refused():
    with pytest.raises(BagFileError, match=r"list of .* not an array of shape \(2, 3, 4\); use list"):
        BagArray.from_arrays(np.ones((2, 3, 4)))


def test_ids_must_fit_the_patients(arrays):
    with pytest.raises(BagFileError, match="2 ids were given for 3 patients"):
        BagArray.from_arrays(arrays, ids=["a", "b"])


def test_different_widths_are_refused_with_a_table_and_the_patients(arrays):
    odd = [*arrays, np.ones((2, 7)), np.ones((1, 7))]
    match = "3 with 4 features, 2 with 7 features. Those that are not 4 wide: D, E"
    with pytest.raises(BagFileError, match=match) as caught:
        BagArray.from_arrays(odd, ids=list("ABCDE"))
    assert caught.value.patient_ids == ("D", "E")
    narrow, wide = BagArray.from_arrays(odd[:3]), BagArray.from_arrays(odd[3:])
    with pytest.raises(BagFileError, match="same number of features"):
        pd.concat([pd.Series(narrow), pd.Series(wide)])
    with pytest.raises(BagFileError, match="same number of features"):
        narrow[0] = wide[0]
    assert narrow[0].shape == (3, 4)  # nothing was set


def test_a_file_of_two_patients_is_refused(files):
    with pytest.raises(BagFileError, match=r"1 files belong to more than one patient: .*p0.h5 \(A, C\)"):
        BagArray.from_files([files[0], files[1], files[0]], ids=["A", "B", "C"])


def test_files_of_different_encoders_are_refused(arrays, write_hdf5):
    paths = [
        write_hdf5(f"{encoder}{i}.h5", arrays[0], attributes={"encoder": encoder})
        for i, encoder in enumerate(["uni", "uni", "resnet"])
    ]
    with pytest.raises(BagFileError, match=r"2 by uni, 1 by resnet. Not by uni: C"):
        BagArray.from_files(paths, ids=["A", "B", "C"])


def test_other_cells_than_bags_are_refused_with_the_way_out(arrays):
    with pytest.raises(TypeError, match="cell 1 is ndarray, not a Bag or None; make the column with"):
        BagArray([Bag(arrays[0]), arrays[1]])
    with pytest.raises(TypeError, match="cell 0 is str, not a Bag"):
        pd.Series(["a.h5"], dtype="bag")


def test_a_column_of_missing_slides_has_no_width():
    column = BagArray.from_files([None, None])
    assert column.n_features is None
    assert column.n_instances.tolist() == [0, 0]


def test_all_patients_with_bad_values_are_found_at_once(arrays, files, write_hdf5):
    arrays[1][0, 2] = np.nan
    write_hdf5("slides/p1.h5", arrays[1])
    column = BagArray.from_files([files[0], files[1], None, files[2]], ids=list("ABCD"))
    files[2].unlink()
    calls = []
    with pytest.raises(
        BagFileError, match=r"(?s)2 of 4 patients.*patient B: 1 values.*patient D: .*no such file"
    ):
        column.check_finite(progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    column[:1].check_finite()


# Inside pandas and scikit-learn


def test_take_concat_and_copy_share_the_features(arrays):
    frame = pd.DataFrame({"wsi": BagArray.from_arrays(arrays), "age": [1.0, 2.0, 3.0]}, index=list("abc"))
    moved = [
        frame.iloc[[0]],
        frame.copy(deep=True),
        pd.concat([frame, frame]),
        frame[frame["age"] < 2],
        frame.sort_values("age"),
        frame.reset_index().merge(frame["age"].reset_index(), on="index"),
    ]
    for result in moved:
        assert isinstance(result["wsi"].dtype, BagDtype)
        assert np.shares_memory(result["wsi"].iloc[0].read_raw(), arrays[0])


def test_reindexing_leaves_a_missing_slide_that_is_none(arrays):
    series = pd.Series(BagArray.from_arrays(arrays), index=list("abc")).reindex(["c", "x"])
    assert isinstance(series.dtype, BagDtype)
    assert series["x"] is None
    assert series.isna().tolist() == [False, True]


def test_the_bag_column_is_chosen_by_its_type_and_survives_a_column_transformer(arrays):
    frame = pd.DataFrame({"wsi": BagArray.from_arrays(arrays), "gene": [1.0, 2.0, 3.0]})
    assert make_column_selector(dtype_include="bag")(frame) == ["wsi"]
    scale = ColumnTransformer(
        [("genes", StandardScaler(), make_column_selector(dtype_include=np.number))],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    result = scale.fit_transform(frame)
    assert isinstance(result["wsi"].dtype, BagDtype)
    assert result["wsi"].iloc[2] == frame["wsi"].iloc[2]


class MeanFeature(BaseEstimator):
    """Smallest estimator that reads bags."""

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return float(np.mean([bag.read().mean(dtype="f8") for bag in X["wsi"]]))


@pytest.mark.parametrize("kind", ["memory", "files"])
def test_cross_validation_takes_a_column_of_bags(arrays, files, kind):
    column = BagArray.from_arrays(arrays) if kind == "memory" else BagArray.from_files(files)
    frame = pd.DataFrame({"wsi": column, "gene": 1.0})
    scores = cross_val_score(MeanFeature(), frame, np.arange(3), groups=[0, 1, 2], cv=GroupKFold(3))
    np.testing.assert_allclose(sorted(scores), sorted(values.mean(dtype="f8") for values in arrays))


# What travels to worker processes


def seen_by_joblib(column):
    """Arrays that joblib's pickler meets one by one: those it can put into shared memory."""
    met = []

    class Pickler(pickle.Pickler):
        def reducer_override(self, value):
            if isinstance(value, np.ndarray):
                met.append(value)
            return NotImplemented

    Pickler(io.BytesIO(), protocol=5).dump(column)
    return met


def test_bags_in_memory_reach_the_pickler_as_arrays_and_not_inside_an_object_array(arrays):
    frame = pd.DataFrame({"wsi": BagArray.from_arrays(arrays)})
    met = seen_by_joblib(frame)
    assert all(any(found is values for found in met) for values in arrays)
    assert not any(found.dtype == object and len(found) and isinstance(found.flat[0], Bag) for found in met)


def work(frame):
    """What a task sees: how the features arrived, and a result of reading them."""
    bags = list(frame["wsi"])
    return [type(bag._source._features).__name__ for bag in bags], [
        bag.read().sum(dtype="f8") for bag in bags
    ]


def test_large_bags_in_memory_arrive_in_workers_as_memory_maps(rng):
    large = [rng.normal(size=(300, 1024)).astype(np.float32) for _ in range(2)]
    frame = pd.DataFrame({"wsi": BagArray.from_arrays(large)})
    # the same pickler as joblib's default backend, but quick to start
    results = joblib.Parallel(n_jobs=2, backend="multiprocessing")(
        joblib.delayed(work)(frame) for _ in range(2)
    )
    assert results == [(["memmap", "memmap"], work(frame)[1])] * 2


def test_a_cohort_of_files_travels_in_less_than_100_kilobytes(tmp_path, write_hdf5):
    folder = "trident_processed/20x_256px_0px_overlap/features_uni_v1/"
    template = write_hdf5(
        f"{folder}0.h5",
        np.ones((4, 8), "f2"),
        np.ones((4, 2), int),
        coords_attributes={"patch_size_level0": 512},
    )
    paths = []
    for i in range(400):
        name = f"TCGA-XX-{i:04d}-01Z-00-DX1.3CDF534E-958F-4467-AA7E-FD3C5A86{i:04d}.h5"
        paths.append(template.with_name(name))
        paths[-1].symlink_to(template)
    column = BagArray.from_files(paths, "features", ids=[path.name[:12] for path in paths])
    payload = pickle.dumps(pd.DataFrame({"wsi": column}))
    assert len(payload) < 100_000
    again = pickle.loads(payload)["wsi"].array  # noqa: S301
    assert (again == column).all()
    folders = {id(bag._source._slides[0].folder) for bag in again}
    assert len(folders) == 1  # one copy of the folder's name, not 400


def test_joblib_hash_is_stable(files):
    assert joblib.hash(BagArray.from_files(files)) == joblib.hash(BagArray.from_files(files))
