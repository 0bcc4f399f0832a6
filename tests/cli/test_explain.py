"""explain: what the risks of a saved model are made of, as files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sksurv_tta import load_model
from sksurv_tta.evaluation import explain


@pytest.fixture(scope="module")
def arguments(gappy_study, model):
    data = {"bags": gappy_study.bags, "expression": gappy_study.expression, "outcomes": gappy_study.outcomes}
    return ["explain", "--model", model, *(part for name in data for part in (f"--{name}", data[name]))]


@pytest.fixture(scope="module")
def chosen(gappy_study):
    """A patient with two slides, one without slides and one without expression."""
    cohort = gappy_study.cohort
    table = cohort.table
    no_genes = cohort.X[cohort.genes].isna().all(axis=1)
    two = table["slide_ids"].str.contains(";") & ~no_genes
    return [table.index[two][0], table.index[table["slide_ids"] == ""][0], table.index[no_genes][0]]


def test_tables_are_those_of_the_package(arguments, gappy_study, model, run, tmp_path):
    said = run(*arguments, "--out", tmp_path / "new" / "out", "--quiet")
    assert said.code == 0, said.err
    assert "45 of 48 patients have wsi; it moves their risk by" in said.out
    assert f"Explanations: {tmp_path / 'new' / 'out'} (48 patients)" in said.out
    assert "explain new ones" in said.err
    folder = tmp_path / "new" / "out"
    expected = explain(load_model(model), gappy_study.cohort.X)
    tables = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
    assert set(tables) == {
        "anchors", "cohort_usage", "completeness", "modalities", "pathway_prototypes", "pathways", "usage",
    }  # fmt: skip
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, getattr(expected, name), check_dtype=False, rtol=1e-4, atol=1e-5)
    files = sorted(path.name for path in (folder / "instances").iterdir())
    assert len(files) == 45
    own = pd.read_csv(folder / "instances" / files[0])
    assert own["patch_size"].tolist() == [512.0] * len(own)


def test_slides_get_annotations_and_everything_has_a_figure(arguments, chosen, run, tmp_path):
    options = ["--geojson", "--figures", "--assignments", "--quiet", "--patients", ",".join(chosen)]
    said = run(*arguments, *options, "--out", tmp_path)
    assert said.code == 0, said.err
    slides = [f"{chosen[0]}-S1", f"{chosen[0]}-S2", f"{chosen[2]}-S1"]
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {f"geojson/{slide}.geojson" for slide in slides} <= files
    for kind in ("prototypes", "confidence", "contribution", "each_prototype"):
        assert {f"figures/slides/{slide}_{kind}.{end}" for slide in slides for end in ("png", "svg")} <= files
    for kind in ("prototypes", "tokens", "usage", "anchors", "modalities", "pathway_prototypes",
                 "pathway_counts", "pathway_contributions"):  # fmt: skip
        assert {f"figures/{kind}.png", f"figures/{kind}.svg"} <= files
    assert sum(name.startswith("assignments/") for name in files) == 3
    document = json.loads((tmp_path / f"geojson/{slides[1]}.geojson").read_text())
    rows = pd.read_csv(tmp_path / f"instances/{chosen[0]}.csv").query("slide == @slides[1]")
    corners = [feature["geometry"]["coordinates"][0][0] for feature in document["features"]]
    assert corners == rows[["x", "y"]].to_numpy().tolist()


def test_maps_are_drawn_on_the_images_of_the_slides(arguments, chosen, run, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    images = tmp_path / "images"
    images.mkdir()
    pixels = np.full((2048, 4096, 3), 200, np.uint8)
    tifffile.imwrite(images / f"{chosen[0]}-S1.tif", pixels, tile=(256, 256), photometric="rgb")
    options = ["--figures", "--images", images, "--quiet", "--attribution", "none", "--patients", chosen[0]]
    said = run(*arguments, *options, "--out", tmp_path / "out")
    assert said.code == 0, said.err
    figures = tmp_path / "out" / "figures" / "slides"
    grey = [
        (np.asarray(Image.open(figures / f"{chosen[0]}-S{n}_confidence.png"))[..., :3] == 200)
        .all(axis=2)
        .mean()
        for n in (1, 2)
    ]
    assert grey[0] > 0.3 > grey[1]
    assert not list(figures.glob("*contribution*"))


def test_parquet_holds_the_same_numbers(arguments, chosen, run, tmp_path):
    pytest.importorskip("pyarrow")
    options = ["--quiet", "--patients", chosen[0]]
    assert run(*arguments, *options, "--out", tmp_path / "csv").code == 0
    assert run(*arguments, *options, "--format", "parquet", "--out", tmp_path / "parquet").code == 0
    for path in (tmp_path / "csv").rglob("*.csv"):
        other = tmp_path / "parquet" / path.relative_to(tmp_path / "csv").with_suffix(".parquet")
        left, right = pd.read_csv(path), pd.read_parquet(other)
        pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=1e-6)


def test_slides_without_coordinates_are_named(gappy_study, model, run, tmp_path):
    import h5py

    bags = tmp_path / "bags"
    bags.mkdir()
    for path in sorted(Path(gappy_study.bags).glob("*.h5")):
        with h5py.File(path) as file, h5py.File(bags / path.name, "w") as copy:
            copy["features"] = file["features"][:]
    said = run(
        "explain", "--model", model, "--bags", bags, "--expression", gappy_study.expression, "--outcomes",
        gappy_study.outcomes, "--geojson", "--attribution", "gradient", "--quiet", "--out", tmp_path / "out",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "slides have no coordinates, or no size of their patches" in said.err
    assert not (tmp_path / "out" / "geojson").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "."], "--images is for the maps of --figures"),
        (["--figures", "--images", "nowhere"], "--images nowhere is not a folder"),
        (["--patients", "P1,P1"], "names nothing, or something twice"),
        (["--patients", "nobody"], "--patients nobody: not among the 48 patients"),
        (["--steps", "0"], "must be at least 1"),
    ],
)
def test_what_cannot_work_is_said(arguments, run, tmp_path, options, message):
    said = run(*arguments, *options, "--out", tmp_path / "out")
    assert said.code == 2
    assert message in said.err


def test_help_lists_every_table(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    shown = run("explain", "--help").out
    from sksurv_tta.report.explanation import COHORT_TABLES

    for name in COHORT_TABLES:
        assert f"{name}.csv" in shown
