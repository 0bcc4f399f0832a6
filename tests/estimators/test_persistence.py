"""Saving and loading: the same bytes, the same predictions, and only what is allowed."""

import contextlib
import copy
import json
import pickle  # noqa: TID251 - that it works, and that it is not what load_model reads
import threading

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sksurv.util import Surv

from sksurv_tta.datasets import make_cohort
from sksurv_tta.estimators import TTASurvivalEstimator, load_model
from sksurv_tta.exceptions import ModelFileError
from sksurv_tta.training import tensor_files
from sksurv_tta.training.tensor_files import open_file, pack

TINY = {
    "recipe": "paper",
    "token_dim": 8,
    "prototype_dim": 8,
    "n_prototypes": 3,
    "n_heads": 2,
    "batch_size": 8,
    "max_epochs": 2,
}
ROBUST = {"recipe": "robust", "n_members": 3, "profile_rank": 4}
KINDS = ["flat", "discrete", "bags", "validated", "plain", "robust", "robust discrete"]


def tiny_patients():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 10))
    return X, Surv.from_arrays(rng.random(20) < 0.6, rng.exponential(10, 20) + 0.1)


def make_fitted(kind):
    """Return a fitted estimator of one kind, and patients."""
    if kind in ("bags", "robust"):
        cohort = make_cohort(16, random_state=0, n_instances=(3, 8), n_features=6, missing_slides=0.2)
        options = ROBUST if kind == "robust" else {}
        estimator = TTASurvivalEstimator(**TINY | options, pathways=cohort.pathways, random_state=0)
        return estimator.fit(cohort.X, cohort.y), cohort.X, cohort.y
    options = {
        "flat": {},
        "discrete": {"loss": "discrete", "n_time_bins": 3},
        "robust discrete": {"loss": "discrete", "n_time_bins": 3, **ROBUST},
        "validated": {"early_stopping": True, "lr": np.float64(0.01)},
        "plain": {"together": False, "apart": False, "random_state": None, "clip_norm": None},
    }[kind]
    X, y = tiny_patients()
    return TTASurvivalEstimator(**TINY | {"random_state": 0} | options).fit(X, y), X, y


@pytest.fixture(scope="module")
def fitted():
    made = {}
    return lambda kind: made.setdefault(kind, make_fitted(kind))


@pytest.fixture
def saved(fitted, tmp_path):
    """A file with the flat model."""
    path = tmp_path / "model.safetensors"
    fitted("flat")[0].save(path)
    return path


def rewrite(path, tensors=None, **changes):
    """Change a model file as someone would who also mends the checksum."""
    file = open_file(path)
    path.write_bytes(pack(file.content | changes, file.read() | (tensors or {})))


def with_parameters(path, **changes):
    rewrite(path, parameters=open_file(path).content["parameters"] | changes)


