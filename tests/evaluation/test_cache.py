import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sksurv_tta.bags import BagArray
from sksurv_tta.evaluation import RidgeCox
from sksurv_tta.evaluation.cache import data_digest, fit_digest, model_digest, read_record, write_record


def test_numbers_come_back_bit_by_bit(tmp_path):
    record = {"risk": [0.1, 1 / 3, float("nan"), 1e-300], "chosen": {"alpha": np.float64(0.3)}, "error": ""}
    write_record(tmp_path / "new", "abc", record)
    back = read_record(tmp_path / "new", "abc")
    np.testing.assert_array_equal(back["risk"], record["risk"])
    assert back["chosen"] == {"alpha": 0.3}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["abc.json"]


def test_a_damaged_or_foreign_record_is_no_record(tmp_path):
    assert read_record(tmp_path, "abc") is None
    write_record(tmp_path, "abc", {"risk": [1.0]})
    path = tmp_path / "abc.json"
    whole = path.read_text()
    path.write_text(whole.replace("1.0", "1.5"))
    assert read_record(tmp_path, "abc") is None  # a number that is as good as another
    path.write_text(whole[:-5])
    assert read_record(tmp_path, "abc") is None
    (tmp_path / "def.json").write_text(whole)
    assert read_record(tmp_path, "def") is None
    (tmp_path / "ghi.json").write_bytes(b"\xff\xfe")
    assert read_record(tmp_path, "ghi") is None


def test_parameters_make_the_digest_of_a_model():
    model = RidgeCox(alpha=1.0)
    assert model_digest(model) == model_digest(clone(model))
    assert model_digest(model) != model_digest(RidgeCox(alpha=2.0))
    with pytest.raises(ValueError, match="cannot be cached because a parameter cannot be digested"):
        model_digest(RidgeCox(alpha=lambda: 1.0))


def test_rows_outcomes_bags_and_sites_make_the_digest_of_the_data(cohort):
    sites = np.asarray(cohort.site)
    base = data_digest(cohort.X, cohort.y, sites)
    assert base == data_digest(cohort.X.copy(), cohort.y.copy(), sites.copy())
    gene = cohort.X.select_dtypes("number").columns[0]
    changed = cohort.X.copy()
    changed[gene] += 1.0
    other_y = cohort.y.copy()
    other_y["event"][0] = ~other_y["event"][0]
    digests = {
        base,
        data_digest(changed, cohort.y, sites),
        data_digest(cohort.X.rename(columns={gene: "OTHER"}), cohort.y, sites),
        data_digest(cohort.X, other_y, sites),
        data_digest(cohort.X, cohort.y, None),
        data_digest(cohort.X, cohort.y, np.roll(sites, 1)),
        data_digest(np.eye(len(cohort.y)), cohort.y, None),
    }
    assert len(digests) == 7


def test_a_changed_bag_changes_the_digest(cohort):
    bags = [np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)]
    y = cohort.y[:2]
    first = data_digest(pd.DataFrame({"wsi": BagArray.from_arrays(bags)}), y, None)
    same = data_digest(pd.DataFrame({"wsi": BagArray.from_arrays(bags)}), y, None)
    other = data_digest(pd.DataFrame({"wsi": BagArray.from_arrays([bags[0], bags[0]])}), y, None)
    assert first == same
    assert first != other


def test_a_rewritten_bag_file_changes_the_digest(cohort, tmp_path):
    path = tmp_path / "a.npy"
    digests = set()
    for value in (0.0, 1.0):
        np.save(path, np.full((3, 2), value, dtype=np.float32))
        X = pd.DataFrame({"wsi": BagArray.from_files([path])})
        digests.add(data_digest(X, cohort.y[:1], None))
    assert len(digests) == 2


def test_rows_and_seed_make_the_digest_of_a_fit():
    base = {"train": np.arange(3), "test": np.arange(3, 5), "seed": 0, "times": np.array([1.0])}
    digests = {fit_digest("m", "d", **base), fit_digest("n", "d", **base), fit_digest("m", "e", **base)}
    digests |= {
        fit_digest("m", "d", **{**base, "seed": 1}),
        fit_digest("m", "d", **{**base, "test": np.arange(3, 6)}),
    }
    assert len(digests) == 5
    assert fit_digest("m", "d", **base) == fit_digest("m", "d", **base)
