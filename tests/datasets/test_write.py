import h5py
import numpy as np
import pandas as pd
import pytest

from sksurv_tta.cohort import Cohort, read_cohort
from sksurv_tta.datasets import make_cohort, write_cohort
from sksurv_tta.exceptions import CohortError
from sksurv_tta.pathways import read_gmt


def small(**changes):
    arguments = {"random_state": 0, "n_instances": (1, 6), "n_features": 4, "two_slides": 0.5}
    return make_cohort(12, **(arguments | changes))


def read_back(written, **changes):
    arguments = {
        "bags": written.bags, "expression": written.expression, "outcomes": written.outcomes, "time": "time",
        "event": "event", "site": "site",
    }  # fmt: skip
    return read_cohort(**(arguments | changes))


def assert_same(first, second):
    assert list(first.ids) == list(second.ids)
    assert list(first.X.columns) == list(second.X.columns)
    np.testing.assert_array_equal(first.y, second.y)
    np.testing.assert_array_equal(first.site, second.site)
    np.testing.assert_array_equal(first.X[first.genes], second.X[second.genes])
    assert first.X["wsi"].isna().tolist() == second.X["wsi"].isna().tolist()
    for ours, theirs in zip(first.X["wsi"].dropna(), second.X["wsi"].dropna(), strict=True):
        np.testing.assert_array_equal(ours.features, theirs.features)
        np.testing.assert_array_equal(ours.coordinates, theirs.coordinates)


def test_reading_gives_back_what_was_written(tmp_path):
    cohort = small()
    written = write_cohort(cohort, tmp_path / "study")
    assert_same(read_back(written), cohort)
    assert read_gmt(written.pathways) == cohort.pathways


def test_missing_cells_stay_missing(tmp_path):
    cohort = small(missing_slides=0.25, missing_expression=0.25)
    assert_same(read_back(write_cohort(cohort, tmp_path), missing="allow"), cohort)


def test_what_was_read_can_be_written_again(tmp_path):
    again = read_back(write_cohort(small(), tmp_path / "first"))
    assert_same(read_back(write_cohort(again, tmp_path / "second")), again)


def test_slides_are_trident_files(tmp_path):
    cohort = small()
    written = write_cohort(cohort, tmp_path, feature_dtype="float16")
    slides = [slide for cell in cohort.table["slide_ids"] for slide in cell.split(";")]
    assert sorted(path.stem for path in written.bags.iterdir()) == sorted(slides)
    assert len(slides) > 12
    with h5py.File(written.bags / f"{slides[0]}.h5") as file:
        assert file["features"].dtype == np.float16
        assert file["features"].attrs["encoder"] == "simulated"
        assert file["coords"].dtype == np.int64
        assert file["coords"].attrs["patch_size"] == 256
        assert file["coords"].attrs["patch_size_level0"] == 512
        assert file["coords"].attrs["savetodir"] == "None"
        assert (file["coords"][:] < file["coords"].attrs["level0_width"]).all()
    back = read_back(written)
    np.testing.assert_allclose(back.X["wsi"].iloc[0].features, cohort.X["wsi"].iloc[0].features, atol=5e-3)
    assert back.X["wsi"].iloc[0].patch_size_level0[0] == 512


def test_further_columns_of_the_table_are_kept(tmp_path):
    cohort = small()
    cohort.table["fold"] = range(12)
    written = write_cohort(cohort, tmp_path)
    assert read_back(written).table["fold"].tolist() == list(range(12))
    assert pd.read_csv(written.outcomes, nrows=0).columns.tolist() == [
        "case_id", "slide_ids", "site", "time", "event", "fold",
    ]  # fmt: skip


def test_parts_that_a_cohort_lacks_are_not_written(tmp_path):
    cohort = small()
    genes_only = Cohort(X=cohort.X.drop(columns="wsi"), y=cohort.y, site=None, table=cohort.table)
    written = write_cohort(genes_only, tmp_path / "genes")
    assert written.bags is None
    assert written.pathways is None
    assert sorted(path.name for path in (tmp_path / "genes").iterdir()) == ["clinical.csv", "expression.csv"]
    bags_only = Cohort(X=cohort.X[["wsi"]], y=cohort.y, site=None, table=cohort.table[["case_id"]])
    written = write_cohort(bags_only, tmp_path / "bags")
    assert sorted(path.stem for path in written.bags.iterdir()) == sorted(cohort.ids)


def test_nothing_is_overwritten(tmp_path):
    write_cohort(small(), tmp_path)
    with pytest.raises(CohortError, match=r"Not overwritten: .*features, .*expression\.csv.*another folder"):
        write_cohort(small(), tmp_path)


@pytest.mark.parametrize("name", ["../outside", "a/b", ".hidden", ".."])
def test_slides_cannot_be_written_outside_the_folder(tmp_path, name):
    cohort = small()
    cohort.table.loc[cohort.ids[0], "slide_ids"] = name
    with pytest.raises(CohortError, match="1 slides cannot be names of files"):
        write_cohort(cohort, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_other_types_of_features_are_refused(tmp_path):
    with pytest.raises(CohortError, match="'float16' or 'float32', got 'int8'"):
        write_cohort(small(), tmp_path, feature_dtype="int8")