@pytest.mark.parametrize("kind", KINDS)
def test_save_load_save_gives_the_same_bytes(fitted, tmp_path, kind):
    estimator, _, _ = fitted(kind)
    estimator.save(tmp_path / "first")
    load_model(tmp_path / "first").save(tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_predicts_the_same_bits(fitted, tmp_path, kind):
    estimator, X, y = fitted(kind)
    estimator.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))
    for method in ("predict_survival_function", "predict_cumulative_hazard_function"):
        ours, theirs = getattr(loaded, method)(X), getattr(estimator, method)(X)
        assert all((f.x == g.x).all() and (f.y == g.y).all() for f, g in zip(ours, theirs, strict=True))
        assert ours[0].domain == theirs[0].domain
    assert loaded.score(X, y) == estimator.score(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_has_every_attribute(fitted, tmp_path, kind):
    estimator, _, _ = fitted(kind)
    estimator.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert {name for name in vars(estimator) if name.endswith("_")} == {
        name for name in vars(loaded) if name.endswith("_")
    }
    assert loaded.history_.equals(estimator.history_)
    assert list(loaded.history_.columns) == list(estimator.history_.columns)
    assert loaded.trained_with_ == estimator.trained_with_
    assert loaded.trained_with_["threads"] == 1
    assert list(loaded.pathway_names_) == list(estimator.pathway_names_)
    ours, theirs = (e.get_params() | {"pathways": None} for e in (loaded, estimator))
    assert ours == theirs


def test_a_loaded_model_can_be_cloned_pickled_and_trained_on(fitted, tmp_path):
    estimator, X, y = fitted("bags")
    estimator.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    again = clone(loaded).fit(X, y)  # from the same seed, with the genes in use
    np.testing.assert_array_equal(again.predict(X), estimator.predict(X))
    copied = pickle.loads(pickle.dumps(loaded))  # noqa: S301
    np.testing.assert_array_equal(copied.predict(X), estimator.predict(X))
    longer = loaded.set_params(warm_start=True).fit(X, y)
    assert longer.n_iter_ == 4
    assert (longer.predict(X) != estimator.predict(X)).any()
    longer.save(tmp_path / "longer")
    np.testing.assert_array_equal(load_model(tmp_path / "longer").predict(X), longer.predict(X))


def test_pathways_are_stored_as_genes_never_as_a_path(tmp_path):
    cohort = make_cohort(12, random_state=1, n_instances=(3, 5), n_features=4)
    gmt = tmp_path / "secret_place.gmt"
    lines = ["\t".join([name, "", *genes, "NOT_AT_HAND"]) for name, genes in cohort.pathways.items()]
    gmt.write_text("\n".join(lines) + "\n")
    estimator = TTASurvivalEstimator(**TINY, pathways=str(gmt), random_state=0).fit(cohort.X, cohort.y)
    path = tmp_path / "model"
    estimator.save(path)
    assert b"secret_place" not in path.read_bytes()
    assert b"NOT_AT_HAND" not in path.read_bytes()
    gmt.unlink()
    loaded = load_model(path)
    assert {name: sorted(genes) for name, genes in loaded.pathways.items()} == {
        name: sorted(genes) for name, genes in cohort.pathways.items()
    }
    shuffled = cohort.X[cohort.X.columns[::-1]]
    np.testing.assert_array_equal(loaded.predict(shuffled), estimator.predict(cohort.X))


def test_an_unfitted_estimator_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        TTASurvivalEstimator().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_class_that_could_not_be_loaded_is_not_saved(fitted, tmp_path):
    own = copy.copy(fitted("flat")[0])
    own.__class__ = type("Own", (TTASurvivalEstimator,), {})
    with pytest.raises(
        TypeError, match=r"Own could not be loaded again; only TTASurvivalEstimator, .* can be saved"
    ):
        own.save(tmp_path / "model")


def test_parameters_that_json_cannot_hold_are_named(fitted, tmp_path):
    estimator = copy.copy(fitted("flat")[0])
    estimator.random_state = np.random.RandomState(0)
    with pytest.raises(ValueError, match=r"1 parameters .*: random_state \(RandomState\).*random_state=0"):
        estimator.save(tmp_path / "model")


def test_parameters_changed_since_fit_are_refused(fitted, tmp_path):
    estimator = copy.copy(fitted("flat")[0]).set_params(epsilon=0.3, max_epochs=7)
    with pytest.raises(ValueError, match=r"changed since fit: epsilon \(0.1 in fit, 0.3 now\)\..*fit again"):
        estimator.save(tmp_path / "model")
    estimator.set_params(epsilon=0.1).save(tmp_path / "model")
    assert load_model(tmp_path / "model").max_epochs == 7


def test_nan_and_infinity_in_the_history_come_back(fitted, tmp_path):
    estimator = copy.deepcopy(fitted("flat")[0])
    estimator.net_.history[0] |= {"odd": float("nan"), "high": float("inf"), "best": np.True_}
    estimator.save(tmp_path / "model")
    record = load_model(tmp_path / "model").net_.history[0]
    assert np.isnan(record["odd"])
    assert record["high"] == float("inf")
    assert record["best"] is True


def test_a_model_of_another_device_loads_here(saved, fitted):
    with_parameters(saved, device="cuda:31")
    loaded = load_model(saved)
    assert loaded.device == "cpu"
    assert loaded.net_.module_.device.type == "cpu"
    _, X, _ = fitted("flat")
    np.testing.assert_array_equal(loaded.predict(X), fitted("flat")[0].predict(X))
    assert load_model(saved, device="cpu").device == "cpu"
    with pytest.raises(ValueError, match="There is no device 'cuda:31' here"):
        load_model(saved, device="cuda:31")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("changes", [{}, ROBUST, ROBUST | {"low_memory": True}])
def test_a_model_trained_on_a_gpu_loads_on_the_cpu(tmp_path, changes):
    X, y = tiny_patients()
    TTASurvivalEstimator(**TINY | changes, device="cuda", random_state=0).fit(X, y).save(tmp_path / "model")
    assert load_model(tmp_path / "model").trained_with_["device"] == "cuda"
    risks = [load_model(tmp_path / "model", device=device).predict(X) for device in ("cuda", "cpu")]
    np.testing.assert_allclose(*risks, rtol=1e-3, atol=1e-5)


def test_readers_never_see_half_a_model(fitted, tmp_path):
    """One thread writes two models in turn; what another reads is the one or the other."""
    (first, X, _), (second, _, _) = fitted("flat"), fitted("validated")
    expected = {first.predict(X)[0], second.predict(X)[0]}
    path, seen = tmp_path / "model", set()
    first.save(path)

    def write():
        for n in range(10):
            (first, second)[n % 2].save(path)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        # Replaced between header and tensors, a file is refused, never mixed.
        with contextlib.suppress(ModelFileError):
            seen.add(load_model(path).predict(X)[0])
    writer.join()
    assert seen <= expected


# --- refusals: each names the file and what to do


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_prototypes": 10**9}, "tensors are missing, unknown or of another shape"),
        ({"n_prototypes": 2**53, "prototype_dim": 2**53}, "no network can be built"),
        ({"n_heads": 10**9}, "n_heads is larger than 1000"),
        ({"refiner_layers": 10**9}, "refiner_layers is larger"),
        ({"coattention_layers": 10**9}, "coattention_layers is larger"),
        ({"n_members": 10**9}, "n_members is larger"),
        ({"n_members": 1000, "refiner_layers": 1000}, "refiner_layers and .* make more than 10,000 modules"),
        ({"n_prototypes": 0}, "parameters are not allowed.*n_prototypes"),
        ({"lr": -1.0}, "parameters are not allowed.*lr"),
        ({"assignment": "os.system"}, "parameters are not allowed.*assignment"),
        ({"device": "nowhere"}, "parameters are not allowed"),
        ({"loss": "discrete"}, "time bins do not fit"),
        ({"callbacks": []}, "parameters are not those of TTASurvivalEstimator: callbacks"),
        ({"evil": 1}, "parameters are not those of TTASurvivalEstimator: evil"),
        ({"dropout": [0.1]}, "parameters are not allowed.*dropout"),
    ],
    ids=str,
)
def test_parameters_are_checked_like_the_constructors(saved, changes, message):
    with_parameters(saved, **changes)
    with pytest.raises(ModelFileError, match=f"{saved.name} is not a model that can be used: .*{message}"):
        load_model(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class": "subprocess.Popen"}, "names the estimator 'subprocess.Popen'; known are TTASurvival"),
        ({"format": 2}, "reads a 'model' of format 1"),
        ({"kind": "checkpoint"}, "'checkpoint' of format '1'"),
        ({"extra": 1}, "unknown or missing fields: extra"),
        ({"history": [{"batches": []}]}, "values that are not allowed: history"),
        ({"history": 3}, "values that are not allowed: history"),
        ({"seed": -1}, "values that are not allowed: seed"),
        ({"trained_with": {}}, "list of versions has unknown or missing"),
        ({"columns": {}}, "list of columns has unknown or missing"),
        ({"columns": None}, "values that are not allowed: columns"),
        ({"n_features_in": True}, "values that are not allowed: n_features_in"),
        ({"feature_names_in": ["a"]}, "number of its column names"),
    ],
    ids=str,
)
def test_every_field_is_checked(saved, changes, message):
    rewrite(saved, **changes)
    with pytest.raises(ModelFileError, match=message):
        load_model(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pathways": [[0, 1, 99]]}, "do not fit its genes: all"),
        ({"pathways": [[0, 0]]}, "do not fit its genes: all"),
        ({"pathways": [[]]}, "do not fit its genes"),
        ({"pathways": [[0], [1]]}, "differ in number"),
        ({"pathways": [[-1]]}, "not allowed: pathways"),
        ({"pathways": [[1, 0, 2, 3, 4, 5, 6, 7, 8, 9]]}, "'pathway_encoder.gene_index' holds impossible"),
        ({"gene_columns": [], "pathways": [], "pathway_names": []}, "neither columns of bags nor genes"),
        ({"gene_columns": [0, 0, *range(2, 10)]}, "not allowed: gene_columns"),
        ({"gene_columns": [None] * 10}, "not allowed: gene_columns"),
        ({"bag_columns": ["wsi"]}, "differ in number"),
        ({"bag_columns": ["wsi"], "bag_widths": [10**12]}, "tensors are missing"),
        ({"by_name": 1}, "not allowed: by_name"),
    ],
    ids=str,
)
def test_columns_are_checked(saved, changes, message):
    rewrite(saved, columns=open_file(saved).content["columns"] | changes)
    with pytest.raises(ModelFileError, match=message):
        load_model(saved)


