import json

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.evaluation import as_geojson, prototype_colour, slides_with_squares


@pytest.fixture
def slide():
    return pd.DataFrame(
        {
            "patient": "P", "modality": "wsi", "slide": "S", "x": [0, 512], "y": [1024, 0],
            "patch_size": [512.0, 512.0], "prototype": [3, 0], "confidence": [0.5, 0.25],
            "transported": np.nan, "contribution": [0.1, -0.1],
        }
    )  # fmt: skip


def test_a_patch_is_a_square_in_pixels_of_full_resolution(slide):
    document = json.loads(as_geojson(slide))
    assert document["type"] == "FeatureCollection"
    first, second = document["features"]
    assert first["geometry"] == {
        "type": "Polygon",
        "coordinates": [[[0, 1024], [512, 1024], [512, 1536], [0, 1536], [0, 1024]]],
    }
    assert second["geometry"]["coordinates"][0][2] == [1024, 512]


def test_a_patch_has_the_class_colour_and_numbers_that_qupath_reads(slide):
    own = json.loads(as_geojson(slide))["features"][0]["properties"]
    red, green, blue = own["classification"]["color"]
    assert own["objectType"] == "detection"
    assert own["classification"]["name"] == "Prototype 3"
    assert f"#{red:02X}{green:02X}{blue:02X}" == prototype_colour(3)
    # what is not known is left out: JSON has no NaN
    assert own["measurements"] == {"Prototype": 3.0, "Confidence": 0.5, "Contribution to risk": 0.1}


def refuse_constant(name):
    raise AssertionError(f"{name} is no JSON")


def check_polygon(geometry):
    """RFC 7946: one closed ring of an area, which runs anticlockwise if y points up."""
    assert geometry["type"] == "Polygon"
    (ring,) = geometry["coordinates"]
    assert len(ring) >= 4
    assert ring[0] == ring[-1]
    assert all(len(point) == 2 and all(type(value) in (int, float) for value in point) for point in ring)
    x, y = np.array(ring, dtype=float).T
    assert np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2 > 0


def check_properties(properties):
    """What the reader of QuPath looks for, by the names and in the types that its writer uses."""
    assert set(properties) <= {"objectType", "classification", "measurements", "name", "color", "isLocked"}
    assert properties["objectType"] in {"annotation", "detection", "tile", "cell"}
    kind = properties["classification"]
    assert set(kind) == {"name", "color"}  # a class without a colour is not read
    assert kind["name"]
    assert ":" not in kind["name"]  # would be read as a class and its subclass
    assert len(kind["color"]) == 3
    assert all(type(part) is int and 0 <= part <= 255 for part in kind["color"])
    # an object from name to number; NaN stopped older versions
    assert all(type(value) is float and np.isfinite(value) for value in properties["measurements"].values())


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"prototype": [31, 40]},  # more prototypes than colours
        {"patch_size": [512.5, 256.25]},
        {"x": [0.5, 1e6], "y": [0.0, 123456.75]},
        {"confidence": np.nan, "contribution": np.nan},
        {"confidence": np.float32(0.1), "prototype": np.array([1, 2], dtype=np.int32)},
        {"contribution": [np.inf, -1e-30]},
    ],
)
def test_the_document_keeps_the_rules_of_geojson_and_of_qupath(slide, change):
    document = json.loads(as_geojson(slide.assign(**change)), parse_constant=refuse_constant)
    assert set(document) == {"type", "features"}
    assert document["type"] == "FeatureCollection"
    assert len(document["features"]) == len(slide)
    for feature in document["features"]:
        assert set(feature) == {"type", "geometry", "properties"}
        assert feature["type"] == "Feature"
        check_polygon(feature["geometry"])
        check_properties(feature["properties"])


def test_the_measurements_of_all_patches_have_the_same_names(slide):
    features = json.loads(as_geojson(slide))["features"]
    assert len({tuple(feature["properties"]["measurements"]) for feature in features}) == 1


def test_several_slides_or_patches_without_a_place_are_refused(slide):
    with pytest.raises(ValueError, match="GeoJSON is for one slide"):
        as_geojson(pd.concat([slide, slide.assign(slide="T")]))
    with pytest.raises(ValueError, match="have no place"):
        as_geojson(slide.assign(patch_size=np.nan))


def test_slides_without_coordinates_are_passed_over(slide):
    both = pd.concat([slide, slide.assign(slide="T", x=np.nan)])
    ((key, rows),) = slides_with_squares(both)
    assert key == ("P", "wsi", "S")
    assert len(rows) == 2


def test_parts_of_a_pixel_are_kept(slide):
    ring = json.loads(as_geojson(slide.assign(patch_size=512.5)))["features"][0]["geometry"]["coordinates"][0]
    assert ring[2] == [512.5, 1536.5]