def spoiled(name, value):
    return lambda tensors: {name: torch.full_like(tensors[name], value)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            spoiled("network.together.prototypes", float("nan")),
            "together.prototypes' holds values .* not finite",
        ),
        (spoiled("network.fuse.head.weight", float("inf")), "fuse.head.weight' holds values .* not finite"),
        (spoiled("network.together.running_agreement", float("inf")), "running_agreement' holds values"),
        (spoiled("network.together.selected_heads", 2), "selected_heads' holds impossible"),
        (spoiled("network.together.selected_heads", -1), "selected_heads' holds impossible"),
        (spoiled("network.mass", -1.0), "'mass' holds impossible"),
        (spoiled("network.pathway_encoder.gene_index", -5), "gene_index' holds impossible"),
        (spoiled("rule.times", 1.0), "times do not rise"),
        (spoiled("rule.baseline", -1.0), "baseline hazard falls"),
        (spoiled("rule.baseline", float("nan")), "not finite"),
        (spoiled("genes.scale", 0.0), "scale of its genes is not positive"),
        (lambda _: {"more": torch.zeros(1)}, "missing, unknown or of another shape.*: more"),
        (lambda _: {"rule.times": torch.zeros(2)}, "of another shape or type.*rule"),
        (lambda _: {"rule.edges": torch.zeros((), dtype=torch.float64)}, "rule is incomplete"),
        (lambda _: {"network.mass": torch.ones(1)}, "of another shape or type .*network.mass"),
    ],
)
def test_tensors_are_checked(saved, change, message):
    rewrite(saved, tensors=change(open_file(saved).read()))
    with pytest.raises(ModelFileError, match=message):
        load_model(saved)


def test_unseen_heads_may_stay_nan(fitted, tmp_path):
    estimator, X, _ = fitted("plain")
    assert estimator.net_.module_.together.running_agreement.isnan().all()
    estimator.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").predict(X), estimator.predict(X))


def with_document(path, text):
    """Put any text in the place of the document."""
    file = open_file(path)
    header = json.loads(file.header[8:])
    header["__metadata__"] = {tensor_files.KEY: text}
    payload = path.read_bytes()[len(file.header) :]
    new = json.dumps(header).encode()
    path.write_bytes(len(new).to_bytes(8, "little") + new + payload)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"content": {"seed": NaN}, "sha256": ""}', "NaN, which is not a finite"),
        ('{"content": {"seed": Infinity}, "sha256": ""}', "Infinity, which is not a finite"),
        ('{"content": {"seed": 1e999}, "sha256": ""}', "1e999, which is not a finite"),
        ('{"content": {"seed": 1, "seed": 2}, "sha256": ""}', "names something twice"),
        ('{"content": {"seed": 99999999999999999999}, "sha256": ""}', "integer that is too large"),
        ('{"content": ' + "[" * 20 + "]" * 20 + ', "sha256": ""}', "nested deeper than 8 levels"),
        ('{"content": ' + "[" * 10**6 + "]" * 10**6 + ', "sha256": ""}', "not valid JSON"),
        ('{"content": "' + "x" * 2**24 + '", "sha256": ""}', "longer than 16,777,216 bytes"),
        ('{"content": {}', "not valid JSON"),
        ("[]", "not one that sksurv_tta writes"),
        ('{"content": 3, "sha256": ""}', "not one that sksurv_tta writes"),
        ('{"content": {}, "sha256": 3}', "not one that sksurv_tta writes"),
        ('{"content": {}, "sha256": "", "more": 1}', "not one that sksurv_tta writes"),
    ],
    ids=lambda value: value[:60],
)
def test_the_description_is_read_strictly(saved, text, message):
    with_document(saved, text)
    with pytest.raises(ModelFileError, match=message):
        load_model(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"1234567", b"\x80\x04\x95.", b"PK\x03\x04" + bytes(100), b"\xff" * 100, bytes(8),
        (2).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]",
        (60).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4]}}',
    ],
)  # fmt: skip
def test_files_of_another_kind_are_refused(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"other is not a model that can be used: .*Get the file again"):
        load_model(tmp_path / "other")


def test_a_pickle_is_not_unpickled(tmp_path, fitted):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(fitted("flat")[0]))
    with pytest.raises(ModelFileError, match="not a model"):
        load_model(tmp_path / "model.pkl")


def test_what_is_not_a_file_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="not a regular file"):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing")
